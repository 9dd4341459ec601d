"""Steps that run in processes of their own, and misbehave in each way that there is."""

# ruff: noqa: D103, T201 - these are steps: they print, and their names say what they do

from __future__ import annotations

import asyncio
import ctypes
import logging
import operator
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import timedelta
from typing import Annotated, Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, TimeoutPolicy, interrupt

from durajob import Workflow, approval, heartbeat, lock, once, progress
from tests.integration.graphs import note, wait_for_file

LIMIT = 0.8


class State(TypedDict, total=False):
    kind: str
    n: int
    value: Any
    pids: list[int]
    out: Annotated[list[Any], operator.add]


class Odd(ConnectionError):
    """Cannot be pickled: its constructor wants more than its args hold."""

    def __init__(self, code: int, where: str) -> None:
        super().__init__(f"{code} at {where}")
        self.code = code


def again(name: str) -> bool:
    """Whether this has been called with the name before, in whatever process."""
    marker = f"{os.environ['EFFECTS']}.again.{name}"
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return True
    return False


def hang(kind: str) -> None:
    """Do not end, each kind in its own way."""
    if kind == "socket":
        left, _right = socket.socketpair()
        left.recv(1)
    elif kind == "spin":
        while True:
            pass
    elif kind == "c":
        ctypes.PyDLL(None).sleep(600)  # which keeps the interpreter's lock
    elif kind == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(0.01)
    elif kind == "chatty":
        while True:
            print("still here" * 100)
    elif kind == "thread":
        worker = threading.Thread(target=time.sleep, args=(600,))
        worker.start()
        worker.join()
    time.sleep(600)


