"""Causes of threads that nobody drives, and that have not failed."""

from __future__ import annotations

import os

from durajob import clock
from durajob.cause import Cause
from durajob.commands.causes.facts import (
    Facts,
    error_details,
    failure_text,
    flight_text,
    flown,
    log_command,
    prompt_text,
    short,
    time_text,
)
from durajob.commands.ids import answer_command
from durajob.durations import format_duration
from durajob.model import ThreadStatus
from durajob.store.processes import boot_id

# What ended for good.


def completed(facts: Facts) -> Cause | None:
    """It reached its end."""
    return Cause(
        "completed", f"completed at {time_text(facts.found.thread.finished_at)}; nothing to do"
    )


def cancelled(facts: Facts) -> Cause | None:
    """A person ended it."""
    by = facts.found.cancelled
    told, details = "", {}
    if by is not None:
        told = f" by {by.user}, who asked for it at {time_text(by.at)}"
        told += f": {short(by.what)}" if by.what else ""
        details = {"user": by.user, "at": time_text(by.at), "reason": by.what}
    return Cause("cancelled", f"was cancelled{told}; it is final", details=details)


def compensated(facts: Facts) -> Cause | None:
    """It failed, and what it had done is undone."""
    thread = facts.found.thread
    if thread.outcome != "compensated" or thread.error is None:
        return None
    text = (
        f"failed, since {failure_text(thread.error)}; what it had done is undone, and it is final"
    )
    return Cause(
        "compensated",
        text,
        look=log_command(facts, thread.error),
        details=error_details(thread.error),
    )


def workflow_gone(facts: Facts) -> Cause | None:
    """What a resume would load is not there."""
    gone = facts.limits.gone
    if gone is None:
        return None
    text = f"{_stands(facts)}, and cannot go on: {gone}"
    return Cause("workflow_gone", text, facts.resume, "durajob validate")


def environment_gone(facts: Facts) -> Cause | None:
    """What it is to run under is not there."""
    kept = facts.found.environment
    gone = None
    if not os.access(kept["executable"], os.X_OK):
        gone = f"the Python that it was started with, {kept['executable']},"
    elif kept["cwd"] is not None and not os.path.isdir(kept["cwd"]):
        gone = f"the folder that it was started in, {kept['cwd']},"
    if gone is None:
        return None
    return Cause(
        "environment_gone",
        f"{_stands(facts)}, and cannot go on: {gone} is gone",
        f"{facts.resume} --here",
    )


def too_many_resumes(facts: Facts) -> Cause | None:
    """``max_resumes`` holds it back."""
    resumes, most = facts.found.resumes, facts.limits.max_resumes
    if resumes < most:
        return None
    error = facts.found.thread.error
    why = "" if error is None else f": {failure_text(error)}"
    return Cause(
        "too_many_resumes",
        f"was resumed {resumes} times without a step finishing (max_resumes){why}; "
        "once the cause is mended, say so",
        f"{facts.resume} --reset-resumes",
        None if error is None else log_command(facts, error),
        {"resumes": resumes, "max_resumes": most},
    )


def _stands(facts: Facts) -> str:
    """A few words for how it stands, where something else is the matter."""
    thread = facts.found.thread
    error = thread.error
    if thread.status is ThreadStatus.FAILED and error is not None:
        return f"failed, since {failure_text(error)}"
    return f"is {thread.status.value}"


# Resumable.


def interrupted(facts: Facts) -> Cause | None:
    """Its owner is gone."""
    found, owner = facts.found, facts.found.owner
    if owner is None:
        gone = "its owner is gone"
    elif owner["host"] != os.uname().nodename:
        gone = f"process {owner['pid']} on {owner['host']} drives it no more"
    elif owner["boot"] != boot_id():
        gone = f"the machine was started anew while process {owner['pid']} drove it"
    elif found.left_word:
        gone = f"process {owner['pid']} was ended while it drove it"
    else:
        gone = f"process {owner['pid']} died while it drove it"
    doing = "between two steps"
    if found.flights:
        more = f" and {len(found.flights) - 1} more" if found.flights[1:] else ""
        doing = f"in step {flight_text(found.flights[0])}{more}"
        if (crashes := found.flights[0].crashes) and not found.left_word:
            doing += f", as {crashes} before it in a row"
    text = (
        f"was interrupted: {gone}, {doing}; it last wrote at {time_text(found.thread.updated_at)}"
    )
    return Cause(
        "interrupted",
        text,
        facts.resume,
        f"{facts.resume} --plan",
        details={
            "pid": None if owner is None else owner["pid"],
            "steps": [flown(each) for each in found.flights[:20]],
        },
    )


