"""Which process an owner was: a process id alone is given to another soon enough."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from durajob import clock


def describe_self(now: int) -> dict[str, Any]:
    """This process, as it is kept in the row of a thread that it owns."""
    return {
        "host": os.uname().nodename,
        "pid": os.getpid(),
        "started": _start_time(os.getpid()),
        "boot": boot_id(),
        "since": now,
    }


def owner_sentence(thread: str, owner: Mapping[str, Any] | None) -> str:
    """Who holds a thread, for people; ``owner`` is what its row says."""
    if owner is None or is_gone(owner):
        return f"thread {thread} is just being claimed by another process"
    since = clock.to_rfc3339(owner["since"])
    return f"thread {thread} is driven by process {owner['pid']} on {owner['host']} since {since}"


def is_alive(owner: Mapping[str, Any]) -> bool:
    """Whether just that process still lives, on this machine, since this boot."""
    if owner["host"] != os.uname().nodename or owner["boot"] != boot_id():
        return False
    return owner["started"] is not None and _start_time(owner["pid"]) == owner["started"]


def is_gone(owner: Mapping[str, Any]) -> bool:
    """Whether the process was one of this machine and this boot, and lives no more."""
    here = owner["host"] == os.uname().nodename and owner["boot"] == boot_id()
    return here and not is_alive(owner)


def drives(owner: Mapping[str, Any], files: Iterable[str | Path]) -> bool:
    """Whether the owner lives and has one of ``files`` open, a store and its lock file.

    A copy of a store names an owner, too: one that drives the original.
    """
    return is_alive(owner) and _has_open(owner["pid"], files)


def still_drives(status: str, owner: Mapping[str, Any], files: Iterable[str | Path]) -> bool:
    """Whether the owner of a thread whose lock nobody holds lives on all the same: its lock
    file was removed under it, and whoever takes the thread now would be a second owner."""
    return status == "running" and owner["pid"] != os.getpid() and drives(owner, files)


def is_stopped(pid: int) -> bool:
    """Whether a process was stopped (SIGSTOP, Ctrl-Z), and does nothing until it goes on."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"T", b"t")
    except OSError:
        return False


def user_name() -> str:
    """Who runs this process, as the operating system knows them."""
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container may have no name for a number
        return str(os.geteuid())


def boot_id() -> str | None:
    """What the kernel calls this boot."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None


def _start_time(pid: int) -> int | None:
    """When the process began, in clock ticks since boot (proc(5), field 22 of stat)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] == b"Z" else int(fields[19])


def _has_open(pid: int, files: Iterable[str | Path]) -> bool:
    try:
        own = {(status.st_dev, status.st_ino) for status in _present(files)}
        for name in os.listdir(f"/proc/{pid}/fd"):
            with suppress(FileNotFoundError):
                status = os.stat(f"/proc/{pid}/fd/{name}")
                if (status.st_dev, status.st_ino) in own:
                    return True
    except FileNotFoundError:
        return False  # it has just ended
    except PermissionError:
        return True  # what may not be looked at is believed
    return False


def _present(files: Iterable[str | Path]) -> Iterator[os.stat_result]:
    for path in files:
        with suppress(FileNotFoundError):
            yield os.stat(path)


def descendants(pid: int) -> list[int]:
    """The processes that ``pid`` started, and those that these started."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            found.append(child)
            waiting.append(child)
    return found
