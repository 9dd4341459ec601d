"""Graphs whose state grows as they go on. GROW says how far, KILL at which visit they die."""

from __future__ import annotations

import operator
import os
import signal
from typing import Annotated, Any, TypedDict

from langgraph.channels.delta import DeltaChannel
from langgraph.graph import END, START, StateGraph


class State(TypedDict, total=False):
    items: Annotated[list[str], operator.add]


def add(state: State) -> State:
    """A kilobyte more."""
    count = len(state.get("items", []))
    marker = os.path.abspath("killed")
    if str(count) == os.environ.get("KILL") and not os.path.exists(marker):
        os.close(os.open(marker, os.O_CREAT))
        os.kill(os.getpid(), signal.SIGKILL)
    return {"items": [f"{count:06}".ljust(1_000, "x")]}


def more(state: State) -> str:
    """Whether it goes on."""
    return "add" if len(state["items"]) < int(os.environ["GROW"]) else END


def growing() -> StateGraph[Any]:
    """One step, visited GROW times."""
    graph = StateGraph(State)
    graph.add_node("add", add)
    graph.add_edge(START, "add")
    graph.add_conditional_edges("add", more, {"add": "add", END: END})
    return graph


def inside() -> StateGraph[Any]:
    """The same in a graph inside this one."""
    graph = StateGraph(State)
    graph.add_node("sub", growing().compile())
    graph.add_node("last", lambda state: {"items": ["end"]})
    graph.add_edge(START, "sub")
    graph.add_edge("sub", "last")
    graph.add_edge("last", END)
    return graph


def joined(items: list[str], more: list[list[str]]) -> list[str]:
    """All that was written, in its order."""
    return [*items, *(item for each in more for item in each)]


class Changes(TypedDict, total=False):
    count: Annotated[int, operator.add]
    items: Annotated[list[str], DeltaChannel(joined)]


def changes() -> StateGraph[Any]:
    """The same, in a channel that LangGraph keeps as changes."""
    graph = StateGraph(Changes)
    graph.add_node("add", lambda state: {**add(State(items=state["items"])), "count": 1})
    graph.add_node("begin", lambda state: {"items": []})
    graph.add_edge(START, "begin")
    graph.add_edge("begin", "add")
    graph.add_conditional_edges("add", lambda state: more(state), {"add": "add", END: END})
    return graph
