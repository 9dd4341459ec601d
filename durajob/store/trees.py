"""All that a program has started: found and ended, whatever session it went to.

A program is known by its session, by its descent, and by a mark in its environment, which those
have, too, whose parents are gone.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

_LOOK_EVERY = 0.02
_PATIENCE = 3.0  # seconds until a killed process is left to the kernel, which holds it up

MARK = "DURAJOB_PROCESS"
"""The variable that marks the programs of one command."""


def end_tree(root: int, mark: str, grace: float) -> None:
    """Ask a program and all that it has started to end, and kill what is left after ``grace``."""
    for pid in members(root, mark):
        _signal(pid, signal.SIGTERM)
        _signal(pid, signal.SIGCONT)  # one that is stopped would not hear of it
    end = time.monotonic() + grace
    while time.monotonic() < end:
        if not members(root, mark):
            return
        time.sleep(_LOOK_EVERY)
    kill_tree(root, mark)


def kill_tree(root: int, mark: str) -> None:
    """Kill a program and all that it has started. What is stopped forks no more."""
    stopped: set[int] = set()
    while fresh := members(root, mark) - stopped:
        for pid in fresh:
            _signal(pid, signal.SIGSTOP)
        stopped |= fresh
    for pid in stopped:
        _signal(pid, signal.SIGKILL)
    end = time.monotonic() + _PATIENCE
    while members(root, mark) and time.monotonic() < end:
        time.sleep(_LOOK_EVERY)


def members(root: int, mark: str) -> set[int]:
    """The live processes of a program: ``root`` is the leader of its session."""
    wanted = f"{MARK}={mark}".encode()
    children: dict[int, list[int]] = {}
    found: set[int] = set()
    dead: set[int] = set()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                state, parent, _, session = file.read().rpartition(b")")[2].split()[:4]
        except OSError:
            continue
        pid = int(name)
        children.setdefault(int(parent), []).append(pid)
        if state in (b"Z", b"X"):
            dead.add(pid)
        elif int(session) == root or wanted in _environment(name):
            found.add(pid)
    waiting = [root, *found]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found - dead


def is_of_a_step(pid: int) -> bool:
    """Whether a process is, or comes from, a command of a step."""
    return any(each.startswith(f"{MARK}=".encode()) for each in _environment(str(pid)))


def _environment(pid: str) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
