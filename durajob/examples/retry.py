"""``retry``: a call that fails at random, tried again with exponential backoff.

Only what is named under ``on`` is tried again: a wrong input fails at once. The number of the
attempt is kept with the thread, so a job killed at attempt 2 of 5 goes on with 3 of 5. When the
last attempt fails, the thread has failed, and keeps that error.

Inputs:
    failure_rate: the share of calls that fail, 0 to 1 (0.5).
    seed: makes the calls of one process fail in the same order each time.
"""

from __future__ import annotations

import random
from functools import cache
from typing import TypedDict

from durajob import Workflow
from durajob.examples.inputs import number, text


class Call(TypedDict, total=False):
    failure_rate: float
    seed: str
    answer: str
    log: list[str]


workflow = Workflow("retry", Call, description="a call that fails at random, with backoff")


@workflow.step(
    retry={"attempts": 5, "on": ConnectionError, "wait": "100ms", "factor": 2, "max_wait": "5s"}
)
def call(state: Call) -> Call:
    failure_rate = number(state, "failure_rate", 0.5, most=1)
    if _generator(text(state, "seed")).random() < failure_rate:
        raise ConnectionError("the service did not answer")
    return {"answer": "42"}


@workflow.step
def report(state: Call) -> Call:
    return {"log": [f"the service answered {state['answer']}"]}


@cache
def _generator(seed: str | None) -> random.Random:
    return random.Random(seed)
