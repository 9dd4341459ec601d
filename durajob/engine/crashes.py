"""The guard against crash loops: a step that kills its process is not tried for ever.

Nobody can ask a process that died which of its steps did it. Each attempt that was in flight
may have, and is counted by the next owner (``store.write``). So that no branch of a fan-out
is blamed for what its neighbour did, one that has a single try left runs alone, and only a
crash with nothing beside it makes the last count.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from durajob.engine.pool import Drained
from durajob.errors import CrashLoop
from durajob.model import StepError
from durajob.policies import StepPolicy
from durajob.store.ledger import Crashes, Ledger, Place
from durajob.store.logs import OUTPUT, log_path

_LOOK_EVERY = 0.5  # seconds between two looks at whether the run is over


class Guard:
    """What one ownership of a thread knows of crashes before it; made only if there were any."""

    def __init__(self, ledger: Ledger, most: int, is_over: Callable[[], bool]) -> None:
        """``most`` is ``max_crashes`` for steps that say nothing of their own."""
        self._ledger = ledger
        self._most = most
        self._is_over = is_over
        self._changed = threading.Condition()
        self._running = 0
        self._waiting = 0  # for their turn alone
        self._alone = False

    def check(self, place: Place, policy: StepPolicy) -> None:
        """Refuse a step that has killed its process too often.

        Raises:
            CrashLoop
        """
        crashes = self._ledger.crashes.get(place.key)
        if crashes is not None and is_loop(crashes, policy.max_crashes or self._most):
            raise CrashLoop(
                f"it has killed its process {crashes.times} times in a row (max_crashes)"
            )

    @contextmanager
    def turn(self, place: Place, policy: StepPolicy) -> Iterator[None]:
        """Run an attempt beside others, or alone where it has one try left.

        Raises:
            Drained: when the run is over before its turn has come.
        """
        crashes = self._ledger.crashes.get(place.key)
        most = policy.max_crashes or self._most
        if crashes is not None and crashes.times >= max(1, most - 1):
            with self._by_itself():
                yield
        else:
            with self._beside_others():
                yield

    @contextmanager
    def _by_itself(self) -> Iterator[None]:
        with self._changed:
            self._waiting += 1
            try:
                self._await(lambda: not self._alone and self._running == 0)
                self._alone = True
            finally:
                self._waiting -= 1
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()

    @contextmanager
    def _beside_others(self) -> Iterator[None]:
        with self._changed:
            # Those with one try left go first, or a wide fan-out would never let them.
            self._await(lambda: not self._alone and self._waiting == 0)
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _await(self, is_free: Callable[[], bool]) -> None:
        while not is_free():
            self._changed.wait(_LOOK_EVERY)
            if self._is_over():
                raise Drained()


def is_loop(crashes: Crashes, most: int) -> bool:
    """Whether these are enough, and surely the step's own."""
    return crashes.times >= most and crashes.alone


def max_crashes_of(step: str, policies: Mapping[str, StepPolicy], otherwise: int) -> int:
    """How often the step of this name, or the one it is a branch of, may kill its process."""
    policy = policies.get(step) or policies.get(step.partition("[")[0])
    return (policy and policy.max_crashes) or otherwise


def told(error: CrashLoop, place: Place, ledger: Ledger, logs: Path) -> StepError:
    """The reason as the thread keeps it, with the log that the last attempt left."""
    past = ledger.past(place)
    log = log_path(logs, place.step, past.visit, past.attempts)
    found = next((path for path in (log, logs / OUTPUT) if path.exists()), None)
    return StepError(
        step=place.step,
        type=type(error).__name__,
        message=error.message,
        attempt=past.attempts,
        log=None if found is None else str(found),
    )
