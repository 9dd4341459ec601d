"""Graphs whose steps have effects done through ``once``; the judge's file has one line each."""

from __future__ import annotations

import operator
import os
import threading
from contextvars import copy_context
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from durajob import Workflow, idempotency_key, once
from tests.integration.graphs import die_once, note


class State(TypedDict, total=False):
    n: int
    i: int
    out: Annotated[list[Any], operator.add]


def pays(name: str, in_doubt: Literal["retry", "fail"] = "retry") -> Any:
    """A step that charges, and may be killed at each instant around it."""

    def charge(key: str) -> str:
        die_once(f"{name}:begun")
        note(f"{name}:{key}")
        die_once(f"{name}:done")
        return f"receipt {key}"

    def run(state: State) -> dict[str, Any]:
        die_once(f"{name}:before")
        receipt = once("charge", charge, in_doubt=in_doubt)
        die_once(f"{name}:recorded")
        return {"out": [receipt]}

    return run


def one() -> StateGraph[State]:
    """One payment; DOUBT says what to do about a doubt."""
    graph = StateGraph(State)
    in_doubt: Any = os.environ.get("DOUBT", "retry")
    graph.add_node("pay", pays("pay", in_doubt))
    graph.add_edge(START, "pay")
    return graph


def fan() -> StateGraph[State]:
    """n branches, each of which pays under the same name."""
    graph = StateGraph(State)
    graph.add_node("pay", lambda state: pays(f"pay{state['i']}")(state))
    graph.add_conditional_edges(
        START, lambda state: [Send("pay", {"i": i}) for i in range(state["n"])], ["pay"]
    )
    return graph


def loop() -> StateGraph[State]:
    """A payment in each of three visits."""
    graph = StateGraph(State)
    graph.add_node("pay", lambda state: pays(f"pay{len(state['out'])}")(state))
    graph.add_edge(START, "pay")
    graph.add_conditional_edges(
        "pay", lambda state: END if len(state["out"]) == 3 else "pay", ["pay", END]
    )
    return graph


retried = Workflow("retried", State)


@retried.step(retry={"attempts": 3, "on": ConnectionError, "wait": "1ms"})
def several(state: State) -> State:
    """Two effects; the second fails twice, and only it is tried again."""
    first = once("first", lambda: note("first"))
    times = iter(range(3))

    def second(key: str) -> str:
        note(f"second:{key}")
        with open(os.environ["EFFECTS"]) as said:
            if sum(1 for line in said if line.startswith("second")) < 3:
                raise ConnectionError("refused")
        return f"{next(times)}"

    assert first is None
    again = once("second", second), once("second", second)
    return {"out": [*again, idempotency_key("second")]}


@dataclass
class Receipt:
    number: int
    parts: tuple[int, ...]


def values() -> StateGraph[State]:
    """A result that a serialiser changes: said before and after a crash."""
    graph = StateGraph(State)

    def run(state: State) -> dict[str, Any]:
        receipt: Any = once("make", lambda: {"at": (1, 2), "receipt": Receipt(1, (2,))})
        note(f"{type(receipt['at']).__name__},{type(receipt['receipt']).__name__}")
        die_once("values")
        return {}

    graph.add_node("run", run)
    graph.add_edge(START, "run")
    return graph


def unstorable() -> StateGraph[State]:
    """A result that cannot be stored, until it is mended."""
    graph = StateGraph(State)

    def make(key: str) -> Any:
        note(key)
        return {"lock": threading.Lock()} if os.environ.get("WRONG") else "receipt"

    graph.add_node("run", lambda state: {"out": [once("make", make)]})
    graph.add_edge(START, "run")
    return graph


def together() -> StateGraph[State]:
    """Eight threads of a step, with its context, come to the same two effects at once."""
    graph = StateGraph(State)

    def run(state: State) -> dict[str, Any]:
        results: list[Any] = []
        barrier = threading.Barrier(8)

        def effect(number: int) -> int:
            note(f"effect{number}")
            return number

        def call(number: int) -> None:
            barrier.wait(60)
            results.append(once(f"e{number}", lambda: effect(number)))

        threads = [
            threading.Thread(target=copy_context().run, args=(call, number % 2))
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {"out": sorted(results)}

    graph.add_node("run", run)
    graph.add_edge(START, "run")
    return graph
