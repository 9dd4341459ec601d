"""``locked``: steps of several threads that must not overlap.

The kernel holds the lock: whatever ends the process, even ``kill -9``, opens it again, so there
is no stale lock to clear away. It holds among all threads of the store.

Inputs:
    lock: what to lock, a path; nothing need be there (one in the folder for temporary files).
    record: a file that gets a line when the locked part is entered and one when it is left.
    label: what this thread is called in the record (its process id).
    seconds: how long the locked part takes (1).
    patience: how many seconds to wait for the lock (60); then the step fails.
    fail: fail inside the locked part.
    until: a file; once it exists, ``fail`` fails no more.
"""

from __future__ import annotations

import json
import os
import time
from typing import TypedDict

from durajob import Workflow, lock
from durajob.examples.inputs import fail_on_demand, flag, number, own_file, text


class Locked(TypedDict, total=False):
    lock: str
    record: str
    label: str
    seconds: float
    patience: float
    fail: bool
    until: str
    log: list[str]


workflow = Workflow("locked", Locked, description="steps of several threads that never overlap")


@workflow.step
def prepare(state: Locked) -> Locked:
    # Relative paths are fixed here, once, whatever folder a later process works in.
    fixed: Locked = {"lock": os.path.abspath(text(state, "lock") or own_file("locked.lock"))}
    if record := text(state, "record"):
        fixed["record"] = os.path.abspath(record)
    return fixed


@workflow.step
def critical(state: Locked) -> Locked:
    seconds = number(state, "seconds", 1)
    with lock(state["lock"], wait=number(state, "patience", 60)):
        _note(state, "enter")
        try:
            time.sleep(seconds)
            fail_on_demand(state, here=flag(state, "fail"))
        finally:
            _note(state, "leave")
    return {"log": [f"held the lock for {seconds:g} s"]}


@workflow.step
def report(state: Locked) -> Locked:
    return {"log": [*state["log"], "done"]}


def _note(state: Locked, event: str) -> None:
    if "record" not in state:
        return
    label = text(state, "label") or str(os.getpid())
    # The monotonic clock is one for the whole machine, so lines of several processes compare.
    line = json.dumps({"event": event, "label": label, "at_ns": time.monotonic_ns()}) + "\n"
    descriptor = os.open(state["record"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
