"""The graphs that both sides run: plain LangGraph, nothing of durajob.

BENCH_STEPS says how many steps or tasks; with BENCH_LOG each task appends its number to that
file in one write, so that what ran, and ran again, can be counted afterwards.
"""

from __future__ import annotations

import operator
import os
import time
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

STEPS = int(os.environ.get("BENCH_STEPS", "1000"))
LOG = os.environ.get("BENCH_LOG")


class State(TypedDict, total=False):
    done: Annotated[int, operator.add]


def chain() -> Any:
    """STEPS steps that do nothing, one after the other."""
    graph = StateGraph(State)

    def nothing(state: State) -> State:
        return {"done": 1}

    names = [f"s{number}" for number in range(STEPS)]
    for name in names:
        graph.add_node(name, nothing)
    for before, after in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(before, after)
    return graph


def fanout() -> Any:
    """STEPS tasks that do nothing, sent by one router and joined by one step."""
    graph = StateGraph(State)

    def plan(state: State) -> State:
        return {"done": 0}

    def send(state: State) -> list[Send]:
        return [Send("work", number) for number in range(STEPS)]

    def work(number: int) -> State:
        if LOG is not None:
            _append(LOG, f"{number} {time.time_ns()}\n".encode())
        return {"done": 1}

    def join(state: State) -> State:
        return {}

    graph.add_node("plan", plan)
    graph.add_node("work", work)  # type: ignore[arg-type]  # a Send may carry anything
    graph.add_node("join", join)
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", send, ["work"])
    graph.add_edge("work", "join")
    graph.add_edge("join", END)
    return graph


class Burnt(TypedDict, total=False):
    began: Annotated[list[float], operator.add]
    ended: Annotated[list[float], operator.add]


def burn() -> Any:
    """Sixteen tasks that keep a processor busy, and say when they began and ended."""
    graph = StateGraph(Burnt)

    def send(state: Burnt) -> list[Send]:
        return [Send("work", number) for number in range(16)]

    def work(number: int) -> Burnt:
        began = time.monotonic()
        total = 0
        for turn in range(6_000_000):
            total += turn
        return {"began": [began], "ended": [time.monotonic()]}

    graph.add_node("work", work)  # type: ignore[arg-type]  # a Send may carry anything
    graph.add_conditional_edges(START, send, ["work"])
    graph.add_edge("work", END)
    return graph


def again() -> Any:
    """One step that does nothing, visited 50 times."""
    graph = StateGraph(State)

    def nothing(state: State) -> State:
        return {"done": 1}

    graph.add_node("s", nothing)
    graph.add_edge(START, "s")
    graph.add_conditional_edges(
        "s", lambda state: "s" if state["done"] < 50 else END, {"s": "s", END: END}
    )
    return graph


class Growing(TypedDict, total=False):
    items: Annotated[list[str], operator.add]


def growing() -> Any:
    """One step that adds a kilobyte to a list, visited STEPS times."""
    graph = StateGraph(Growing)

    def add(state: Growing) -> Growing:
        number = len(state.get("items", []))
        return {"items": [f"{number:06}".ljust(1_000, "x")]}

    graph.add_node("add", add)
    graph.add_edge(START, "add")
    graph.add_conditional_edges(
        "add", lambda state: "add" if len(state["items"]) < STEPS else END, {"add": "add", END: END}
    )
    return graph


def _append(path: str, line: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def ticking() -> Any:
    """A loop of 2,000 steps that take 50 ms each."""
    graph = StateGraph(State)

    def tick(state: State) -> State:
        time.sleep(0.05)
        return {"done": 1}

    graph.add_node("tick", tick)
    graph.add_edge(START, "tick")
    graph.add_conditional_edges("tick", lambda state: "tick" if state["done"] < 2000 else END)
    return graph


def still() -> Any:
    """One step that takes a quarter of an hour."""
    graph = StateGraph(State)

    def stand(state: State) -> State:
        time.sleep(900)
        return {}

    graph.add_node("stand", stand)
    graph.add_edge(START, "stand")
    graph.add_edge("stand", END)
    return graph
