"""Carries events from the threads that drive a job to the one that draws.

``notify`` only appends to a queue: it never waits, never raises. A daemon thread does all the
drawing, and its errors end the drawing, never the job. When a reader hangs, the queue fills;
what is only nice to see is dropped first.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from durajob.events import Event, StepPrinted, StepProgressed

MANY = 10_000
"""Events waiting, from which on progress and printed lines are dropped."""

TOO_MANY = 100_000
"""Events waiting, from which on all are dropped: nobody has been reading for long."""


class Painter(Protocol):
    """Draws; called from one thread only."""

    def take(self, event: Event, /) -> None:
        """Learn of an event."""

    def refresh(self) -> None:
        """Bring what is shown up to date; called a few times a second."""

    def finish(self) -> None:
        """Draw the end; nothing comes after."""


class Pump:
    """An observer that hands events to a painter in a thread of its own."""

    def __init__(self, painter: Callable[[], Painter], *, interval: float = 0.1) -> None:
        self._make = painter
        self._interval = interval
        self._queue: deque[Event] = deque()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="durajob-view", daemon=True)
        self._thread.start()

    def notify(self, event: Event, /) -> None:
        """Queue the event, unless too many wait already."""
        waiting = len(self._queue)
        if waiting >= TOO_MANY:
            return
        if waiting >= MANY and isinstance(event, (StepPrinted, StepProgressed)):
            return
        self._queue.append(event)

    def close(self, timeout: float = 2.0) -> bool:
        """Draw what still waits; False when that took longer than ``timeout`` seconds."""
        self._closing.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._draw(self._make())
        except Exception:  # a view that breaks must not reach the job, whatever broke it
            self._queue = deque(maxlen=0)

    def _draw(self, painter: Painter) -> None:
        while True:
            last = self._closing.wait(self._interval)
            while self._queue:
                painter.take(self._queue.popleft())
            if last:
                painter.finish()
                return
            painter.refresh()
