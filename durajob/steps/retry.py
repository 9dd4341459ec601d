"""Retries that survive a crash: tenacity decides, the ledger counts.

The number of attempts and the time at which the next is due come from the ledger, so a job
that was killed during attempt 2 of 5, or while it waited for it, goes on from there.
"""

from __future__ import annotations

import random
from typing import Protocol

from durajob.policies import RetryPolicy


class Try(Protocol):
    """The attempts at one place, as the loop needs them; implemented by the engine."""

    retry_in: float | None
    """Seconds until the next attempt, as ``plan`` said after the last one failed."""

    def run(self) -> object:
        """Begin an attempt, run the step, and note how it ended."""

    def pause(self, seconds: float) -> None:
        """Wait before the next attempt; may raise to stop altogether."""


def run_with_retries(attempts: Try) -> object:
    """Try until it succeeds or no further attempt is planned.

    Raises:
        BaseException: the last attempt's own error, unwrapped.
    """
    import tenacity

    loop = tenacity.Retrying(
        retry=tenacity.retry_if_exception(lambda error: attempts.retry_in is not None),
        stop=tenacity.stop_never,
        wait=lambda state: attempts.retry_in or 0.0,
        sleep=attempts.pause,
        reraise=True,
    )
    return loop(attempts.run)


def plan(
    policy: RetryPolicy | None, error: BaseException, used: int, since_first: float = 0.0
) -> float | None:
    """Seconds until the next attempt after the ``used``-th failed so; None for no further.

    ``since_first``: seconds since the first of these attempts began.
    """
    if policy is None or used >= policy.attempts or not is_retried(policy, error):
        return None
    wait = wait_before(policy, used + 1)
    if policy.total is not None and since_first + wait > policy.total:
        return None
    return wait


def is_retried(policy: RetryPolicy, error: BaseException) -> bool:
    """Whether the policy says to try again after this error.

    A predicate that itself fails says no, and a note on the error tells so.
    """
    if policy.on_exit and exit_code(error) in policy.on_exit:
        return True
    for what in policy.on:
        assert not isinstance(what, str), "names are looked up when the workflow is loaded"
        if isinstance(what, type):
            if isinstance(error, what):
                return True
            continue
        try:
            if what(error):
                return True
        except Exception as wrong:
            name = getattr(what, "__qualname__", repr(what))
            error.add_note(f"not retried: predicate {name} raised {type(wrong).__name__}: {wrong}")
    return False


def exit_code(error: BaseException) -> int | None:
    """The exit code that an error tells of: a program's, or that of a ``sys.exit()``.

    A program that a signal ended has 128 and the signal's number, as in a shell.
    """
    code = error.code if isinstance(error, SystemExit) else getattr(error, "returncode", None)
    if isinstance(error, SystemExit) and not isinstance(code, int):
        return 0 if code is None else 1
    if not isinstance(code, int):
        return None
    return code if code >= 0 else 128 - code


def wait_before(policy: RetryPolicy, attempt: int) -> float:
    """Seconds to wait before this attempt (2, 3, …) of the budget."""
    # The power may overflow a float long before the number of attempts is absurd.
    try:
        wait = policy.wait * policy.factor ** (attempt - 2)
    except OverflowError:
        wait = policy.max_wait
    wait = min(wait, policy.max_wait)
    return wait * random.uniform(0.5, 1.0) if policy.jitter else wait
