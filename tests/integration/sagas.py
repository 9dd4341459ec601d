"""Workflows whose steps are compensated. Each step, and each compensation, says so to the judge.

FAIL names the steps that fail, UNDO_FAIL the compensations; DIE the places at which the
process kills itself, once each.
"""

from __future__ import annotations

import operator
import os
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph

from durajob import Workflow, approval
from tests.integration.graphs import die_once, note, wait_for_file


class State(TypedDict, total=False):
    n: int
    seen: str
    items: list[int]
    done: Annotated[list[str], operator.add]
    results: list[int]


def _do(name: str) -> dict[str, Any]:
    die_once(f"{name}:before")
    note(name)
    if name in os.environ.get("HOLD", "").split(","):
        note(f"{name}:holds")
        wait_for_file("go")
    if name in os.environ.get("FAIL", "").split(","):
        raise ConnectionError(f"{name} failed on demand")
    die_once(f"{name}:after")
    return {"done": [name], "seen": name}


def _undo(name: str) -> None:
    die_once(f"undo-{name}:before")
    if name in os.environ.get("UNDO_HOLD", "").split(","):
        note(f"undo-{name}:holds")
        wait_for_file("go")
    if name in os.environ.get("UNDO_FAIL", "").split(","):
        raise OSError(f"cannot undo {name}")
    note(f"undo-{name}")
    die_once(f"undo-{name}:after")


order = Workflow("order", State)


def undo_a(state: State, result: State) -> None:
    """Undo a."""
    _undo("a")


def undo_b(state: State, result: State) -> None:
    """Undo b; told what b was given and returned, not what c made of it."""
    assert ("a", "b") == (state["seen"], result["seen"])
    _undo("b")


def undo_c(state: State, result: State) -> None:
    """Undo c."""
    _undo("c")


@order.step(compensate=undo_a)
def a(state: State) -> Any:
    """The first."""
    return _do("a")


@order.step(compensate={"run": undo_b, "retry": {"on": OSError, "attempts": 2, "wait": "1ms"}})
def b(state: State) -> Any:
    """The second, whose compensation is retried."""
    return _do("b")


@order.step(compensate=undo_c)
def c(state: State) -> Any:
    """The third."""
    return _do("c")


@order.step
def d(state: State) -> Any:
    """The last, which has none."""
    return _do("d")


trip = Workflow("trip", State)


@trip.step
def plan(state: State) -> Any:
    """What to book."""
    return {"items": list(range(state.get("n", 3)))}


def unbook(item: int, shared: dict[str, Any], result: int) -> None:
    """Undo one branch; told the item, the shared values and the result."""
    assert 10 * item + shared["n"] == result
    _undo(f"book{item}")


@trip.map(over="items", collect="results", share=["n"], compensate=unbook)
def book(item: int, shared: dict[str, Any]) -> int:
    """One branch."""
    _do(f"book{item}")
    return 10 * item + int(shared["n"])


@trip.step
def pay(state: State) -> Any:
    """After the branches."""
    return _do("pay")


def raw() -> StateGraph[State]:
    """Plain LangGraph: a loop over ``visit``, then ``last``; workflows.toml compensates."""
    graph = StateGraph(State)
    graph.add_node("visit", lambda state: _do("visit") | {"n": state["n"] - 1})
    graph.add_node("last", lambda state: _do("last"))
    graph.add_edge(START, "visit")
    graph.add_conditional_edges(
        "visit", lambda state: "visit" if state["n"] else "last", ["visit", "last"]
    )
    graph.add_edge("last", END)
    return graph


async def undo_visit(state: State, result: State) -> None:
    """Async, and told which visit it was by what the step was given."""
    _undo(f"visit{state['n']}")


sale = Workflow("sale", State)


def take_back(state: State, result: State) -> None:
    """Undo the sale, once somebody allows it."""
    note(f"undo-sell:{approval('take it back?')}")


@sale.step(compensate=take_back)
def sell(state: State) -> Any:
    """The sale."""
    return _do("sell")


@sale.step
def deliver(state: State) -> Any:
    """What comes of it."""
    return _do("deliver")
