"""Being asked to stop: by a signal, by the run's own timeout.

The first SIGINT, SIGTERM or SIGHUP asks: the steps in flight finish, the rest waits for a
resume. A second SIGINT or SIGTERM ends the process at once; the kernel then frees the
thread, which is ``interrupted`` and can be resumed.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

ABORTED = 130
_HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

before_abort: list[Callable[[], None]] = []
"""Called right before a second signal ends the process: restore the terminal here."""


class Drain:
    """A wish to stop, seen by all threads of the process. It is never taken back."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._event = threading.Event()
        self._on_request: list[Callable[[str], None]] = []

    @property
    def requested(self) -> bool:
        """Whether somebody asked."""
        return self.reason is not None

    def request(self, reason: str) -> None:
        """Ask; the first reason stays."""
        if self.reason is None:
            self.reason = reason
            self._event.set()
            for call in self._on_request:
                call(reason)

    def on_request(self, call: Callable[[str], None]) -> None:
        """Have ``call`` told of the wish, at once if it is there already."""
        self._on_request.append(call)
        if self.reason is not None:
            call(self.reason)

    def wait(self, seconds: float) -> bool:
        """Sleep, but no longer than until somebody asks. Whether somebody did."""
        return self._event.wait(seconds)


@contextmanager
def watch(drain: Drain) -> Iterator[None]:
    """Turn signals into wishes while the block runs (in the main thread; else do nothing)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked and number != signal.SIGHUP:
            _abort()
        asked = asked or number != signal.SIGHUP
        drain.request(signal.Signals(number).name)

    before = {number: signal.getsignal(number) for number in _HANDLED}
    for number in _HANDLED:
        # Under nohup, SIGHUP is ignored and stays so.
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, handle)
    try:
        yield
    finally:
        for number in _HANDLED:
            signal.signal(number, before[number])


def end_with(status: int) -> None:
    """From now on a signal ends the process at once, with ``status``: all is in the store, and
    only the telling is left, to a reader who may hang."""
    if threading.current_thread() is not threading.main_thread():
        return

    def handle(number: int, frame: FrameType | None) -> None:
        os._exit(status)

    for number in _HANDLED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)


def _abort() -> None:
    for call in before_abort:
        with suppress(Exception):  # nothing may keep the process from ending now
            call()
    os._exit(ABORTED)
