"""Driving a thread from the command line: somebody watches, and the end is told."""

from __future__ import annotations

from collections.abc import Callable

from durajob import clock
from durajob.cli.session import Session
from durajob.engine import signals
from durajob.model import Event, Observer, ThreadClaimed, ThreadResult
from durajob.render.pump import Painter, Pump


def drive(session: Session, call: Callable[[Observer], ThreadResult]) -> int:
    """Run ``call`` with an observer that suits the terminal; the exit status."""
    watcher = _Watcher(None if session.quiet else Pump(lambda: _painter(session)))
    printer = session.printer()

    def abort() -> None:
        watcher.close(0.5)
        printer.interrupted(watcher.thread)

    signals.before_abort.append(abort)
    try:
        result = call(watcher)
    finally:
        signals.before_abort.remove(abort)
        watcher.close(2.0)
    return printer.driven(result, elapsed=watcher.elapsed())


class _Watcher:
    """Passes events on, and remembers which thread was claimed and when."""

    def __init__(self, pump: Pump | None) -> None:
        self.thread: str | None = None
        self._since: float | None = None
        self._pump = pump

    def notify(self, event: Event, /) -> None:
        """Pass the event on."""
        if isinstance(event, ThreadClaimed):
            self.thread, self._since = event.thread, clock.monotonic()
        if self._pump is not None:
            self._pump.notify(event)

    def close(self, timeout: float) -> None:
        """Let the view draw its end, for so many seconds at most."""
        if self._pump is not None:
            self._pump.close(timeout)

    def elapsed(self) -> float | None:
        """Seconds since the thread was claimed; None when it was not."""
        return None if self._since is None else clock.monotonic() - self._since


def _painter(session: Session) -> Painter:
    """Made in the thread that draws, so that a job does not wait for Rich to be imported."""
    if session.wants_live_view():
        from durajob.render.live import Live

        return Live(session.err, color=session.live_color())
    from durajob.render.lines import Lines

    return Lines(session.err)
