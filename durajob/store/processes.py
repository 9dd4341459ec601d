"""Which process an owner was: a process id alone is given to another soon enough."""

from __future__ import annotations

import os
from collections.abc import Mapping
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
    if owner is None:
        return f"thread {thread} is held by a program that an earlier owner left behind"
    since = clock.to_rfc3339(owner["since"])
    return f"thread {thread} is driven by process {owner['pid']} on {owner['host']} since {since}"


def is_alive(owner: Mapping[str, Any]) -> bool:
    """Whether just that process still lives, on this machine, since this boot."""
    if owner["host"] != os.uname().nodename or owner["boot"] != boot_id():
        return False
    return owner["started"] is not None and _start_time(owner["pid"]) == owner["started"]


def still_drives(status: str, owner: Mapping[str, Any]) -> bool:
    """Whether the owner of a thread whose lock nobody holds lives on all the same: its lock
    file was removed under it, and whoever takes the thread now would be a second owner."""
    return status == "running" and owner["pid"] != os.getpid() and is_alive(owner)


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
