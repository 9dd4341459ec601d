"""Steps that use two of durajob's facilities at once, where one might get in the other's way."""

# ruff: noqa: D103, T201 - these are steps: they print, and their names say what they do

from __future__ import annotations

import os
import time
from typing import Any, TypedDict

from durajob import Workflow, approval, heartbeat, lock, once, progress, sleep, track
from tests.integration.graphs import note, wait_for_file


class State(TypedDict, total=False):
    password: str
    said: Any


def first_time(name: str) -> bool:
    """Whether it is, in whatever process."""
    try:
        os.close(os.open(f"{os.environ['EFFECTS']}.first.{name}", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


apart = Workflow("apart", State)


def do(key: str) -> str:
    note("effect")
    return key


@apart.step(isolate=True)
def all_at_once(state: State) -> State:
    """Every helper, from a worker process; it is left twice: for its sleep, for its question."""
    print("begins")
    key = once("effect", do)
    sleep("2h")
    with lock("L", wait="30s"):
        for _ in track(range(3)):
            heartbeat()
    progress(1, 2, "nearly")
    answer = approval("go on?")
    return {"said": [answer, key == once("effect", lambda: "never")]}


limited = Workflow("limited", State)


@limited.step(
    lock="till",
    timeout="1s",
    retry={"on": TimeoutError, "attempts": 2, "wait": "1ms"},
)
def hangs_once(state: State) -> None:
    note("begins")
    if first_time("hang"):
        time.sleep(600)


waits = Workflow("waits", State)


@waits.step(idle_timeout="1s")
def waits_long(state: State) -> None:
    """Longer than it may be idle, for what durajob keeps."""
    with lock("till"):
        note("has it")
    sleep("1500ms")


holds = Workflow("holds", State)


@holds.step(lock="till")
def hold(state: State) -> None:
    note("holds")
    wait_for_file("go")


trip = Workflow("trip", State)


def take_back(state: State, result: State) -> None:
    note("taking-back")
    if os.environ.get("UNDO_SLEEPS"):
        sleep("2h")
    note("taken-back")


@trip.step(compensate=take_back)
def book(state: State) -> None:
    note("book")


@trip.step
def stay(state: State) -> None:
    if os.environ.get("STAY") == "ask":
        approval("leave?")
    elif os.environ.get("STAY") == "sleep":
        sleep("2h")
    else:
        raise ConnectionError("no room")


party = Workflow("party", State)


def call_off(state: State, result: State) -> None:
    note(f"called-off:{approval('call off?')}")


@party.step(compensate=call_off)
def invite(state: State) -> None:
    note("invite")


@party.step(after=invite)
def asks(state: State) -> None:
    note("asks")
    approval("how many?")


@party.step(after=invite)
def fails(state: State) -> None:
    wait_for_file("go")
    raise ConnectionError("rain")


secret = Workflow("secret", State)


@secret.step(isolate=True)
def tells(state: State) -> None:
    """All the ways in which a worker's words come out."""
    print(f"printed {state['password']}")
    progress(1, 2, f"with {state['password']}")
    answer = approval({"ask": f"use {state['password']}?"})
    raise ConnectionError(f"{answer} {state['password']} was refused")
