"""Workflows inside workflows, and what LangGraph users put into graphs besides plain steps.

FAIL names steps that fail; ONCE those that fail at their first attempt; DIE the places at which
the process kills itself, once each.
"""

# ruff: noqa: D103 - these are steps, and their names say what they do

from __future__ import annotations

import operator
import os
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, TypedDict

from langgraph.cache.memory import InMemoryCache
from langgraph.config import get_stream_writer
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.managed import IsLastStep
from langgraph.types import CachePolicy, Command, Send

from durajob import Workflow, approval, once, track
from tests.integration.graphs import die_once, note


class Bill(TypedDict, total=False):
    customer: str
    items: list[int]
    lines: list[int]
    paid: str


class Order(TypedDict, total=False):
    customer: str
    items: list[int]
    paid: str
    sent: str


def _do(name: str) -> None:
    die_once(f"{name}:before")
    note(name)
    if name in os.environ.get("FAIL", "").split(","):
        raise ConnectionError(f"{name} failed on demand")
    if name in os.environ.get("ONCE", "").split(","):
        try:
            os.close(os.open(f"{os.environ['EFFECTS']}.once.{name}", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        raise ConnectionError(f"{name} failed once")


billing = Workflow("billing", Bill)


def unpay(state: Bill, result: Bill) -> None:
    note(f"unpay:{state['customer']}:{result['paid']}")


def unprice(item: int, result: int) -> None:
    note(f"unprice:{item}:{result}")


@billing.step
def look(state: Bill) -> None:
    _do("look")


@billing.map(over="items", collect="lines", compensate=unprice)
def price(item: int) -> int:
    _do(f"price{item}")
    return item * 10


@billing.step(
    retry={"on": ConnectionError, "attempts": 2, "wait": "1ms"},
    timeout="30s",
    lock="till",
    compensate=unpay,
)
def pay(state: Bill) -> Bill:
    _do("pay")
    note(f"pid:{os.getpid()}")
    paid = once("pay", lambda: f"{sum(state['lines'])}-by-{state['customer']}")
    die_once("pay:after")
    return {"paid": paid}


orders = Workflow("orders", Order)


@orders.step
def accept(state: Order) -> Order:
    _do("accept")
    return {"customer": "ada", "items": [1, 2]}


orders.include(billing)


@orders.step(after=billing)
def send(state: Order) -> Order:
    _do("send")
    return {"sent": state["paid"]}


shop = Workflow("shop", Order)
shop.include(orders, name="order")


class State(TypedDict, total=False):
    n: int
    out: Annotated[list[Any], operator.add]


class Only(TypedDict, total=False):
    n: int
    last: IsLastStep


def _inner(*names: str) -> StateGraph[State]:
    """A chain of steps."""
    inner = StateGraph(State)

    def says(name: str) -> Any:
        def run(state: State) -> dict[str, Any]:
            _do(name)
            return {"n": state.get("n", 0) + 1}

        return run

    for name in names:
        inner.add_node(name, says(name))
    inner.add_edge(START, names[0])
    for pair in pairwise(names):
        inner.add_edge(*pair)
    return inner


def raw() -> StateGraph[State]:
    """Plain LangGraph with a subgraph in a subgraph; INNER renames the innermost step."""
    middle = _inner("first")
    innermost = _inner("deep", os.environ.get("INNER", "deeper"))
    middle.add_node("sub", innermost.compile())
    middle.add_edge("first", "sub")
    graph = StateGraph(State)
    graph.add_node("outer", middle.compile())
    graph.add_edge(START, "outer")
    return graph


def undo(state: State, result: State) -> None:
    note(f"undo:{state.get('n')}:{result['n']}")


@task
def double(value: int) -> int:
    note(f"double{value}")
    return 2 * value


@entrypoint()
def functional(value: int) -> int:
    return double(value).result()


def with_entrypoint() -> StateGraph[State]:
    graph = StateGraph(State)
    graph.add_node("call", functional)
    graph.add_edge(START, "call")
    return graph


def with_tasks() -> StateGraph[State]:
    """A step that calls tasks: they are part of it."""

    def call(state: State) -> dict[str, Any]:
        doubled = [each.result() for each in [double(1), double(2)]]
        die_once("call:after")
        return {"out": doubled}

    graph = StateGraph(State)
    graph.add_node("call", call)
    graph.add_edge(START, "call")
    return graph


@dataclass
class Context:
    """What a caller of the graph would hand over."""

    region: str = "no"


def with_context() -> Any:
    graph = StateGraph(State, context_schema=Context)
    graph.add_node("call", lambda state: None)
    graph.add_edge(START, "call")
    return graph


def with_inner_context() -> StateGraph[State]:
    graph = StateGraph(State)
    graph.add_node("sub", with_context().compile())
    graph.add_edge(START, "sub")
    return graph


def leaves() -> StateGraph[State]:
    """A subgraph whose step goes on to a step of the graph around it."""
    inner = StateGraph(State)

    def leave(state: State) -> Command[Any]:
        die_once("leave:before")
        note("leave")
        return Command(graph=Command.PARENT, goto="after", update={"out": ["left"]})

    inner.add_node("leave", leave)
    inner.add_edge(START, "leave")
    graph = StateGraph(State)

    def after(state: State) -> dict[str, Any]:
        die_once("after:before")
        note("after")
        return {"out": ["after"]}

    graph.add_node("sub", inner.compile())
    graph.add_node("after", after)
    graph.add_edge(START, "sub")
    return graph


def extras() -> Any:
    """A cache, a stream, managed values, schemas of input and output, a step's own schema."""

    class Given(TypedDict):
        n: int

    class Found(TypedDict, total=False):
        out: list[Any]

    graph = StateGraph(State, input_schema=Given, output_schema=Found)

    def cached(state: State) -> dict[str, Any]:
        note("cached")
        get_stream_writer()({"said": "into the void"})
        return {"out": [state["n"]]}

    def last(state: Only) -> dict[str, Any]:
        return {"out": [state["last"]]}

    graph.add_node("cached", cached, cache_policy=CachePolicy())
    graph.add_node("last", last, input_schema=Only)
    graph.add_edge(START, "cached")
    graph.add_edge("cached", "last")
    graph.add_edge("last", END)
    return graph.compile(cache=InMemoryCache())


tracked = Workflow("tracked", State)


@tracked.step(isolate=bool(os.environ.get("ISOLATE")))
def walk(state: State) -> None:
    for item in track(["a", "b", "c"], note=lambda item: f"at {item}"):
        if item == "b":
            time.sleep(1.1)  # what was said last is stored at most once a second
        if item == "c":
            die_once("walk:c")


def branches() -> StateGraph[State]:
    """A fan-out over a subgraph that asks."""
    inner = StateGraph(State, output_schema=State)
    inner.add_node("ask", lambda state: {"out": [approval(f"{state['n']}?")]})
    inner.add_edge(START, "ask")
    graph = StateGraph(State)
    graph.add_node("sub", inner.compile())
    graph.add_conditional_edges(
        START, lambda state: [Send("sub", {"n": n}) for n in range(2)], ["sub"]
    )
    return graph


if __name__ == "__main__":
    # Without durajob driving: what a LangGraph user takes away.
    print(orders.graph().compile().invoke({"customer": sys.argv[1]}))  # noqa: T201
