"""Workflows whose steps tell the judge what they do: what the sweeps drive.

Each is made by a function of its own, so that a run builds no other.
"""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from durajob import Workflow, once
from tests.faults.journal import note

WIDE = 40
LENGTH = 6
VISITS = 3
SIZE = 3_000_000

Graph = StateGraph[Any, Any, Any, Any]


class State(TypedDict, total=False):
    out: Annotated[list[str], operator.add]
    i: int
    n: int


def step(name: str) -> Any:
    """A step that does nothing but tell."""

    def run(state: State) -> dict[str, Any]:
        note("+", name)
        note("-", name)
        return {"out": [name]}

    return run


def chain() -> Graph:
    """One step after the other."""
    graph: Graph = StateGraph(State)
    for number in range(LENGTH):
        graph.add_node(f"s{number}", step(f"s{number}"))
        graph.add_edge(f"s{number - 1}" if number else START, f"s{number}")
    return graph


def fan() -> Graph:
    """A wide fan-out, collected at the end."""
    graph: Graph = StateGraph(State)
    graph.add_node("split", step("split"))
    graph.add_node("work", lambda state: step(f"work[{state['i']}]")(state))
    graph.add_node("join", step("join"))
    graph.add_edge(START, "split")
    graph.add_conditional_edges(
        "split", lambda state: [Send("work", {"i": i}) for i in range(state.get("n", WIDE))]
    )
    graph.add_edge("work", "join")
    return graph


def large() -> Graph:
    """Results that fill SQLite's cache, so that it writes in the middle of a transaction."""

    def heavy(state: State) -> dict[str, Any]:
        step("heavy")(state)
        return {"out": ["x" * SIZE]}

    def measure(state: State) -> dict[str, Any]:
        step("measure")(state)
        return {"out": [], "i": len(state["out"][0])}

    graph: Graph = StateGraph(State)
    graph.add_node("heavy", heavy)
    graph.add_node("measure", measure)
    graph.add_node("light", lambda state: {**step("light")(state), "n": 1})
    graph.add_edge(START, "heavy")
    graph.add_edge("heavy", "measure")
    graph.add_edge("measure", "light")
    return graph


def lost() -> Graph:
    """A router that fails: nothing comes next, and the thread is not completed."""

    def route(state: State) -> str:
        raise LookupError("no way on")

    graph: Graph = StateGraph(State)
    graph.add_node("first", step("first"))
    graph.add_node("never", step("never"))
    graph.add_edge(START, "first")
    graph.add_conditional_edges("first", route, ["never"])
    return graph


def loop() -> Graph:
    """A step that is visited again."""

    def visit(state: State) -> dict[str, Any]:
        number = state.get("i", 0) + 1
        done: dict[str, Any] = step(f"again#{number}")(state)
        return {**done, "i": number}

    graph: Graph = StateGraph(State)
    graph.add_node("first", step("first"))
    graph.add_node("again", visit)
    graph.add_node("last", step("last"))
    graph.add_edge(START, "first")
    graph.add_edge("first", "again")
    graph.add_conditional_edges(
        "again", lambda state: "again" if state["i"] < VISITS else "last", ["again", "last"]
    )
    return graph


def nested() -> Graph:
    """A graph with a graph in it."""
    inner: Graph = StateGraph(State)
    inner.add_node("x", step("sub/x"))
    inner.add_node("y", step("sub/y"))
    inner.add_edge(START, "x")
    inner.add_edge("x", "y")
    graph: Graph = StateGraph(State)
    graph.add_node("before", step("before"))
    graph.add_node("sub", inner.compile())
    graph.add_node("after", step("after"))
    graph.add_edge(START, "before")
    graph.add_edge("before", "sub")
    graph.add_edge("sub", "after")
    graph.add_edge("after", END)
    return graph


def once_only() -> Workflow[State]:
    """A step with an effect that is recorded."""
    workflow = Workflow("once_only", State)

    @workflow.step
    def plan(state: State) -> Any:
        return step("plan")(state)

    @workflow.step
    def pay(state: State) -> dict[str, Any]:
        note("+", "pay")

        def charge(key: str) -> str:
            note("!", f"charge={key}")
            return "receipt"

        receipt = once("charge", charge)
        note("-", "pay")
        return {"out": [receipt]}

    @workflow.step
    def ship(state: State) -> Any:
        return step("ship")(state)

    return workflow


def saga() -> Workflow[State]:
    """Three steps that are undone, since the fourth fails."""
    workflow = Workflow("saga", State)

    def undo(name: str) -> Any:
        return lambda given, result: step(f"{name}:compensate")(given) and None

    for name in ("a", "b", "c"):
        workflow.step(name=name, compensate=undo(name))(step(name))

    @workflow.step
    def d(state: State) -> None:
        note("+", "d")
        raise ValueError("on purpose")

    return workflow


def retried() -> Workflow[State]:
    """A step that fails once in every process that tries it."""
    workflow = Workflow("retried", State)
    failed = False

    @workflow.step
    def calm(state: State) -> Any:
        return step("calm")(state)

    # A process may be killed right after the attempt that failed, again and again.
    retry: Any = {
        "attempts": 50,
        "on": ConnectionError,
        "wait": "1ms",
        "max_wait": "1ms",
        "jitter": False,
    }

    @workflow.step(retry=retry)
    def flaky(state: State) -> dict[str, Any]:
        nonlocal failed
        note("+", "flaky")
        if not failed:
            failed = True
            raise ConnectionError("on demand")
        note("-", "flaky")
        return {"out": ["flaky"]}

    @workflow.step
    def steady(state: State) -> Any:
        return step("steady")(state)

    return workflow
