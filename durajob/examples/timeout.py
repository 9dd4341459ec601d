"""``timeout``: a step that outlives its limit.

A thread of Python cannot be ended from outside, a process can. So a step with a timeout runs in
a process of its own, which is killed at the limit with all that it started; the step fails with
a TimeoutError that names the limit.

Inputs:
    seconds: how long the work takes (5).
    limit: how many seconds it may take (1).
"""

from __future__ import annotations

import time
from typing import TypedDict

from durajob import Workflow
from durajob.examples.inputs import number


class Limited(TypedDict, total=False):
    seconds: float
    limit: float
    log: list[str]


workflow = Workflow("timeout", Limited, description="a step that outlives its limit is killed")


def limit(state: Limited) -> float:
    """The timeout of the work, from the input: a plain "30s" will mostly do."""
    return number(state, "limit", 1, least=0.001)


@workflow.step(timeout=limit)
def work(state: Limited) -> Limited:
    time.sleep(number(state, "seconds", 5))
    return {"log": [f"the work took less than its limit of {limit(state):g} s"]}


@workflow.step
def report(state: Limited) -> Limited:
    return {"log": [*state["log"], "done"]}