def start_daemon() -> None:
    """A program that ticks in the judge's file, in a session of its own, with no parent left."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            note(f"daemon:{os.getpid()}")
            while True:
                note(f"tick:{time.monotonic()}")
                time.sleep(0.01)
        os._exit(0)
    os.wait()


KINDS = ("sleep", "socket", "spin", "c", "deaf", "chatty", "thread", "daemons")
hanging = Workflow("hanging", State)


def _hanging(kind: str) -> None:
    @hanging.step(name=kind, timeout=LIMIT, retry={"on": TimeoutError, "wait": 0, "attempts": 2})
    def run(state: State) -> State:
        if again(kind):
            return {"out": [kind]}
        note(f"{kind}:{os.getpid()}:{time.monotonic()}")
        child = subprocess.Popen(["sleep", "600"])
        note(f"child:{child.pid}")
        if kind == "daemons":
            start_daemon()
        hang(kind)
        note(f"{kind} went on")
        return {}


for each in KINDS:
    _hanging(each)

dying = Workflow("dying", State)
DEATHS = ("segfault", "killed", "exits", "aborts", "leaves")


def _dying(kind: str) -> None:
    retry: Any = {"on": ["ChildProcessError", "OverflowError"], "wait": 0, "attempts": 2}

    @dying.step(name=kind, isolate=True, retry=retry)
    def run(state: State) -> State:
        if again(kind):
            return {"out": [kind]}
        print(f"about to die: {kind}")
        if kind == "segfault":
            ctypes.string_at(0)
        elif kind == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        elif kind == "exits":
            os._exit(3)
        elif kind == "aborts":
            os.abort()
        start_daemon()  # what is left behind by a step that ends is no reason to fail
        return {"out": [kind]}


for each in DEATHS:
    _dying(each)

reused = Workflow("reused", State)


def _reused(number: int) -> None:
    @reused.step(name=f"s{number}", isolate=True)
    def run(state: State) -> State:
        return {"out": [os.getpid()]}


for index in range(8):
    _reused(index)

long = Workflow("long", State)


@long.step
def before(state: State) -> State:
    note("before")
    return {}


@long.step(isolate=True)
def held(state: State) -> State:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    note(f"pid:{child.pid}")
    start_daemon()
    note(f"pid:{os.getpid()}")
    wait_for_file("go")
    child.kill()
    note("held")
    return {}


between = Workflow("between", State)


@between.step(isolate=True)
def first(state: State) -> State:
    return {}


@between.step
def pause(state: State) -> State:
    note("paused")
    wait_for_file("go")
    return {}


@between.step(isolate=True)
def second(state: State) -> State:
    return {}


tidy = Workflow("tidy", State)


@tidy.step(isolate=True, retry={"on": Odd, "wait": 0, "attempts": 2})
def odd(state: State) -> State:
    if not again("odd"):
        try:
            raise KeyError("the cause")
        except KeyError as cause:
            error = Odd(7, "home")
            error.add_note("a note")
            raise error from cause
    return {}


@tidy.step(isolate=True)
def values(state: State) -> State:
    return {"value": {"point": (1, 2), "raw": b"\x00", "set": {1}}}


def types(state: State) -> str:
    return "types:" + ",".join(type(each).__name__ for each in state["value"].values())


@tidy.step
def outside(state: State) -> State:
    note(types(state))
    return {}


@tidy.step(isolate=True)
def prints(state: State, config: RunnableConfig) -> State:
    print(types(state))
    print(f"thread: {config['configurable']['thread_id']}")
    subprocess.run(["sh", "-c", "echo a program; echo its error >&2"], check=True)
    logging.info("so")
    progress(1, 1, "done")
    return {}


@tidy.step(isolate=True)
async def waits(state: State) -> State:
    await asyncio.sleep(0)
    return {"out": ["async"]}


idle = Workflow("idle", State)


@idle.step(idle_timeout=LIMIT)
def beats(state: State) -> State:
    for _ in range(8):
        time.sleep(LIMIT / 4)
        heartbeat()
    return {"out": ["beats"]}


@idle.step(idle_timeout=LIMIT)
async def reports(state: State) -> State:
    for done in range(8):
        await asyncio.sleep(LIMIT / 4)
        progress(done)
    return {"out": ["reports"]}


@idle.step(idle_timeout=LIMIT, retry={"on": TimeoutError, "wait": 0, "attempts": 2})
def silent(state: State) -> State:
    if not again("silent"):
        heartbeat()
        time.sleep(600)
    return {}


@idle.step(timeout=lambda state: LIMIT, retry={"on": TimeoutError, "wait": 0, "attempts": 2})
async def cancelled(state: State) -> State:
    if not again("cancelled"):
        try:
            await asyncio.sleep(600)
        finally:
            note("cleaned up")
    return {}


@idle.step(timeout=LIMIT, retry={"on": TimeoutError, "wait": 0, "attempts": 2})
async def refuses(state: State) -> State:
    if not again("refuses"):
        while True:
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                note("refused")
    return {}


def guests() -> StateGraph[State]:
    """Commands, sends, a question, and LangGraph's own timeout, in a subgraph too."""
    inner = StateGraph(State)
    inner.add_node("asks", asks)
    inner.add_node("slow", slow, timeout=TimeoutPolicy(run_timeout=timedelta(seconds=LIMIT)))
    inner.add_edge(START, "asks")
    graph = StateGraph(State)
    graph.add_node("sends", sends)
    graph.add_node("branch", branch)  # type: ignore[arg-type] # a Send may carry anything
    graph.add_node("inner", inner.compile())
    graph.add_edge(START, "sends")
    graph.add_edge("branch", "inner")
    graph.add_edge("inner", END)
    return graph


def sends(state: State) -> Command[Any]:
    update = {"out": [os.getpid()]}
    return Command(update=update, goto=[Send("branch", {"n": n}) for n in (1, 2)])


def branch(sent: dict[str, Any]) -> State:
    note(f"branch:{sent['n']}")
    return {}


def asks(state: State) -> Command[Any]:
    return Command(goto="slow")


async def slow(state: State) -> State:
    await asyncio.sleep(600)
    return {}


def question(state: State) -> State:
    """Ask a person twice, by LangGraph's means and by durajob's, from another process."""
    with lock("asking", wait="30s"):
        many = once("count", lambda key: 7)
    return {"out": [interrupt("how many?"), approval("sure?"), many]}


def questions() -> StateGraph[State]:
    """One isolated step that asks."""
    graph = StateGraph(State)
    graph.add_node("question", question)
    graph.add_edge(START, "question")
    graph.add_edge("question", END)
    return graph
