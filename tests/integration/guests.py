"""Graphs as LangGraph users write them, odd ones among them."""

from __future__ import annotations

import operator
import os
import subprocess
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import RetryPolicy, Send

from tests.integration.graphs import die_once, note, wait_for_file


class State(TypedDict, total=False):
    i: int
    out: Annotated[list[Any], operator.add]


def says(name: str) -> Any:
    """A step that notes its name and adds it to the state."""

    def run(state: State) -> dict[str, Any]:
        die_once(f"{name}:before")
        note(name)
        return {"out": [name]}

    return run


def alike() -> StateGraph[State]:
    """A step that is named like a branch of another."""
    graph = StateGraph(State)
    graph.add_node("w", says("sent"))
    graph.add_node("w[0]", says("node"))
    graph.add_edge(START, "w[0]")
    graph.add_conditional_edges(START, lambda state: [Send("w", {"i": 0})], ["w"])
    return graph


def retried() -> StateGraph[State]:
    """LangGraph's own retry policy; fails twice."""
    graph = StateGraph(State)

    def flaky(state: State) -> dict[str, Any]:
        note("try")
        if sum(1 for _ in open(os.environ["EFFECTS"])) < 3:  # noqa: SIM115
            raise ConnectionError("not yet")
        return {"out": ["flaky"]}

    policy = RetryPolicy(max_attempts=3, initial_interval=0.01, jitter=False)
    graph.add_node("flaky", flaky, retry_policy=policy)
    graph.add_edge(START, "flaky")
    return graph


def unusable() -> StateGraph[State]:
    """A step that returns a number, until it is mended."""
    graph = StateGraph(State)
    wrong = os.environ.get("WRONG")
    graph.add_node("a", lambda state: 5 if wrong else {"out": ["a"]})
    graph.add_edge(START, "a")
    return graph


def inside() -> StateGraph[State]:
    """Four branches, each of which calls a graph with parallel steps by itself."""
    inner = StateGraph(State)
    for name in ("x", "y", "z"):
        inner.add_node(name, lambda state, name=name: {"out": [name]})
        inner.add_edge(START, name)
    compiled = inner.compile()
    graph = StateGraph(State)
    graph.add_node("call", lambda state: {"out": compiled.invoke({"out": []})["out"]})
    graph.add_conditional_edges(
        START, lambda state: [Send("call", {"i": i}) for i in range(4)], ["call"]
    )
    return graph


def handled() -> StateGraph[State]:
    """A step that fails, and an error handler that takes it from there."""
    graph = StateGraph(State)

    def bad(state: State) -> dict[str, Any]:
        raise ConnectionError("refused")

    graph.add_node("bad", bad, error_handler=lambda state: {"out": ["handled"]})
    graph.add_node("after", says("after"))
    graph.add_edge(START, "after")
    graph.add_edge(START, "bad")
    graph.add_edge("after", END)
    return graph


def forks() -> StateGraph[State]:
    """A step whose forked child comes back out of it."""
    graph = StateGraph(State)

    def fork(state: State) -> dict[str, Any]:
        child = os.fork()
        if child == 0:
            return {"out": ["child"]}
        os.waitpid(child, 0)
        return {"out": ["parent"]}

    graph.add_node("fork", fork)
    graph.add_node("after", says("after"))
    graph.add_edge(START, "fork")
    graph.add_edge("fork", "after")
    return graph


def gated() -> StateGraph[State]:
    """A subgraph with a gate that durajob would not keep."""
    inner = StateGraph(State)
    inner.add_node("deploy", says("deploy"))
    inner.add_edge(START, "deploy")
    graph = StateGraph(State)
    graph.add_node("sub", inner.compile(interrupt_before=["deploy"]))
    graph.add_edge(START, "sub")
    return graph


def chatty() -> StateGraph[State]:
    """A step whose child prints on both streams."""
    graph = StateGraph(State)

    def talk(state: State) -> None:
        subprocess.run("echo from a child; echo and more >&2", shell=True, check=True)

    graph.add_node("talk", talk)
    graph.add_edge(START, "talk")
    return graph


def wide() -> StateGraph[State]:
    """Three thousand branches that wait to be let go."""
    graph = StateGraph(State)

    def work(state: State) -> dict[str, Any]:
        note(f"work{state['i']}")
        wait_for_file("go")
        return {"out": [state["i"]]}

    graph.add_node("work", work)
    graph.add_conditional_edges(
        START, lambda state: [Send("work", {"i": i}) for i in range(3000)], ["work"]
    )
    return graph
