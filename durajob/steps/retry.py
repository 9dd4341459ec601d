"""Retries that survive a crash: tenacity decides, the ledger counts.

The number of attempts and the time at which the next is due come from the ledger, so a job
that was killed during attempt 2 of 5, or while it waited for it, goes on from there.
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from functools import lru_cache
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


def plan(policy: RetryPolicy | None, error: BaseException, used: int) -> float | None:
    """Seconds until the next attempt after the ``used``-th failed so; None for no further."""
    if policy is None or used >= policy.attempts or not is_retried(policy, error):
        return None
    return wait_before(policy, used + 1)


def is_retried(policy: RetryPolicy, error: BaseException) -> bool:
    """Whether the policy says to try again after this error."""
    for what in policy.on:
        if isinstance(what, str):
            what = resolve(what)
        if isinstance(what, type):
            if isinstance(error, what):
                return True
        elif what(error):
            return True
    return False


def wait_before(policy: RetryPolicy, attempt: int) -> float:
    """Seconds to wait before this attempt (2, 3, …) of the budget."""
    # The power may overflow a float long before the number of attempts is absurd.
    try:
        wait = policy.wait * policy.factor ** (attempt - 2)
    except OverflowError:
        wait = policy.max_wait
    wait = min(wait, policy.max_wait)
    return wait * random.uniform(0.5, 1.0) if policy.jitter else wait


@lru_cache
def resolve(name: str) -> type[BaseException] | Callable[[BaseException], bool]:
    """The exception class that ``ConnectionError`` or ``module:Class`` names.

    Raises:
        ValueError: when it names nothing, or something else.
    """
    module, _, attribute = name.rpartition(":")
    try:
        found = getattr(importlib.import_module(module or "builtins"), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{name!r} names no exception: {error}") from error
    if not (isinstance(found, type) and issubclass(found, BaseException)):
        raise ValueError(f"{name!r} is no exception class")
    return found
