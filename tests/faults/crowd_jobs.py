"""Jobs for many processes: every step says in the journal when it begins and when it is done.

JOURNAL is that file. HOLD names places (``c:begin``, ``work[3]:done``) at which a step waits
until the file JOURNAL.go exists, and ``import`` this module itself; FLAKY names steps whose
first attempt fails.
"""

from __future__ import annotations

import operator
import os
import time
from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from durajob import Workflow
from durajob.steps.context import current
from tests.faults.crowd_judge import BEGIN, DONE, write

CHAIN = ("a", "b", "c", "d")
AFTER_CHAIN = {"b": ("a",), "c": ("b",), "d": ("c",)}
FAN = ("plan", *(f"work[{index}]" for index in range(40)), "collect")
AFTER_FAN = {**dict.fromkeys(FAN[1:-1], ("plan",)), "collect": FAN[:-1]}
NESTED = ("first", "sub/one", "sub/two", "last")
AFTER_NESTED = {"sub/one": ("first",), "sub/two": ("sub/one",), "last": ("sub/two",)}
SAGA = ("a", "b", "broken", "b:compensate", "a:compensate")
AFTER_SAGA = {step: SAGA[:place] for place, step in enumerate(SAGA)}
SHAPES: Mapping[str, tuple[Collection[str], Mapping[str, Collection[str]]]] = {
    "chain": (CHAIN, AFTER_CHAIN),
    "fan": (FAN, AFTER_FAN),
    "nested": (NESTED, AFTER_NESTED),
    "saga": (SAGA, AFTER_SAGA),
}
"""Of each job: its steps, and which must be done before which."""


class State(TypedDict, total=False):
    n: int
    i: int
    out: Annotated[list[Any], operator.add]


def work(state: State) -> dict[str, Any]:
    """One effect, which the journal shows."""
    context = current.get()
    assert context is not None, "a step runs in durajob"
    journal = os.environ["JOURNAL"]
    write(journal, context.thread, context.step, BEGIN)
    _hold(f"{context.step}:begin")
    if context.step in os.environ.get("FLAKY", "").split(",") and context.attempt == 1:
        raise ConnectionError("the first attempt fails")
    write(journal, context.thread, context.step, DONE)
    _hold(f"{context.step}:done")
    return {"out": [context.step]}


def _hold(place: str) -> None:
    if place in os.environ.get("HOLD", "").split(","):
        while not os.path.exists(f"{os.environ['JOURNAL']}.go"):
            time.sleep(0.005)


if "import" in os.environ.get("HOLD", "").split(","):
    with open(f"{os.environ['JOURNAL']}.import", "w"):
        _hold("import")

chain = Workflow("chain", State)
for _name in CHAIN:
    chain.step(
        name=_name, retry={"attempts": 2, "on": ConnectionError, "wait": "1s", "jitter": False}
    )(work)

saga = Workflow("saga", State)
for _name in ("a", "b"):
    saga.step(name=_name, compensate=lambda given, result: work(given) and None)(work)


@saga.step
def broken(state: State) -> None:
    """Fails for good."""
    work(state)
    raise ValueError("on purpose")


def fan() -> StateGraph[State]:
    """plan, 40 branches of work, collect."""
    graph = StateGraph(State)
    for name in ("plan", "work", "collect"):
        graph.add_node(name, work)
    graph.add_edge(START, "plan")
    graph.add_conditional_edges(
        "plan", lambda state: [Send("work", {"i": index}) for index in range(40)], ["work"]
    )
    graph.add_edge("work", "collect")
    graph.add_edge("collect", END)
    return graph


def nested() -> StateGraph[State]:
    """A step, a subgraph of two, a step."""
    inner = StateGraph(State)
    outer = StateGraph(State)
    for graph, names in ((inner, ("one", "two")), (outer, ("first", "last"))):
        for name in names:
            graph.add_node(name, work)
    for start, end in pairwise((START, "one", "two", END)):
        inner.add_edge(start, end)
    outer.add_node("sub", inner.compile())
    for start, end in pairwise((START, "first", "sub", "last", END)):
        outer.add_edge(start, end)
    return outer
