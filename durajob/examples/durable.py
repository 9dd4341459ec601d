"""``durable``: three tasks in a row, the smallest job worth killing.

Start it, kill it while B runs, and resume it: A is not run again.

    durajob start durable -t first
    durajob resume first

Inputs:
    seconds: how long each task takes (2).
    fail_at: A, B or C: the task that fails.
    until: a file; once it exists, ``fail_at`` fails no more.

In the state, ``progress`` goes to 33, 66 and 100, and ``log`` says which tasks have finished.
"""

from __future__ import annotations

import operator
import time
from typing import Annotated, TypedDict

from durajob import Workflow, progress
from durajob.examples.inputs import fail_on_demand, number, text


class Durable(TypedDict, total=False):
    seconds: float
    fail_at: str
    until: str
    progress: int
    log: Annotated[list[str], operator.add]


workflow = Workflow("durable", Durable, description="three tasks in a row: kill it, resume it")


@workflow.step(name="A")
def task_a(state: Durable) -> Durable:
    return _task(state, "A", 33)


@workflow.step(name="B")
def task_b(state: Durable) -> Durable:
    return _task(state, "B", 66)


@workflow.step(name="C")
def task_c(state: Durable) -> Durable:
    return _task(state, "C", 100)


def _task(state: Durable, name: str, percent: int) -> Durable:
    fail_at = text(state, "fail_at", choices=("A", "B", "C"))
    seconds = number(state, "seconds", 2)
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        progress(passed, seconds, "working")
        time.sleep(min(0.1, seconds - passed))
    fail_on_demand(state, here=fail_at == name)
    return {"progress": percent, "log": [name]}
