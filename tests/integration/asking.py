"""Graphs whose steps ask people."""

from __future__ import annotations

import operator
import os
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send, interrupt
from pydantic import BaseModel, field_validator

from durajob import approval, once
from tests.integration.graphs import die_once, note, wait_for_file


class State(TypedDict, total=False):
    n: int
    i: int
    out: Annotated[list[Any], operator.add]


class Found(TypedDict, total=False):
    out: Annotated[list[Any], operator.add]


def plain() -> StateGraph[State]:
    """Two questions by LangGraph's interrupt in one step."""
    graph = StateGraph(State)

    def ask(state: State) -> dict[str, Any]:
        note("ask")
        name = interrupt("your name?")
        die_once("named")
        age = interrupt({"age of": name})
        die_once("aged")
        return {"out": [name, age]}

    graph.add_node("ask", ask)
    graph.add_node("after", lambda state: note("after"))
    graph.add_edge(START, "ask")
    graph.add_edge("ask", "after")
    return graph


def send() -> StateGraph[State]:
    """One question, with a schema and a time; EXPIRY is what is taken then."""
    graph = StateGraph(State)

    def ask(state: State) -> dict[str, Any]:
        expiry: Any = {"answer": 0} if os.environ.get("EXPIRY") else "fail"
        schema = {"type": "integer", "minimum": 0}
        return {"out": [approval("How many?", schema=schema, expires="1h", on_expiry=expiry)]}

    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    return graph


def fan() -> StateGraph[State]:
    """n branches that ask, each after it has said so; beside them, one that does not."""
    graph = StateGraph(State)

    def ask(state: State) -> dict[str, Any]:
        note(f"ask{state['i']}")
        answer = approval(f"branch {state['i']}?")
        note(f"told{state['i']}")
        die_once(f"told{state['i']}")
        return {"out": [[state["i"], answer]]}

    graph.add_node("ask", ask)
    graph.add_node("beside", lambda state: note("beside"))
    graph.add_node("after", lambda state: note("after"))
    graph.add_conditional_edges(
        START,
        lambda state: [Send("ask", {"i": i}) for i in range(state["n"])] + [Send("beside", {})],
        ["ask", "beside"],
    )
    graph.add_edge(["ask", "beside"], "after")
    return graph


def nested() -> StateGraph[State]:
    """A question inside a subgraph, whose first step must not run twice."""
    inner = StateGraph(State, output_schema=Found)
    inner.add_node("first", lambda state: note("first"))
    inner.add_node("ask", lambda state: {"out": [interrupt("inside?"), approval("and again?")]})
    inner.add_edge(START, "first")
    inner.add_edge("first", "ask")
    graph = StateGraph(State)
    graph.add_node("sub", inner.compile())
    graph.add_edge(START, "sub")
    return graph


def loop() -> StateGraph[State]:
    """The same question in each of two visits."""
    graph = StateGraph(State)
    graph.add_node("ask", lambda state: {"out": [approval("again?")]})
    graph.add_edge(START, "ask")
    graph.add_conditional_edges(
        "ask", lambda state: END if len(state["out"]) == 2 else "ask", ["ask", END]
    )
    return graph


def called() -> StateGraph[State]:
    """A graph that a step calls by itself asks: the answer would not reach it."""
    inner = StateGraph(State)
    inner.add_node("ask", lambda state: {"out": [interrupt("deep?")]})
    inner.add_edge(START, "ask")
    compiled = inner.compile()
    graph = StateGraph(State)
    graph.add_node("call", lambda state: compiled.invoke({"out": []}))
    graph.add_edge(START, "call")
    return graph


class Even(BaseModel):
    number: int

    @field_validator("number")
    @classmethod
    def is_even(cls, number: int) -> int:
        if number % 2:
            raise ValueError(f"{number} is odd")
        return number


def typed() -> StateGraph[State]:
    """An interrupt whose type refuses more than a JSON Schema can say."""
    graph = StateGraph(State)
    graph.add_node("ask", lambda state: {"out": [interrupt("even?", response_schema=Even).number]})
    graph.add_edge(START, "ask")
    return graph


def busy() -> StateGraph[State]:
    """One step asks while another one works."""
    graph = StateGraph(State)

    def work(state: State) -> None:
        note("work")
        wait_for_file("go")

    graph.add_node("ask", lambda state: {"out": [approval("now?")]})
    graph.add_node("work", work)
    graph.add_edge(START, "ask")
    graph.add_edge(START, "work")
    return graph


def wrong() -> StateGraph[State]:
    """A schema that is none."""
    graph = StateGraph(State)
    graph.add_node("ask", lambda state: {"out": [approval("?", schema={"type": "number of"})]})
    graph.add_edge(START, "ask")
    return graph


def doubt() -> StateGraph[State]:
    """An effect, killed after it was done; then a person is asked."""
    graph = StateGraph(State)

    def charge(key: str) -> str:
        note(f"charge:{key}")
        die_once("charged")
        return "receipt"

    graph.add_node("pay", lambda state: {"out": [once("charge", charge, in_doubt="ask")]})
    graph.add_edge(START, "pay")
    return graph
