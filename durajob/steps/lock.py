"""Locks and pools: of all the threads of a store, so many at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from durajob.durations import to_seconds
from durajob.errors import StepFault
from durajob.policies import LOCK_NAME_RULE, MAX_HOLDERS, is_lock_name
from durajob.steps.context import current


class LockTimeout(TimeoutError):
    """A lock could not be had within ``wait``."""


@contextmanager
def lock(name: str, *, limit: int = 1, wait: str | float | None = None) -> Iterator[None]:
    """Hold a lock while the block runs.

    It holds among all threads and processes of the store, first come, first served. The
    kernel opens it when its holder dies. Outside of a running step it holds within the
    process, so that the function can be tested alone.

    Args:
        name: what the lock is called; 1 to 500 printable characters.
        limit: so many may hold it at once, 1 to 1000. Where callers say different limits,
            each gets in when fewer than its own hold it.
        wait: a duration ("30s") or seconds; 0 does not wait. None: as long as it takes.

    Raises:
        LockTimeout: when ``wait`` is over; it says who holds the lock.
        StepFault: when this step holds it already: it would wait for itself.
        ValueError: when an argument breaks its rule.
    """
    seconds = _check(name, limit, wait)
    mine = _mine.get()
    if name in mine:
        raise StepFault(
            f"lock {name!r} is asked for while it is held: the step would wait for itself",
            hint="take it once, around both",
        )
    context = current.get()
    if context is None:
        pool = _alone.setdefault(name, _Pool())
        pool.enter(name, limit, seconds)
    else:
        number = context.take_lock(name, limit, seconds)
    token = _mine.set(mine | {name})
    try:
        yield
    finally:
        _mine.reset(token)
        if context is None:
            pool.leave()
        else:
            context.release_lock(number)


def _check(name: object, limit: object, wait: object) -> float | None:
    if not is_lock_name(name):
        raise ValueError(f"lock: {name!r} is no name: {LOCK_NAME_RULE}")
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_HOLDERS:
        raise ValueError(f"lock: limit is {limit!r}, not a whole number from 1 to {MAX_HOLDERS}")
    try:
        return None if wait is None else to_seconds(wait, least=0)
    except ValueError as error:
        raise ValueError(f"lock: wait: {error}") from error


_mine: ContextVar[frozenset[str]] = ContextVar("durajob_locks", default=frozenset())


class _Pool:
    """A lock within this process, for steps that run outside of durajob."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._held = 0

    def enter(self, name: str, limit: int, wait: float | None) -> None:
        turn, end = object(), None if wait is None else time.monotonic() + wait
        with self._changed:
            self._queue.append(turn)
            try:
                while self._queue[0] is not turn or self._held >= limit:
                    left = None if end is None else end - time.monotonic()
                    if left is not None and left <= 0:
                        raise LockTimeout(f"lock {name!r} could not be had within {wait:g} s")
                    self._changed.wait(left)
                self._held += 1
            finally:
                self._queue.remove(turn)
                self._changed.notify_all()

    def leave(self) -> None:
        with self._changed:
            self._held -= 1
            self._changed.notify_all()


_alone: dict[str, _Pool] = {}
