"""``saga``: an order in three steps, each undone when a later one fails.

reserve, charge, ship: no transaction spans a warehouse, a bank and a carrier. So each step has
a compensation, and when one fails, those of the finished steps run in reverse order (refund,
then release). They are steps like any other: killed among them, the job goes on with the next.
At the end the thread has failed, since the order was not fulfilled, and its state says how.

Inputs:
    order: the order's number (1).
    fail: reserve, charge or ship: the step that fails.
    record: a file that gets a line for each thing done or undone.

In the state, ``done`` and ``undone`` say what happened in order, ``outcome`` how it ended:
fulfilled, compensated, or rejected when there was nothing to undo.
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
    failed: str  # the step that failed
    reason: str
    done: Annotated[list[str], operator.add]
    undone: Annotated[list[str], operator.add]
    outcome: str


class OrderNotFulfilled(Exception):
    """The order was not fulfilled; what had been done was undone."""


workflow = Workflow("saga", Order, description="an order whose steps are undone when one fails")


@workflow.step
def accept(state: Order) -> Order:
    text(state, "fail", choices=STEPS)
    record = text(state, "record")
    # A relative path is fixed here, once, whatever folder a later process works in.
    return {"record": os.path.abspath(record)} if record else {}


@workflow.step
def reserve(state: Order) -> Order:
    return _do(state, "reserve")


@workflow.step
def charge(state: Order) -> Order:
    return _do(state, "charge")


@workflow.step
def ship(state: Order) -> Order:
    return _do(state, "ship")


@workflow.step
def refund(state: Order) -> Order:
    return _undo(state, "charge")


@workflow.step(after=refund)
def release(state: Order) -> Order:
    return _undo(state, "reserve")


@workflow.step(after=release)
def settle(state: Order) -> Order:
    if "failed" not in state:
        return {"outcome": "fulfilled"}
    return {"outcome": "compensated" if state.get("undone") else "rejected"}


@workflow.step
def report(state: Order) -> None:
    """Fail when the order failed, in a step of its own so that the outcome is kept before."""
    if state["outcome"] != "fulfilled":
        undone = ", ".join(state.get("undone", [])) or "nothing"
        raise OrderNotFulfilled(
            f"{state['failed']} failed ({state['reason']}); {state['outcome']}, undone: {undone}"
        )


def _failed(state: Order) -> bool:
    return "failed" in state


# charge, ship and refund say no `after`: they are reached by these branches alone.
workflow.branch(after=reserve, choose=_failed, to={False: charge, True: settle})
workflow.branch(after=charge, choose=_failed, to={False: ship, True: release})
workflow.branch(after=ship, choose=_failed, to={False: settle, True: refund})


def _do(state: Order, name: str) -> Order:
    # A failure is a result here, not an exception: the graph decides what follows from it.
    if text(state, "fail") == name:
        return {"failed": name, "reason": f"{name} was refused, as the input asks"}
    _record(state, name)
    return {"done": [name]}


def _undo(state: Order, name: str) -> Order:
    _record(state, f"undo {name}")
    return {"undone": [name]}


def _record(state: Order, what: str) -> None:
    if "record" not in state:
        return
    descriptor = os.open(state["record"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{state.get('order', 1)}: {what}\n".encode())
    finally:
        os.close(descriptor)
