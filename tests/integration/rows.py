"""Graphs for the rows of docs/langgraph.md that nothing else tries."""

# ruff: noqa: D103 - each is named after what it is about

from __future__ import annotations

import operator
import os
from typing import Annotated, Any, TypedDict

from langgraph.channels import DeltaChannel
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import task
from langgraph.graph import START, StateGraph
from langgraph.pregel.remote import RemoteGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import RetryPolicy, TimeoutPolicy

from durajob import Workflow
from tests.integration.graphs import die_once, note


class State(TypedDict, total=False):
    out: Annotated[list[str], operator.add]


def _says(name: str) -> Any:
    def run(state: Any) -> dict[str, Any]:
        die_once(f"{name}:before")
        note(name)
        if name in os.environ.get("FAIL", ""):
            raise ConnectionError(name)
        return {"out": [name]}

    return run


def _chain(schema: Any = State) -> StateGraph[Any]:
    graph = StateGraph(schema)
    graph.add_node("a", _says("a"))
    graph.add_node("b", _says("b"))
    graph.add_edge(START, "a")
    graph.add_edge("a", "b")
    return graph


def own_saver() -> Any:
    return _chain().compile(checkpointer=InMemorySaver())


class Delta(TypedDict, total=False):
    out: Annotated[list[str], DeltaChannel(lambda state, writes: sum(writes, state), list)]
    seen: list[str]


def delta() -> StateGraph[Any]:
    graph = _chain(Delta)
    graph.add_node("look", lambda state: {"seen": list(state["out"])})
    graph.add_edge("b", "look")
    return graph


def defaults() -> StateGraph[Any]:
    """Two attempts each, as a default of its nodes, with a limit."""
    policy = RetryPolicy(max_attempts=2, initial_interval=0.001, retry_on=ConnectionError)
    return _chain().set_node_defaults(retry_policy=policy, timeout=30)


def remote() -> StateGraph[Any]:
    """A graph on another machine, which does not answer."""
    graph = StateGraph(State)
    graph.add_node("far", RemoteGraph("far", url="http://127.0.0.1:9"))
    graph.add_edge(START, "far")
    return graph


def _around(inner: Any) -> StateGraph[Any]:
    graph = StateGraph(State)
    graph.add_node("sub", inner)
    graph.add_edge(START, "sub")
    return graph


def inner_saver() -> StateGraph[Any]:
    return _around(_chain().compile(checkpointer=True))


def inner_store() -> StateGraph[Any]:
    return _around(_chain().compile(store=InMemoryStore()))


def idle() -> StateGraph[Any]:
    """An idle timeout that whatever LangGraph sees refreshes."""
    graph = StateGraph(State)

    async def work(state: State) -> None: ...

    graph.add_node("work", work, timeout=TimeoutPolicy(idle_timeout=5))
    graph.add_edge(START, "work")
    return graph


@task
def double(value: int) -> int:
    return 2 * value


apart = Workflow("apart", State)


@apart.step(isolate=True)
def calls(state: State) -> None:
    double(1).result()
