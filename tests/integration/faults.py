"""Faults that a forked durajob is given before it begins (FAULTS names them)."""

from __future__ import annotations

import os
import signal
import time
from types import SimpleNamespace
from typing import Any


def die_before_checkpoint() -> None:
    """Kill the process when it is about to store its COUNT-th checkpoint."""
    from durajob.store.saver import Saver

    store, left = Saver.put, [int(os.environ["COUNT"])]

    def put(self: Saver, *args: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return store(self, *args)

    setattr(Saver, "put", put)  # noqa: B010 - that is the fault


def set_clock() -> None:
    """Let the wall clock be OFFSET seconds off."""
    offset, true = int(os.environ["OFFSET"]), time.time_ns
    time.time_ns = lambda: true() + offset * 1_000_000_000
    time.time = lambda: time.time_ns() / 1e9


def run_out() -> None:
    """Let the time of the run be over as soon as the file EFFECTS.over is there."""
    from durajob import clock
    from durajob.engine import drive

    def monotonic() -> float:
        over = os.path.exists(f"{os.environ['EFFECTS']}.over")
        return clock.monotonic() + (86400 if over else 0)

    own = SimpleNamespace(now=clock.now, monotonic=monotonic)
    setattr(drive, "clock", own)  # noqa: B010 - that is the fault


def set_clock_to() -> None:
    """Let the wall clock begin at CLOCK, in seconds since the epoch."""
    offset, true = int(os.environ["CLOCK"]) * 1_000_000_000 - time.time_ns(), time.time_ns
    time.time_ns = lambda: true() + offset
    time.time = lambda: time.time_ns() / 1e9


def drive_nothing() -> None:
    """Let a tick find out what is due, and begin none of it."""
    from durajob.commands import conductor

    setattr(conductor, "begin_conductor", lambda settings: 0)  # noqa: B010 - that is the fault


def die_before_slots() -> None:
    """Kill the process when the first slots are written but not committed."""
    _die_with_slots(committed=False)


def die_after_slots() -> None:
    """Kill the process when the first slots are committed."""
    _die_with_slots(committed=True)


def _die_with_slots(*, committed: bool) -> None:
    from durajob.store.write import Writer

    together = Writer.together

    def and_die(self: Writer, operation: Any) -> Any:
        def run(cursor: Any) -> Any:
            value = operation(cursor)
            found.extend(cursor.execute("SELECT id FROM slots").fetchall())
            if found and not committed:
                os.kill(os.getpid(), signal.SIGKILL)
            return value

        found: list[Any] = []
        value = together(self, run)
        if found:
            os.kill(os.getpid(), signal.SIGKILL)
        return value

    setattr(Writer, "together", and_die)  # noqa: B010 - that is the fault


def sleep_elsewhere() -> None:
    """Let no sleep but the shortest be waited for in the process."""
    from durajob.engine import waits

    setattr(waits, "SHORT_SLEEP", 0.1)  # noqa: B010 - that is the fault


def enter_mounts() -> None:
    """Move into the mount namespace of the process MOUNTS (tests/mounts.py)."""
    import ctypes

    folder = os.getcwd()
    namespace = os.open(f"/proc/{os.environ['MOUNTS']}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(namespace, 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(namespace)
    os.chdir(folder)


def no_umask() -> None:
    """Let nobody but durajob itself restrict the modes of what it makes."""
    os.umask(0)


def be_elsewhere() -> None:
    """See the store as another machine would on a network file system whose locks hold on one
    machine only: neither the locks nor the processes of this one."""
    from durajob.store import processes
    from durajob.store.locks import LockFile

    here = os.uname()
    there = os.uname_result((here.sysname, "elsewhere", here.release, here.version, here.machine))
    os.uname = lambda: there
    processes.boot_id = lambda: "elsewhere"
    lock = LockFile._lock

    def lock_there(self: LockFile, *args: Any) -> Any:
        own = LockFile.__new__(LockFile)
        own.fd = _THERE.setdefault(
            self.fd, os.open(f"{self.path}.elsewhere", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        )
        return lock(own, *args)

    setattr(LockFile, "_lock", lock_there)  # noqa: B010 - that is the fault


_THERE: dict[int, int] = {}
"""For each open lock file, the one that is locked instead."""


def fill_disk() -> None:
    """Let there be no room for what a step returns."""
    from durajob.errors import DiskFull
    from durajob.store.ledger import Ledger

    def succeed(self: Ledger, *args: Any, **options: Any) -> float:
        raise DiskFull("the disk is full")

    setattr(Ledger, "succeed", succeed)  # noqa: B010 - that is the fault


def die_before_claim() -> None:
    """Kill the process when it is about to claim the thread that it has admitted."""
    from durajob.store.write import Writer

    setattr(Writer, "claim", lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))  # noqa: B010


def die_when_answered() -> None:
    """Kill the process when an answer has just been recorded."""
    from durajob.store.write import Writer

    answer = Writer.answer

    def record(self: Writer, *args: Any, **kwargs: Any) -> Any:
        answer(self, *args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(Writer, "answer", record)  # noqa: B010 - that is the fault


def die_after_compensating() -> None:
    """Kill the process when the COUNT-th commit of its compensating has returned."""
    from durajob.store.ledger import Ledger

    left = [int(os.environ["COUNT"])]

    def dying(name: str) -> None:
        commit = getattr(Ledger, name)

        def call(self: Ledger, *args: Any, **kwargs: Any) -> Any:
            value = commit(self, *args, **kwargs)
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return value

        setattr(Ledger, name, call)

    for name in ("begin_compensating", "settle", "finish"):
        dying(name)


def die_after_wish() -> None:
    """Kill the process when it has just noted that a thread is to be cancelled."""
    from durajob.store.write import Writer

    wish = Writer.wish_cancelled

    def wish_cancelled(self: Writer, row: int, *, reason: str | None) -> None:
        wish(self, row, reason=reason)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(Writer, "wish_cancelled", wish_cancelled)  # noqa: B010 - that is the fault


def fence_nothing() -> None:
    """Let a write ask for no epoch (tests/faults/mutants.py)."""
    from tests.faults import mutants

    mutants.fence_nothing()


def die_before_transaction() -> None:
    """Kill the process when it is about to commit what a person does by hand."""
    from durajob.store.write import Writer

    def intervene(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(Writer, "_intervene", intervene)  # noqa: B010 - that is the fault


def die_after_transaction() -> None:
    """Kill the process when its first commit has returned."""
    from durajob.store.write import Writer

    transact = Writer._transact

    def commit(self: Writer, operation: Any) -> Any:
        transact(self, operation)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(Writer, "_transact", commit)  # noqa: B010 - that is the fault
