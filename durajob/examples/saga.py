"""``saga``: an order in three steps, each undone when a later one fails.

reserve, charge, ship: no transaction spans a warehouse, a bank and a carrier. So each step but
the last has a compensation, and when one fails, those of the finished steps run in reverse
order (refund, then release). They are steps like any other: killed among them, the job goes on
with the next. At the end the thread has failed, since the order was not fulfilled, and its
outcome is ``compensated``.

    durajob start saga -t order-17 -i fail=ship -i record=what-happened.txt
    durajob cancel order-17

Inputs:
    order: the order's number (1).
    fail: reserve, charge or ship: the step that fails.
    record: a file that gets a line for each thing done or undone.

In the state, ``done`` says what was done, in order.
"""

from __future__ import annotations

import operator
import os
from typing import Annotated, TypedDict

from durajob import Workflow
from durajob.examples.inputs import text

STEPS = ("reserve", "charge", "ship")


class Order(TypedDict, total=False):
    order: str
    fail: str
    record: str
    done: Annotated[list[str], operator.add]


class OrderRefused(Exception):
    """A step of the order was refused."""


workflow = Workflow("saga", Order, description="an order whose steps are undone when one fails")


def release(state: Order, result: Order) -> None:
    _record(state, "undo reserve")


def refund(state: Order, result: Order) -> None:
    _record(state, "undo charge")


@workflow.step
def accept(state: Order) -> Order:
    text(state, "fail", choices=STEPS)
    record = text(state, "record")
    # A relative path is fixed here, once, whatever folder a later process works in.
    return {"record": os.path.abspath(record)} if record else {}


@workflow.step(compensate=release)
def reserve(state: Order) -> Order:
    return _do(state, "reserve")


@workflow.step(compensate=refund)
def charge(state: Order) -> Order:
    return _do(state, "charge")


@workflow.step
def ship(state: Order) -> Order:
    return _do(state, "ship")


def _do(state: Order, name: str) -> Order:
    if text(state, "fail") == name:
        raise OrderRefused(f"{name} was refused, as the input asks")
    _record(state, name)
    return {"done": [name]}


def _record(state: Order, what: str) -> None:
    if "record" not in state:
        return
    descriptor = os.open(state["record"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{state.get('order', 1)}: {what}\n".encode())
    finally:
        os.close(descriptor)
