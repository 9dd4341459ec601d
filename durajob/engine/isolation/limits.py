"""How long one attempt may take, and go without a sign of life."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from durajob import clock
from durajob.durations import MAX_SECONDS, format_duration
from durajob.errors import StepFault
from durajob.policies import StepPolicy
from durajob.steps.limits import StepTimeout


class Limits(NamedTuple):
    """Seconds, or None for no limit."""

    timeout: float | None
    idle: float | None

    @classmethod
    def of(cls, policy: StepPolicy, state: Any) -> Limits:
        """Those of one attempt.

        Raises:
            StepFault: when the function that tells the timeout returns none.
        """
        timeout = policy.timeout
        if callable(timeout):
            timeout = timeout(state)
            if (
                isinstance(timeout, bool)
                or not isinstance(timeout, int | float)
                or not (math.isfinite(timeout) and 0 < timeout <= MAX_SECONDS)
            ):
                raise StepFault(
                    f"the function that tells the timeout returned {timeout!r:.100}, "
                    "not seconds, more than 0 and up to 366 days",
                )
        return cls(timeout=timeout, idle=policy.idle_timeout)


class Watch:
    """The clock of one attempt, from when its function is called."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._began = clock.monotonic()

    def left(self, beaten: float) -> float | None:
        """Seconds until a limit is passed, given when the last sign of life was."""
        timeout, idle = self._limits
        ends = [] if timeout is None else [self._began + timeout]
        if idle is not None:
            ends.append(max(self._began, beaten) + idle)
        return min(ends) - clock.monotonic() if ends else None

    def error(self, beaten: float, done: str) -> StepTimeout:
        """Which limit was passed, and what was done about it."""
        timeout, idle = self._limits
        now = clock.monotonic()
        if timeout is not None and now >= self._began + timeout:
            return StepTimeout(
                f"took longer than its timeout of {format_duration(timeout)}; {done}"
            )
        return StepTimeout(
            f"gave no heartbeat for {format_duration(idle or 0)} (idle_timeout); {done}"
        )
