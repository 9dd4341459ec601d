"""Several threads driven at once, each in a process of its own, until all have ended.

A thread has its own folder, interpreter and PATH, and its steps may bring their process down:
so each is resumed by ``durajob resume`` in a session of its own, and whatever becomes of it
is no trouble to the others. That only one process drives a thread, however many do this at
once, is held by the thread's lock, and by ``--if-epoch``: one that another process has driven
meanwhile, to wherever, is left alone.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import IO, NamedTuple

from durajob import clock
from durajob.commands import running
from durajob.commands.detach import command_line
from durajob.config.settings import Settings
from durajob.engine.signals import Drain, before_abort, watch
from durajob.errors import DurajobError
from durajob.model import ErrorInfo, Thread
from durajob.recovery import Recovered
from durajob.store.files import lock_path, log_folder, open_log
from durajob.store.locks import LockFile
from durajob.store.read import Reader

_LOOK_EVERY = 1_000  # milliseconds between two looks at children, should the kernel say nothing
_MORE_EVERY = 2.0  # seconds between two looks for more threads
_ENDED = ("completed", "cancelled", "failed")
_LONGEST_ANSWER = 1_000_000
"""Bytes of a child's envelope that are read: its error stands there, but its state, too."""


def drive_each(
    threads: Sequence[Thread],
    *,
    settings: Settings,
    most: int,
    report: Callable[[Recovered], None],
    more: Callable[[], Sequence[Thread]] | None = None,
) -> tuple[tuple[Recovered, ...], str | None]:
    """Resume the threads in order, ``most`` at once; what became of them, in order of ending.

    ``more`` is asked for further ones whenever there is room for them, until it has none and
    all have ended.

    The second value is the signal that asked to stop, if one did: those that had begun were
    asked, too, and have ended; the others were left alone. A second signal ends this process at
    once, and asks them again.
    """
    drain = Drain()
    fleet = _Fleet(settings, drain, report, more)
    # Not the signal that others are sent, too, when the machine goes down: a second one of that
    # would end them at once. SIGHUP never does.
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    gently = signal.SIGTERM if ignored else signal.SIGHUP
    # Two of them, and different: the second signal may come while the first is being passed on,
    # which then never is, and two equal ones may arrive as one.
    again = partial(fleet.ask_to_stop, signal.SIGTERM, signal.SIGINT)
    with watch(drain):
        drain.on_request(lambda reason: fleet.ask_to_stop(gently))
        before_abort.append(again)
        try:
            fleet.run(deque(threads), most)
        finally:
            fleet.close()
            before_abort.remove(again)
    return tuple(fleet.outcomes), drain.reason


class _Child(NamedTuple):
    thread: Thread
    row: int
    process: subprocess.Popen[bytes]
    answer: IO[bytes]


