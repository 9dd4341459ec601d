"""Workflows whose steps wait: for locks, for times. What they do stands in the judge's file."""

from __future__ import annotations

import operator
import os
import time
from typing import Annotated, Any, TypedDict

from durajob import Workflow, lock, sleep
from tests.integration.graphs import die_once, note, wait_for_file


class State(TypedDict, total=False):
    name: str
    seconds: float
    items: list[int]
    out: Annotated[list[Any], operator.add]


def section(state: State) -> dict[str, Any]:
    """What no two may do at once."""
    name = state.get("name", "x")
    note(f"+{name}")
    die_once(name)
    if name in os.environ.get("HOLD", "").split(","):
        wait_for_file("go")
    time.sleep(state.get("seconds", 0))
    note(f"-{name}")
    return {"out": [name]}


inside = Workflow("inside", State)


@inside.step(retry={"attempts": 2, "on": "durajob:LockTimeout", "wait": 0.01})
def guarded(state: State) -> dict[str, Any]:
    """Takes the lock itself."""
    note(f"?{state.get('name', 'x')}")
    with lock("L", wait=os.environ.get("WAIT")):
        return section(state)


policy = Workflow("policy", State)
policy.step(lock="L", name="guarded")(section)

patient = Workflow("patient", State)
patient.step(
    lock={"name": "L", "wait": "50ms"},
    name="guarded",
    retry={"attempts": 2, "on": TimeoutError, "wait": 0.01},
)(section)

pool = Workflow("pool", State)


@pool.map(over="items", collect="out", lock={"name": "P", "limit": 2})
def work(item: int) -> int:
    """A branch that two may run at once."""
    note(f"+{item}")
    time.sleep(0.03)
    note(f"-{item}")
    return item


twice = Workflow("twice", State)


@twice.step(lock="L")
def both(state: State) -> None:
    """Asks for the lock of its policy."""
    with lock("L"):
        note("inside")


nested = Workflow("nested", State)


@nested.step
def nest(state: State) -> None:
    """Asks for A within A."""
    with lock("A"), lock("B"), lock("A"):
        note("inside")


sleeper = Workflow("sleeper", State)


@sleeper.step
def nap(state: State) -> dict[str, Any]:
    """Sleeps, then works."""
    sleep(os.environ.get("FOR", "2h"))
    note("slept")
    sleep(0)
    if "nap" in os.environ.get("FAIL", ""):
        raise ConnectionError("failed on demand")
    return {"out": ["nap"]}


@sleeper.step
def after(state: State) -> dict[str, Any]:
    """Comes after."""
    note("after")
    return {"out": ["after"]}


delayed = Workflow("delayed", State)


@delayed.step
def first(state: State) -> None:
    """Comes before."""
    note("first")


delayed.step(delay="2h", name="later")(after)

beside = Workflow("beside", State)
"""One branch sleeps, one works, and both must be done."""


@beside.step
def begin(state: State) -> None:
    """Comes first."""
    note("begin")


@beside.step(after=begin)
def long(state: State) -> None:
    """Sleeps."""
    sleep(os.environ.get("NAP", "2h"))
    note("long")


@beside.step(after=begin)
def works(state: State) -> None:
    """Takes its time."""
    wait_for_file("go")
    note("works")


@beside.step(after=begin)
def asks(state: State) -> None:
    """Asks a person, where told to."""
    if "ask" in os.environ:
        from langgraph.types import interrupt

        interrupt("sure?")


@beside.step(after=[long, works, asks])
def joined(state: State) -> None:
    """Comes when all are done."""
    note("joined")
