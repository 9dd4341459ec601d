"""What Linux offers for keeping processes together, and for ending all of them."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

_SET_PDEATHSIG = 1
_SET_NAME = 15
_SET_CHILD_SUBREAPER = 36
_PATIENCE = 3.0  # seconds until a killed process is left to the kernel, which holds it up


def name_process(name: str) -> None:
    """What ``ps`` and ``top`` call this process; 15 characters."""
    _prctl(_SET_NAME, name.encode())


def adopt_orphans() -> None:
    """Become the parent of whatever descendant loses its own: none can slip away."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def die_with_parent(yes: bool) -> None:
    """Have the kernel kill this process when the thread that forked it ends, or no longer."""
    _prctl(_SET_PDEATHSIG, signal.SIGKILL if yes else 0)


def end_tree(root: int) -> None:
    """Kill a process that adopts orphans, and everything below it, whatever its session.

    First all are stopped, since what is stopped forks no more; when a look finds nobody who
    still runs, they are killed.
    """
    with suppress(ProcessLookupError):
        os.kill(root, signal.SIGSTOP)
    stopped = {root}
    while running := below([root]) - stopped:
        for pid in running:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGSTOP)
        stopped |= running
    for pid in stopped:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + _PATIENCE
    while any(map(_lives, stopped)) and time.monotonic() < end:
        time.sleep(0.001)


def below(roots: Iterable[int]) -> set[int]:
    """The live descendants of some processes."""
    children: dict[int, list[int]] = {}
    dead = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := _stat(int(entry))) is not None:
            state, parent = stat
            children.setdefault(parent, []).append(int(entry))
            if state in "ZX":
                dead.add(int(entry))
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        each = children.get(waiting.pop(), ())
        waiting += each
        found.update(each)
    return found - dead


def _lives(pid: int) -> bool:
    stat = _stat(pid)
    return stat is not None and stat[0] not in "ZX"


def _stat(pid: int) -> tuple[str, int] | None:
    """State and parent of a process (proc(5))."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return fields[0].decode(), int(fields[1])


def _prctl(option: int, value: int | bytes) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
