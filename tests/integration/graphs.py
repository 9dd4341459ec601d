"""Graphs that the engine's tests run. Each step says in a file when it begins and ends.

The file is the judge: appended to and fsynced, outside of durajob.
"""

from __future__ import annotations

import operator
import os
import signal
import time
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, interrupt

from durajob.steps.context import current


class State(TypedDict, total=False):
    n: int
    i: int
    path: str
    plain: int
    out: Annotated[list[Any], operator.add]


def note(text: str) -> None:
    """Append a line to the judge's file, durably."""
    fd = os.open(os.environ["EFFECTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{text}\n".encode())
    os.fsync(fd)
    os.close(fd)


def die_once(where: str) -> None:
    """Kill this process, unless it has been killed here before (DIE names the places);
    DIE_EACH_TIME names those where it is killed however often it comes there."""
    if where in os.environ.get("DIE_EACH_TIME", "").split(","):
        os.kill(os.getpid(), signal.SIGKILL)
    if where in os.environ.get("DIE", "").split(","):
        marker = f"{os.environ['EFFECTS']}.died.{where}"
        if not os.path.exists(marker):
            os.close(os.open(marker, os.O_CREAT))
            os.kill(os.getpid(), signal.SIGKILL)


def wait_for_file(name: str) -> None:
    """Block until the test makes the file EFFECTS.name."""
    while not os.path.exists(f"{os.environ['EFFECTS']}.{name}"):
        time.sleep(0.005)


def step(name: str, **update: Any) -> Any:
    """A step that does one effect, and may be killed before or after it."""

    def run(state: State) -> dict[str, Any]:
        die_once(f"{name}:before")
        note(name)
        die_once(f"{name}:after")
        if name in os.environ.get("FAIL", "").split(","):
            raise ConnectionError(f"{name} failed on demand")
        return {"out": [name], **update}

    return run


def chain() -> StateGraph[State]:
    """a, b, c, d in a row."""
    graph = StateGraph(State)
    names = ["a", "b", "c", "d"]
    for name in names:
        graph.add_node(name, step(name))
    for start, end in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(start, end)
    return graph


def chain_without_c() -> StateGraph[State]:
    """The same, without c."""
    graph = StateGraph(State)
    for name in ["a", "b", "d"]:
        graph.add_node(name, step(name))
    for start, end in [(START, "a"), ("a", "b"), ("b", "d"), ("d", END)]:
        graph.add_edge(start, end)
    return graph


def fan() -> StateGraph[State]:
    """plan, then n branches of work, then collect."""
    graph = StateGraph(State)

    def work(state: State) -> dict[str, Any]:
        number = state["i"]
        die_once(f"work{number}:before")
        note(f"work{number}")
        if f"work{number}" in os.environ.get("HOLD", "").split(","):
            wait_for_file("go")
        die_once(f"work{number}:after")
        if f"work{number}" in os.environ.get("FAIL", "").split(","):
            raise ConnectionError(f"work{number} failed on demand")
        return {"out": [number]}

    graph.add_node("plan", step("plan"))
    graph.add_node("work", work)
    graph.add_node("collect", step("collect"))
    graph.add_edge(START, "plan")
    graph.add_conditional_edges(
        "plan", lambda state: [Send("work", {"i": i}) for i in range(state["n"])], ["work"]
    )
    graph.add_edge("work", "collect")
    graph.add_edge("collect", END)
    return graph


def crashing() -> StateGraph[State]:
    """n branches; one of them kills its process each time, once all have begun (KILLER)."""
    graph = StateGraph(State)

    def work(state: State) -> dict[str, Any]:
        number = state["i"]
        note(f"work{number}")
        if str(number) == os.environ.get("KILLER"):
            while len(set(begun())) < state["n"]:
                time.sleep(0.005)
            os.kill(os.getpid(), signal.SIGKILL)
        if "KILLER" in os.environ:
            wait_for_file("go")
        note(f"done{number}")
        return {"out": [number]}

    def begun() -> list[str]:
        with open(os.environ["EFFECTS"], encoding="ascii") as file:
            return [line for line in file.read().split() if line.startswith("work")]

    graph.add_node("work", work)
    graph.add_conditional_edges(
        START, lambda state: [Send("work", {**state, "i": i}) for i in range(state["n"])], ["work"]
    )
    return graph


def named() -> StateGraph[State]:
    """a, then b; each says for which thread (path) it runs."""
    graph = StateGraph(State)
    for name in "ab":
        graph.add_node(name, lambda state, name=name: step(f"{state['path']}.{name}")(state))
    graph.add_edge(START, "a")
    graph.add_edge("a", "b")
    return graph


def loop() -> StateGraph[State]:
    """poll, n times over."""
    graph = StateGraph(State)

    def poll(state: State) -> dict[str, Any]:
        number = len(state.get("out", []))
        die_once(f"poll{number}:before")
        note(f"poll{number}")
        die_once(f"poll{number}:after")
        return {"out": [number]}

    graph.add_node("poll", poll)
    graph.add_edge(START, "poll")
    graph.add_conditional_edges(
        "poll", lambda state: END if len(state["out"]) >= state["n"] else "poll", ["poll", END]
    )
    return graph


def growing() -> StateGraph[State]:
    """poll, n times over, each adding 10 KB to the state."""
    graph = StateGraph(State)

    def poll(state: State) -> dict[str, Any]:
        number = len(state.get("out", []))
        note(f"poll{number}")
        return {"out": [f"{number}" * 10_000]}

    graph.add_node("poll", poll)
    graph.add_edge(START, "poll")
    graph.add_conditional_edges(
        "poll", lambda state: END if len(state["out"]) >= state["n"] else "poll", ["poll", END]
    )
    return graph


def nested() -> StateGraph[Any]:
    """A subgraph called twice in a loop; its inner steps have the same names each time."""
    inner = StateGraph(State)

    def deep(name: str) -> Any:
        def run(state: State) -> dict[str, Any]:
            number = f"{name}{state.get('i', 0)}"
            die_once(f"{number}:before")
            note(number)
            die_once(f"{number}:after")
            return {"out": [number]}

        return run

    inner.add_node("one", deep("one"))
    inner.add_node("two", deep("two"))
    inner.add_edge(START, "one")
    inner.add_edge("one", "two")
    inner.add_edge("two", END)

    class Outer(TypedDict, total=False):
        n: int
        i: int
        seen: Annotated[list[Any], operator.add]
        out: Annotated[list[Any], operator.add]

    outer = StateGraph(Outer)
    outer.add_node("sub", inner.compile())
    outer.add_node("count", lambda state: {"i": state.get("i", 0) + 1})
    outer.add_edge(START, "sub")
    outer.add_edge("sub", "count")
    outer.add_conditional_edges(
        "count", lambda state: END if state["i"] >= 2 else "sub", ["sub", END]
    )
    return outer


class Found(TypedDict, total=False):
    out: Annotated[list[Any], operator.add]


def fan_of_subgraphs() -> StateGraph[State]:
    """Branches that are subgraphs themselves, so that inner paths are alike in all of them."""
    inner = StateGraph(State, output_schema=Found)

    def deep(name: str) -> Any:
        def run(state: State) -> dict[str, Any]:
            number = f"{name}{state['i']}"
            die_once(f"{number}:before")
            note(number)
            die_once(f"{number}:after")
            return {"out": [number]}

        return run

    inner.add_node("one", deep("one"))
    inner.add_node("two", deep("two"))
    inner.add_edge(START, "one")
    inner.add_edge("one", "two")
    inner.add_edge("two", END)
    outer = StateGraph(State)
    outer.add_node("plan", step("plan"))
    outer.add_node("sub", inner.compile(), input_schema=State)
    outer.add_edge(START, "plan")
    outer.add_conditional_edges(
        "plan", lambda state: [Send("sub", {"i": i}) for i in range(state["n"])], ["sub"]
    )
    return outer


def commands() -> StateGraph[State]:
    """Steps that say themselves where to go on."""
    graph = StateGraph(State)

    def choose(name: str, goto: Any) -> Any:
        inner = step(name)

        def run(state: State) -> Command[Any]:
            return Command(update=inner(state), goto=goto)

        return run

    graph.add_node("a", choose("a", ["b", "c"]), destinations=("b", "c"))
    graph.add_node("b", choose("b", "d"), destinations=("d",))
    graph.add_node("c", choose("c", [Send("e", {"i": 7})]), destinations=("e",))
    graph.add_node("d", step("d"))
    graph.add_node("e", lambda state: step(f"e{state['i']}")(state))
    graph.add_edge(START, "a")
    return graph


def deferred() -> StateGraph[State]:
    """``last`` waits for a short and a long path."""
    graph = StateGraph(State)
    for name in ["a", "short", "long1", "long2"]:
        graph.add_node(name, step(name))
    graph.add_node("last", step("last"), defer=True)
    for start, end in [
        (START, "a"), ("a", "short"), ("a", "long1"), ("long1", "long2"),
        ("short", "last"), ("long2", "last"), ("last", END),
    ]:  # fmt: skip
        graph.add_edge(start, end)
    return graph


def bad_router() -> StateGraph[State]:
    """The router after a raises until it is mended."""
    graph = StateGraph(State)

    def route(state: State) -> str:
        if os.environ.get("ROUTER") == "raises":
            raise KeyError("no such key")
        if os.environ.get("ROUTER") == "typo":
            return "bb"
        return "b"

    graph.add_node("a", step("a"))
    graph.add_node("b", step("b"))
    graph.add_edge(START, "a")
    graph.add_conditional_edges("a", route)
    graph.add_edge("b", END)
    return graph


def bad_goto() -> StateGraph[State]:
    """a goes on to a step that does not exist, until it is mended."""
    graph = StateGraph(State)

    def a(state: State) -> Command[Any]:
        note("a")
        return Command(goto="bb" if os.environ.get("ROUTER") == "typo" else "b")

    graph.add_node("a", a)
    graph.add_node("b", step("b"))
    graph.add_edge(START, "a")
    return graph


def conflict() -> StateGraph[State]:
    """Two parallel steps write one plain value."""
    graph = StateGraph(State)
    graph.add_node("a", step("a", plain=1))
    graph.add_node("b", step("b", plain=2))
    graph.add_edge(START, "a")
    graph.add_edge(START, "b")
    return graph


def held() -> StateGraph[State]:
    """One step that blocks until it is let go."""
    graph = StateGraph(State)

    def hold(state: State) -> dict[str, Any]:
        note("hold")
        wait_for_file("go")
        note("held")
        return {"out": ["held"]}

    graph.add_node("hold", hold)
    graph.add_node("after", step("after"))
    graph.add_edge(START, "hold")
    graph.add_edge("hold", "after")
    return graph


def stopping() -> StateGraph[State]:
    """A step in flight that ends once its run was asked to stop, and one after it."""
    graph = StateGraph(State)

    def hold(state: State) -> dict[str, Any]:
        note("hold")
        run = current.get()._run  # type: ignore[union-attr] # the engine's, which has heard of it
        assert run.drain.wait(60)
        return {"out": ["held"]}

    graph.add_node("hold", hold)
    graph.add_node("after", step("after"))
    graph.add_edge(START, "hold")
    graph.add_edge("hold", "after")
    return graph


def asks() -> StateGraph[State]:
    """A step that asks a person."""
    graph = StateGraph(State)

    def ask(state: State) -> dict[str, Any]:
        return {"out": [interrupt("go on?")]}

    graph.add_node("a", step("a"))
    graph.add_node("ask", ask)
    graph.add_edge(START, "a")
    graph.add_edge("a", "ask")
    return graph


@dataclass
class Point:
    x: int
    y: tuple[int, ...]


class Values(TypedDict, total=False):
    point: Point
    seen: list[str]


def values() -> StateGraph[Values]:
    """Values that a serialiser changes: the second step says what it got."""
    graph = StateGraph(Values)

    def make(state: Values) -> dict[str, Any]:
        return {"point": Point(1, (2, 3))}

    def look(state: Values) -> dict[str, Any]:
        die_once("look")
        point = state["point"]
        return {"seen": [type(point).__name__, type(point.y).__name__]}

    graph.add_node("make", make)
    graph.add_node("look", look)
    graph.add_edge(START, "make")
    graph.add_edge("make", "look")
    return graph


@dataclass
class Name:
    """Of a file."""

    text: str


def unstorable() -> StateGraph[Any]:
    """A step that returns an open file, or, as GARBLED says, a file's name that is no text."""
    graph: StateGraph[Any] = StateGraph(dict)
    name = {"fine": "?", "file": [Name(os.fsdecode(b"caf\xe9"))]}
    file: Any = name if os.environ.get("GARBLED") else {"file": open(os.devnull)}  # noqa: SIM115
    graph.add_node("bad", lambda state: file)
    graph.add_edge(START, "bad")
    return graph


def exits() -> StateGraph[State]:
    """A step that calls sys.exit(), and one that prints."""
    graph = StateGraph(State)

    def leave(state: State) -> None:
        print("printed by a step")  # noqa: T201 - that is what it is for
        os.system("echo printed by a child")
        raise SystemExit(3)

    graph.add_node("leave", leave)
    graph.add_edge(START, "leave")
    return graph


def coroutine() -> StateGraph[State]:
    """A step that is a coroutine function."""
    graph = StateGraph(State)

    async def a(state: State) -> dict[str, Any]:
        import asyncio

        await asyncio.sleep(0)
        note("a")
        return {"out": ["a"]}

    graph.add_node("a", a)
    graph.add_edge(START, "a")
    return graph
