"""``timeout``: a step that outlives its limit.

A thread of Python cannot be ended from outside, a process can. So the work is a process of its
own, which is killed at the limit, and the step fails with a TimeoutError that names the limit.

Inputs:
    seconds: how long the work takes (5).
    limit: how many seconds it may take (1).
"""

from __future__ import annotations

import subprocess
import sys
from typing import TypedDict

from durajob import Workflow
from durajob.examples.inputs import number


class Limited(TypedDict, total=False):
    seconds: float
    limit: float
    log: list[str]


workflow = Workflow("timeout", Limited, description="a step that outlives its limit is killed")


@workflow.step
def work(state: Limited) -> Limited:
    seconds = number(state, "seconds", 5)
    limit = number(state, "limit", 1, least=0.001)
    command = [sys.executable, "-I", "-S", "-c", f"import time; time.sleep({seconds})"]
    try:
        subprocess.run(command, check=True, timeout=limit, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"the work took longer than its limit of {limit:g} s") from error
    return {"log": [f"the work took less than its limit of {limit:g} s"]}


@workflow.step
def report(state: Limited) -> Limited:
    return {"log": [*state["log"], "done"]}