def pending(facts: Facts) -> Cause | None:
    """Nobody has claimed it."""
    thread = facts.found.thread
    ago = format_duration(max(clock.now() - thread.created_at, 0) / 1e6)
    text = f"was accepted {ago} ago, at {time_text(thread.created_at)}, and never claimed"
    return Cause("never_claimed", text, facts.resume)


def stopped(facts: Facts) -> Cause | None:
    """It was asked to stop."""
    found = facts.found
    by = {
        None: "was stopped between two steps",
        "timeout": "was stopped by the timeout of its run",
    }.get(found.stopped_by, f"was stopped by a signal ({found.stopped_by})")
    by += f" at {time_text(found.thread.updated_at)}"
    if found.stopped_by is None and (found.flights or found.thread.started_at is None):
        was = f"was in step {flight_text(found.flights[0])}" if found.flights else "had not begun"
        by = f"{was} when it was exported, and nobody has resumed it since it was imported"
    text = f"{by}; {_next(facts)}"
    look, details = f"{facts.resume} --plan", {"by": found.stopped_by}
    return Cause("stopped", text, facts.resume, look, details)


def sleeping(facts: Facts) -> Cause | None:
    """Its time has not come."""
    found, wake_at = facts.found, facts.found.thread.wake_at
    step = None if found.asleep is None else found.asleep[0]
    where = "" if step is None else f" in step {step}"
    details = {"step": step, "wake_at": time_text(wake_at)}
    if wake_at is None or wake_at > clock.now():
        until = f"until {time_text(wake_at)}, when the next tick wakes it"
        text = f"sleeps{where} {until}; before that a resume runs nothing"
        return Cause("sleeping", text, "durajob tick", details=details)
    return None


def overslept(facts: Facts) -> Cause | None:
    """Its time has come."""
    found, wake_at = facts.found, facts.found.thread.wake_at
    step = None if found.asleep is None else found.asleep[0]
    where = "" if step is None else f" in step {step}"
    text = f"has slept{where} until {time_text(wake_at)}, and no tick has woken it"
    return Cause(
        "sleep_over", text, facts.resume, details={"step": step, "wake_at": time_text(wake_at)}
    )


def waiting(facts: Facts) -> Cause | None:
    """A person is asked."""
    thread = facts.found.thread
    over = thread.wake_at is not None and thread.wake_at <= clock.now()
    if thread.answered or not thread.waiting_for or over:
        return None
    asked = thread.waiting_for[0]
    more = f" (and {len(thread.waiting_for) - 1} more)" if thread.waiting_for[1:] else ""
    until = f", until {time_text(asked.expires_at)}" if asked.expires_at else ""
    text = f"waits for a person: step {asked.step} asks {prompt_text(asked.prompt)}{more}{until}"
    return Cause(
        "waits_for_answer",
        text,
        answer_command(thread),
        "durajob approvals",
        {"questions": [{"id": each.id, "step": each.step} for each in thread.waiting_for]},
    )


def answered(facts: Facts) -> Cause | None:
    """A person has answered, or the time is over."""
    thread, answered = facts.found.thread, facts.found.answered
    if not thread.answered:
        text = f"waited until {time_text(thread.wake_at)}, which is over, and nobody has resumed it"
        return Cause("wait_over", text, facts.resume)
    by = "" if answered is None else f" by {answered.user} at {time_text(answered.at)}"
    return Cause("answered", f"was answered{by}, and nobody has resumed it", facts.resume)


def _next(facts: Facts) -> str:
    names = facts.found.thread.next
    if not names:
        return "it can go on"
    more = f" and {len(names) - 1} more" if names[1:] else ""
    return f"next is {names[0]}{more}"