class _Fleet:
    def __init__(
        self,
        settings: Settings,
        drain: Drain,
        report: Callable[[Recovered], None],
        more: Callable[[], Sequence[Thread]] | None,
    ) -> None:
        self.outcomes: list[Recovered] = []
        self._settings = settings
        self._drain = drain
        self._report = report
        self._more = more or _nothing
        self._looked = 0.0
        self._children: dict[int, _Child] = {}  # by a descriptor that tells of its end
        self._poll = select.poll()
        self._locks = LockFile(lock_path(settings.store.path), create=True)

    def close(self) -> None:
        """Let go of the lock file."""
        self._locks.close()

    def run(self, waiting: deque[Thread], most: int) -> None:
        while True:
            while waiting and len(self._children) < most and not self._drain.requested:
                self._begin(waiting.popleft())
            if not waiting and len(self._children) < most and self._is_to_look():
                waiting.extend(self._more())
                if waiting:
                    continue
            if not self._children:
                if self._drain.requested or not waiting:
                    return
                continue
            for handle, _ in self._poll.poll(_LOOK_EVERY):
                self._end(handle)

    def _is_to_look(self) -> bool:
        """Whether to ask for more: when there is nothing else to do, when one has ended, and
        every now and then."""
        if self._more is _nothing or self._drain.requested:
            return False
        now = clock.monotonic()
        if self._children and now - self._looked < _MORE_EVERY:
            return False
        self._looked = now
        return True

    def ask_to_stop(self, *numbers: signal.Signals) -> None:
        """Tell every child; called from a signal handler."""
        for child in list(self._children.values()):
            for number in numbers:
                child.process.send_signal(number)

    def _begin(self, thread: Thread) -> None:
        row = self._take(thread)
        if row is None:
            return
        command = [
            *command_line(self._settings),
            *("resume", "--json", "--quiet", "--on-busy", "skip"),
            *("--if-epoch", str(thread.epoch), "--", thread.thread),
        ]
        try:
            answer = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the child has ended
            with open_log(log_folder(self._settings.store.path) / "detached.log") as log:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=answer,
                    stderr=log,
                    start_new_session=True,
                )
            handle = os.pidfd_open(process.pid)
        except OSError as error:
            message = f"thread {thread.thread} could not be resumed: {error.strerror}"
            info = ErrorInfo(code="storage", message=message, hint="durajob recover")
            self._tell(Recovered(thread=thread, exit_status=74, error=info))
            self._locks.end_recovery(row)
            return
        self._poll.register(handle, select.POLLIN)
        was_asked = self._drain.requested
        self._children[handle] = _Child(thread=thread, row=row, process=process, answer=answer)
        if was_asked:  # while this one was being started, and so it was not told
            process.terminate()

    def _take(self, thread: Thread) -> int | None:
        """The row of a thread to be resumed from here; None, and told, where another process
        has it, or had it. The child would find out, too, but only after a second of work."""
        try:
            with Reader(self._settings.store.path, known_before=True) as reader:
                row = reader.row(thread.thread)
                if row is not None and self._locks.try_recovery(row["id"]):
                    row = reader.row(thread.thread) or row
                    if row["epoch"] == thread.epoch and row["status"] not in _ENDED:
                        return int(row["id"])
                    self._locks.end_recovery(row["id"])
                now = reader.find(thread.thread) or thread
        except DurajobError as trouble:
            error = ErrorInfo(code=trouble.code, message=trouble.message, hint=trouble.hint)
            self._tell(Recovered(thread=thread, exit_status=trouble.exit_status, error=error))
            return None
        self._tell(Recovered(thread=now, exit_status=0, error=None))
        return None

    def _end(self, handle: int) -> None:
        self._looked = 0.0
        child = self._children.pop(handle)
        self._poll.unregister(handle)
        os.close(handle)
        code = child.process.wait()
        with child.answer as answer:
            answer.seek(0)
            text = answer.read(_LONGEST_ANSWER)
        self._tell(self._outcome(child.thread, code, text))
        self._locks.end_recovery(child.row)

    def _tell(self, outcome: Recovered) -> None:
        self.outcomes.append(outcome)
        self._report(outcome)

    def _outcome(self, thread: Thread, code: int, answer: bytes) -> Recovered:
        name = thread.thread
        try:
            with Reader(self._settings.store.path, known_before=True) as reader:
                thread = reader.find(name) or thread
            if code == 0:
                return Recovered(thread=thread, exit_status=0, error=None)
            error = _killed(name, -code) if code < 0 else _error(answer)
            if error is None:
                error = running.shown(name, self._settings, known_before=True).error
        except DurajobError as trouble:
            error = ErrorInfo(code=trouble.code, message=trouble.message, hint=trouble.hint)
        if error is None:
            message = f"the process that resumed thread {name} ended with exit status {code}"
            error = ErrorInfo(code="internal", message=message, hint=f"durajob status {name}")
        return Recovered(thread=thread, exit_status=code if code >= 0 else 128 - code, error=error)


def _nothing() -> Sequence[Thread]:
    return ()


def _killed(thread: str, number: int) -> ErrorInfo:
    try:
        said = signal.Signals(number).name
    except ValueError:
        said = f"signal {number}"
    return ErrorInfo(
        code="interrupted",
        message=f"the process that drove thread {thread} was killed ({said})",
        hint=f"durajob resume {thread}",
    )


def _error(answer: bytes) -> ErrorInfo | None:
    """The error in a child's envelope; None where that is too long, or no envelope."""
    try:
        return ErrorInfo(**json.loads(answer)["error"])
    except (ValueError, TypeError, KeyError):
        return None
