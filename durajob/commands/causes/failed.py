"""Causes of threads that failed."""

from __future__ import annotations

from durajob.cause import Cause
from durajob.commands.causes.facts import (
    Facts,
    error_details,
    error_text,
    failure_text,
    log_command,
    short,
    time_text,
)
from durajob.errors import CrashLoop, DefinitionChanged


def crash_loop(facts: Facts) -> Cause | None:
    """A step kills its process."""
    error = facts.found.thread.error
    if error is None or error.type != CrashLoop.__name__ or facts.found.settled is not None:
        return None
    text = f"failed: step {error.step} kills its process, and {short(error.message)}"
    return Cause(
        "crash_loop",
        text,
        f"{facts.resume} --reset-resumes",
        log_command(facts, error),
        error_details(error),
    )


def changed(facts: Facts) -> Cause | None:
    """The workflow lost what it was to go on with."""
    error = facts.found.thread.error
    if error is None or error.type != DefinitionChanged.__name__:
        return None
    text = f"failed: {short(error.message)}; once the workflow has that again, it can go on"
    return Cause("definition_changed", text, facts.resume, "durajob doctor", error_details(error))


def settled(facts: Facts) -> Cause | None:
    """A step failed for good, and a person has settled it since."""
    error, by = facts.found.thread.error, facts.found.settled
    if error is None or by is None:
        return None
    text = (
        f"failed, since {failure_text(error)}; {by.user} has settled that step by hand at "
        f"{time_text(by.at)}: {short(by.what)}; resumed, it goes on after it"
    )
    details = {**error_details(error), "user": by.user, "at": time_text(by.at), "why": by.what}
    return Cause("settled", text, facts.resume, f"{facts.resume} --plan", details)


def step_failed(facts: Facts) -> Cause | None:
    """A step failed for good."""
    error, last = facts.found.thread.error, facts.found.last
    if error is None or error.step is None:
        return None
    status, attempt, most = last or (None, error.attempt, None)
    undo = facts.found.thread.outcome == "compensating"
    spent = most is not None and attempt is not None and attempt >= most
    reason = (
        "compensation_failed"
        if undo
        else _BY_TYPE.get(error.type)
        or ("step_timed_out" if status == "timed_out" else None)
        or ("attempts_exhausted" if spent else "step_failed")
    )
    tries = f", at the last of {most} attempts" if spent and (most or 0) > 1 else ""
    text = f"failed, since {failure_text(error)}{tries}; {_MEND.get(reason, _MENDED)}"
    details = {**error_details(error), "max_attempts": most}
    return Cause(reason, text, facts.resume, log_command(facts, error), details)


_MENDED = "once the cause is mended, it can go on there"
_BY_TYPE = {
    "ApprovalExpired": "approval_expired",
    "EffectInDoubt": "effect_in_doubt",
    "LockTimeout": "lock_not_had",
}
_MEND = {
    "approval_expired": "resumed, the step asks anew",
    "lock_not_had": "resumed, the step waits for the lock anew",
}


def failed(facts: Facts) -> Cause | None:
    """Something else than a step failed."""
    error = facts.found.thread.error
    why = "nobody has noted why" if error is None else error_text(error)
    text = f"failed outside of its steps: {why}; {_MENDED}"
    look = None if error is None else log_command(facts, error)
    return Cause(
        "graph_failed", text, facts.resume, look, {} if error is None else error_details(error)
    )
