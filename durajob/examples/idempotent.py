"""``idempotent``: a request is processed once, however often it is sent.

Three things see to it. The thread is named after the request, so that sending it again finds
the thread and does nothing. The effect, a line in a file, is done through ``once``: a step that
is run again is given the receipt that was recorded. And the effect looks first whether it was
done, by the request's id: between a line in a file and its record there is an instant at which
a crash leaves a doubt, and only the other side can resolve it.

Inputs:
    request_id: which request; it must do as part of a thread id.
    ledger: the file that gets one line a request (one in the folder for temporary files).
    fail: fail right after the effect, as a crash would.
    until: a file; once it exists, ``fail`` fails no more.

In the state, ``receipt`` is the number of the request's line, the same however often it is sent.
"""

from __future__ import annotations

import fcntl
import json
import os
from typing import TypedDict

from durajob import Workflow, once
from durajob.examples.inputs import fail_on_demand, flag, own_file, text


class Request(TypedDict, total=False):
    request_id: str
    ledger: str
    fail: bool
    until: str
    receipt: int
    log: list[str]


workflow = Workflow("idempotent", Request, description="a request processed once, however often")


@workflow.step
def check(state: Request) -> Request:
    if text(state, "request_id") is None:
        raise ValueError("the input 'request_id' is missing")
    # A relative path is fixed here, once, whatever folder a later process works in.
    return {"ledger": os.path.abspath(text(state, "ledger") or own_file("requests.ledger"))}


@workflow.step
def process(state: Request) -> Request:
    receipt = once("enter", lambda: enter_once(state["ledger"], str(state["request_id"])))
    fail_on_demand(state, here=flag(state, "fail"))
    return {"receipt": receipt}


@workflow.step
def answer(state: Request) -> Request:
    return {"log": [f"request {state['request_id']} has receipt {state['receipt']}"]}


def enter_once(path: str, request_id: str) -> int:
    """The number of the line of this request in the file, which is added if it is not there."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # looking and adding are one; closing unlocks
        whole = file.read()
        lines = whole.splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            # A crash in the middle of a write: that request was never entered.
            file.truncate(len(whole) - len(lines.pop()))
        line = json.dumps({"request_id": request_id}).encode() + b"\n"
        if line not in lines:
            lines.append(line)
            file.seek(0, os.SEEK_END)
            file.write(line)
            file.flush()
        os.fsync(file.fileno())  # also when found: the process that wrote it may not have come here
        return lines.index(line) + 1
