"""Workflows that print in every way there is."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import Any, TypedDict

from langgraph.graph import START, StateGraph

from durajob import Workflow, approval
from tests.integration.graphs import note, wait_for_file

log = logging.getLogger("shop.mail")


class State(TypedDict, total=False):
    password: str
    items: list[int]
    out: list[Any]


alone = Workflow("alone", State)


@alone.step
def talk(state: State) -> None:
    """Print, log, and have programs print, in turn."""
    print("out")  # noqa: T201 - that is what it is for
    print("err", file=sys.stderr)  # noqa: T201
    log.info("sent %d", 3, extra={"order": 7})
    log.debug("not kept")
    subprocess.run(["echo", "program"], check=True)
    os.system("echo system")


beside = Workflow("beside", State)


@beside.map(over="items", collect="out")
def branch(number: int) -> int:
    """Print while the others do."""
    note(f"branch{number}")
    print(f"begin {number}")  # noqa: T201
    subprocess.run(["sh", "-c", f"echo program {number}"], check=True)
    wait_for_file("go")
    subprocess.run(["sh", "-c", f"echo again {number}"], check=True)
    return number


secret = Workflow("secret", State)


@secret.step
def tell(state: State) -> State:
    """Give a secret away in every way."""
    print("by key", state["password"])  # noqa: T201
    subprocess.run("echo by variable $API_TOKEN", shell=True, check=True)
    return {"out": [f"token={os.environ['API_TOKEN']}"]}


@secret.step
def fail(state: State) -> None:
    """The true values are still there."""
    note(f"{state['password']},{(state.get('out') or [])[0]}")
    raise ValueError(f"no such password: {state['password']}")


endless = Workflow("endless", State)


@endless.step
def flood(state: State) -> None:
    """Print far more than is kept."""
    for number in range(20_000):
        print(f"line {number}")  # noqa: T201


held = Workflow("held", State)


@held.step
def hold(state: State) -> None:
    """Say so, and wait."""
    print("holding")  # noqa: T201
    note("hold")
    wait_for_file("go")
    print("let go")  # noqa: T201


asked = Workflow("asked", State)


@asked.step
def ask(state: State) -> None:
    """Say so, wait, and ask: what was printed before is printed again."""
    print("asking")  # noqa: T201
    note("ask")
    wait_for_file("go")
    print(approval("on?"))  # noqa: T201


def nested() -> StateGraph[State]:
    """A graph in a graph, which prints."""
    inner = StateGraph(State)
    inner.add_node("deep", lambda state: print("deep"))  # noqa: T201
    inner.add_edge(START, "deep")
    graph = StateGraph(State)
    graph.add_node("outer", inner.compile())
    graph.add_node("outermost", lambda state: print("no"))  # noqa: T201
    graph.add_edge(START, "outer")
    graph.add_edge("outer", "outermost")
    return graph
