"""Driving a thread from the command line: somebody watches, and the end is told."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from durajob import clock
from durajob.cli.session import Session
from durajob.commands.logtail import log_tail
from durajob.engine import signals
from durajob.engine.environment import OtherInterpreter
from durajob.errors import DurajobError
from durajob.model import ThreadResult
from durajob.render.sink import abandon_unwritten
from durajob.supervisor import Supervisor

if TYPE_CHECKING:
    from durajob.events import Event, Observer
    from durajob.render.pump import Painter, Pump


def drive(session: Session, call: Callable[[Observer], ThreadResult]) -> NoReturn:
    """Run ``call`` with an observer that suits the terminal, and end the process.

    All that matters is in the store by then. The interpreter is not wound down: that takes
    longer than a short job, and a step that was abandoned would hold it up for ever.
    """
    supervisor = Supervisor.asked_for(os.environ)
    if supervisor is not None:
        supervisor.begin()
    try:
        status = _drive(session, call, supervisor)
    except OtherInterpreter as error:
        if supervisor is not None:
            supervisor.give_back(os.environ)
        status = _hand_over(session, error)
    except DurajobError as error:
        status = session.refused(error)
    abandon_unwritten()
    os._exit(status)


def _hand_over(session: Session, error: OtherInterpreter) -> int:
    """Run the same command line with the interpreter that the thread was started with."""
    if os.environ.get(_HANDED_OVER) == error.executable or not _has_durajob(error.executable):
        return session.refused(error)
    os.environ[_HANDED_OVER] = error.executable
    abandon_unwritten()
    try:
        os.execv(error.executable, [error.executable, "-P", "-m", "durajob", *sys.argv[1:]])
    except OSError:
        return session.refused(error)


def _has_durajob(executable: str) -> bool:
    """Whether that interpreter can run the command; what it says otherwise is its own."""
    import subprocess

    asks = "from importlib.util import find_spec; raise SystemExit(find_spec('durajob') is None)"
    try:
        ended = subprocess.run([executable, "-P", "-c", asks], capture_output=True, check=False)
    except OSError:
        return False
    return ended.returncode == 0


def _drive(
    session: Session, call: Callable[[Observer], ThreadResult], supervisor: Supervisor | None
) -> int:
    watcher = _Watcher(session, supervisor)
    printer = session.printer()

    def abort() -> None:
        watcher.close(0.5)
        printer.interrupted(watcher.thread)

    signals.before_abort.append(abort)
    try:
        result = call(watcher)
        signals.end_with(result.exit_status)
    finally:
        signals.before_abort.remove(abort)
        watcher.close(2.0)
    error = result.thread.error
    tail = log_tail(error) if error is not None and session.quiet and not session.json else ()
    status = printer.driven(result, elapsed=watcher.elapsed(), tail=tail)
    if result.afterwards is not None:
        result.afterwards(printer.warn)
    if supervisor is not None:
        supervisor.end()
    return status


_HANDED_OVER = "DURAJOB_INTERPRETER"
"""Set while the command runs with the thread's interpreter, so that it is handed over once."""


class _Watcher:
    """Passes events on, and remembers which thread was claimed and when."""

    def __init__(self, session: Session, supervisor: Supervisor | None) -> None:
        self.thread: str | None = None
        self._supervisor = supervisor
        self._since: float | None = None
        self._session = session
        self._pump: Pump | None = None

    def notify(self, event: Event, /) -> None:
        """Pass the event on, to a view that is made for the first one."""
        from durajob.events import ThreadClaimed

        if isinstance(event, ThreadClaimed):
            self.thread, self._since = event.thread, clock.monotonic()
        if self._supervisor is not None:
            _tell(self._supervisor, event)
        if self._session.quiet:
            return
        if self._pump is None:
            from durajob.render.pump import Pump

            self._pump = Pump(lambda: _painter(self._session))
        self._pump.notify(event)

    def close(self, timeout: float) -> None:
        """Let the view draw its end, for so many seconds at most."""
        if self._pump is not None:
            self._pump.close(timeout)

    def elapsed(self) -> float | None:
        """Seconds since the thread was claimed; None when it was not."""
        return None if self._since is None else clock.monotonic() - self._since


def _tell(supervisor: Supervisor, event: Event) -> None:
    """What the service manager shows of an event, where it is worth a line."""
    from durajob.events import Notice, StepFailed, StepStarted, ThreadClaimed, ThreadLeft

    head = f"thread {event.thread}: "
    if isinstance(event, ThreadClaimed):
        how = "resumed" if event.resumed else "started"
        supervisor.status(f"{head}{how}", important=True)
    elif isinstance(event, StepStarted):
        attempt = "" if event.attempt == 1 else f", attempt {event.attempt}"
        supervisor.status(f"{head}step {event.step}{attempt}")
    elif isinstance(event, StepFailed):
        supervisor.status(f"{head}step {event.step} failed: {event.error.type}", important=True)
    elif isinstance(event, Notice):
        supervisor.status(f"{head}{event.text}", important=True)
    elif isinstance(event, ThreadLeft):
        supervisor.status(f"{head}{event.status.value}", important=True)


def _painter(session: Session) -> Painter:
    """Made in the thread that draws, so that a job does not wait for Rich to be imported."""
    if session.wants_live_view():
        from durajob.render.live import Live

        return Live(session.err, color=session.live_color())
    from durajob.render.lines import Lines

    return Lines(session.err)
