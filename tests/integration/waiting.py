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


naps = Workflow("naps", State)


@naps.step
def thrice(state: State) -> None:
    """Sleeps three times."""
    for _ in range(3):
        sleep("1h")
    note("slept")


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


def everywhere() -> Any:
    """A step of a subgraph, a branch of a fan-out and a coroutine: all sleep."""
    from langgraph.graph import START, StateGraph
    from langgraph.types import Send

    def nap(state: State) -> dict[str, Any]:
        sleep("2h")
        note("sub")
        return {}

    def branch(state: State) -> dict[str, Any]:
        sleep(f"{state['seconds']:g}h")
        note("branch")
        return {}

    async def coroutine(state: State) -> dict[str, Any]:
        sleep("2h")
        note("coroutine")
        return {}

    inner = StateGraph(State)
    inner.add_node("nap", nap)
    inner.add_edge(START, "nap")
    graph = StateGraph(State)
    graph.add_node("sub", inner.compile())
    graph.add_node("branch", branch)
    graph.add_node("coroutine", coroutine)
    graph.add_edge(START, "sub")
    graph.add_conditional_edges(
        "sub", lambda state: [Send("branch", {"seconds": n}) for n in (1, 2)], ["branch"]
    )
    graph.add_edge("branch", "coroutine")
    return graph
