"""Who keeps a thread's lock when its owner is gone: programs that it had started.

A shell command is handed the descriptor of the lock. The kernel tells for each process which
locks its open files hold (proc(5), fdinfo), so what is found here does hold this very thread.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from durajob.errors import Busy
from durajob.store.files import lock_path
from durajob.store.locks import thread_byte
from durajob.store.processes import is_alive, owner_sentence
from durajob.store.trees import is_of_a_step

_SECONDS = 10.0


class Holder(NamedTuple):
    """A process that holds a thread's lock."""

    pid: int
    name: str


def holders(store: Path, row: int) -> list[Holder]:
    """The commands of steps that hold the lock of a thread, and what they have started.

    Whoever has just claimed the thread holds it, too, and is none of them.
    """
    return [each for each in all_holders(store, row) if is_of_a_step(each.pid)]


def all_holders(store: Path, row: int) -> list[Holder]:
    """The processes that hold the lock of a thread, whatever they are, but for this one."""
    try:
        file = os.stat(lock_path(store))
    except FileNotFoundError:
        return []
    own = os.getpid()
    return [
        Holder(pid, _name(pid))
        for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
        if pid != own and _holds(pid, (file.st_dev, file.st_ino), thread_byte(row))
    ]


def held_by(thread: str, store: Path, row: int, owner: Mapping[str, Any] | None) -> Busy:
    """The refusal of a thread whose lock somebody holds; ``owner`` is what its row says."""
    found = [] if owner is not None and is_alive(owner) else holders(store, row)
    if not found:
        hint = f"--on-busy wait waits for it; durajob status {thread} shows it"
        return Busy(owner_sentence(thread, owner), hint=hint)
    hint = f"--on-busy wait waits for its end; durajob resume {thread} --take-over ends it"
    return Busy(_left_behind(thread, found), hint=hint)


def _left_behind(thread: str, found: list[Holder]) -> str:
    told = ", ".join(f"process {each.pid} ({each.name})" for each in found[:3])
    more = f" and {len(found) - 3} more" if found[3:] else ""
    return f"thread {thread} is held by {told}{more}, which its former owner left behind"


def end_holders(thread: str, store: Path, row: int) -> None:
    """Kill every process that holds the lock of a thread whose owner is gone.

    Raises:
        Busy: when one may not be ended, or does not die.
    """
    end = time.monotonic() + _SECONDS
    while found := holders(store, row):
        for each in found:
            try:
                with suppress(ProcessLookupError):
                    os.kill(each.pid, signal.SIGKILL)
            except PermissionError as error:
                raise Busy(
                    f"process {each.pid}, which holds thread {thread}, may not be ended by this "
                    "user",
                    hint="take it over as the user who started it",
                ) from error
        if time.monotonic() > end:
            raise Busy(
                f"process {found[0].pid}, which holds thread {thread}, does not die",
                hint="it hangs in the kernel, on a disk or network that does not answer",
            )
        time.sleep(0.01)


def _holds(pid: int, file: tuple[int, int], byte: int) -> bool:
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError, ValueError):
                status = os.stat(f"/proc/{pid}/fd/{name}")
                if (status.st_dev, status.st_ino) == file and _is_locked(pid, name, byte):
                    return True
    return False


def _is_locked(pid: int, descriptor: str, byte: int) -> bool:
    with open(f"/proc/{pid}/fdinfo/{descriptor}", encoding="ascii") as info:
        for line in info:
            if line.startswith("lock:") and "OFDLCK" in line:
                first, last = line.split()[-2:]
                if int(first) <= byte and (last == "EOF" or byte <= int(last)):
                    return True
    return False


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "?"
