"""Steps settled by hand: completed with what they should have returned, or skipped.

The step's wrapper answers from what is written here, as it does for a step that finished just
before its process died. So siblings in a fan-out keep their results, and nothing of the graph
runs until somebody resumes the thread.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from durajob import clock
from durajob.engine.claim import (
    Claim,
    check_fit,
    is_a_steps_doing,
    refuse_second_owner,
    row_of,
)
from durajob.engine.pending import Task, pending_tasks
from durajob.engine.values import to_store
from durajob.errors import (
    Busy,
    ResultNotStorable,
    StepNotFound,
    StepSettled,
    ThreadEnded,
    UpdateUnfit,
)
from durajob.policies import StepPolicy
from durajob.record import Record
from durajob.store.byhand import Deed, Hand, Settled
from durajob.store.ended import clear_word
from durajob.store.files import log_folder
from durajob.store.ledger import Undo
from durajob.store.processes import is_alive
from durajob.store.saver import Progress, Saver
from durajob.store.write import Writer
from durajob.targets import Loaded
from durajob.targets.nested import key_of

_PATIENCE, _POLL = 3.0, 0.02  # seconds: somebody may just be settling another branch


class Settling(Record):
    """A step that is to be settled; ``claim`` is None for a thread that has ended."""

    thread: str
    deed: Deed
    claim: Claim | None


def settle(request: Settling, writer: Writer) -> Settled | None:
    """Settle the step; what was said before, if it was settled just so already.

    Raises:
        Busy: when another process owns the thread.
        ThreadEnded: when nothing of its graph will run any more.
        StepNotFound: when no such step comes next.
        StepSettled: when the step has finished, or was settled otherwise.
        UpdateUnfit: when it could not have returned that.
        DefinitionChanged: when what comes next is gone from the workflow.
    """
    _take_lock(request.thread, writer)
    row = row_of(request.thread, writer, checked=True)
    owner = json.loads(row["owner"]) if row["owner"] else None
    refuse_second_owner(request.thread, row, owner, writer.path)
    logs = log_folder(writer.path) / str(row["id"])
    crashed = owner is not None and is_a_steps_doing(owner, logs, row["epoch"])
    hand = Hand(writer.hold(row["id"], row["epoch"]), row["superstep"], crashed=crashed)
    before = _settle(request, row, hand, writer)
    if before is None and owner is not None and not crashed:
        clear_word(logs, row["epoch"])
    return before


def _settle(
    request: Settling, row: Mapping[str, Any], hand: Hand, writer: Writer
) -> Settled | None:
    thread, deed, claim = request.thread, request.deed, request.claim
    if row["outcome"] == "compensating":
        return _settle_compensation(request, hand)
    ended = row["status"] in ("completed", "cancelled") or row["outcome"] == "compensated"
    if ended or row["cancel_epoch"] is not None:
        if (before := _before(hand, deed)) is not None:
            return before
        if ended:
            raise ThreadEnded(
                f"thread {thread} has ended, and no step of it is left to settle",
                hint=f"durajob status {thread}",
            )
        raise ThreadEnded(
            f"thread {thread} is to be cancelled, and no step of it runs any more",
            hint=f"durajob cancel {thread} goes on with that",
        )
    if row["checkpoint_id"] is None or row["superstep"] < 0:
        raise StepNotFound(
            f"thread {thread} has not begun: no step of it comes next yet",
            hint=f"durajob resume {thread}",
        )
    assert claim is not None, "the thread has not ended, nor had it before"
    check_fit(claim, row, writer.path)
    tasks, serde = _prepare(claim.loaded, row, hand, writer)
    task = _find(request, tasks, hand)
    if isinstance(task, Settled):
        return task
    _refuse_what_chooses(task)
    stored = _stored(request, task, tasks, hand, serde)
    hand.settle(deed, task.place, stored, _undo(claim.loaded, task, deed, serde))
    return None


def _prepare(
    loaded: Loaded, row: Mapping[str, Any], hand: Hand, writer: Writer
) -> tuple[list[Task], Any]:
    """The tasks that come next, and the serialiser that knows the types of the state."""
    door = writer.hold(row["id"], row["epoch"])
    saver = Saver(door, hand.ledger, Progress(row["checkpoint_id"]))
    compiled = loaded.builder.compile(checkpointer=saver)
    tasks = pending_tasks(compiled, loaded.builder, thread=row["thread"], ledger=hand.ledger)
    return tasks, compiled.checkpointer.serde  # type: ignore[union-attr] # the saver given above


def _take_lock(thread: str, writer: Writer) -> None:
    """Take the thread's lock; wait a little for whoever is no owner, but settles a step."""
    end = clock.monotonic() + _PATIENCE
    while True:
        row = row_of(thread, writer)
        try:
            writer.take_lock(row["id"])
            return
        except Busy as busy:
            owner = json.loads(row["owner"]) if row["owner"] else None
            if clock.monotonic() > end or (owner is not None and is_alive(owner)):
                hint = "wait for its end, or stop it; what was settled before stands"
                raise Busy(busy.message, hint=hint) from busy
        time.sleep(_POLL)


def _before(hand: Hand, deed: Deed, visit: int | None = None) -> Settled | None:
    """What was said of the step before, if it was the same."""
    for settled in hand.settled():
        if settled.step == deed.step and visit in (None, settled.visit):
            if settled.is_same(deed):
                return settled
            done = "completed" if settled.verb == "complete" else "skipped"
            with_what = "" if settled.update is None else f", with {json.dumps(settled.update)}"
            raise StepSettled(
                f"step {deed.step} was {done} by {settled.user} at "
                f"{clock.to_rfc3339(settled.at)}{with_what:.300}",
                hint="what was said of a step stands; durajob fork goes another way from there",
            )
    return None


def _find(request: Settling, tasks: Sequence[Task], hand: Hand) -> Task | Settled:
    thread, deed = request.thread, request.deed
    found = next((task for task in tasks if task.place.step == deed.step), None)
    if found is not None and not found.finished:
        return found
    before = _before(hand, deed, None if found is None else hand.ledger.past(found.place).visit)
    if before is not None:
        return before
    left = [task.place.step for task in tasks if not task.finished]
    shown = ", ".join(left[:10]) + (f" and {len(left) - 10} more" if left[10:] else "")
    hint = f"next: {shown}" if left else f"durajob resume {thread}"
    if found is not None or hand.ledger.has_begun(deed.step):
        raise StepSettled(f"step {deed.step} of thread {thread} has finished", hint=hint)
    raise StepNotFound(f"step {deed.step[:100]!r} is not next in thread {thread}", hint=hint)


def _settle_compensation(request: Settling, hand: Hand) -> Settled | None:
    thread, deed, due = request.thread, request.deed, hand.ledger.due()
    if due is not None and due.place.step == deed.step:
        if deed.update:
            raise UpdateUnfit(
                f"{deed.step} is a compensation, and changes no state", hint="leave -i out"
            )
        hand.settle_compensation(deed, due)
        return None
    if (before := _before(hand, deed)) is not None:
        return before
    raise StepNotFound(
        f"step {deed.step[:100]!r} is not next in thread {thread}, which is being compensated",
        hint=f"durajob resume {thread}" if due is None else f"next: {due.place.step}",
    )


def _refuse_what_chooses(task: Task) -> None:
    """A step that says itself what comes next would, settled by hand, end its path in silence."""
    name, builder = task.path[-1], task.builder
    follows = any(name == start for start, _ in builder.edges) or any(
        name in starts for starts, _ in builder.waiting_edges
    )
    if builder.nodes[name].ends and not follows and name not in builder.branches:
        raise UpdateUnfit(
            f"step {task.place.step} says itself what comes next, which cannot be said by hand",
            hint="mend it and resume, or fork the thread from a step after it",
        )


def _stored(
    request: Settling, task: Task, tasks: Sequence[Task], hand: Hand, serde: Any
) -> tuple[str, bytes]:
    """What the step is taken to have returned, as the ledger keeps it."""
    deed, claim = request.deed, request.claim
    assert claim is not None, "the thread has not ended"
    result: Any = None if deed.update is None else dict(deed.update)
    if claim.definition.commands:
        from durajob.workflow.shell import returned_by_hand

        result = returned_by_hand(claim.definition.commands, task.path[-1], deed.update)
    try:
        stored = to_store(serde, f"step {deed.step}", result, did="cannot be given")
    except ResultNotStorable as error:
        raise UpdateUnfit(error.message, hint=error.hint) from error
    _check(task, serde.loads_typed(stored), _beside(task, tasks, hand, serde))
    return stored


def _beside(task: Task, tasks: Sequence[Task], hand: Hand, serde: Any) -> list[Any]:
    """What the steps beside it have returned already."""
    keys = [
        each.place.key
        for each in tasks
        if each.channels is task.channels and hand.ledger.has(each.place.key)
    ]
    return [serde.loads_typed(hand.ledger.recall(key)) for key in keys]


def _check(task: Task, result: Any, beside: Sequence[Any]) -> None:
    """Refuse what the state would refuse at each resume, once it stands in the ledger."""
    if result is None:
        return
    root = "__root__" in task.builder.channels
    updates = {"__root__": result} if root else result
    for key, value in updates.items():
        if key not in task.builder.channels:
            raise UpdateUnfit(
                f"the state of {_graph_of(task)} has no key {key[:60]!r}",
                hint=f"it has {', '.join(sorted(task.builder.channels))}",
            )
        others = [
            one if root else one[key]
            for one in beside
            if one is not None and (root or (isinstance(one, dict) and key in one))
        ]
        try:
            task.channels[key].copy().update([*others, value])
        except Exception as error:  # a user's reducer may raise anything
            what = "the update" if root else f"{key} = {json.dumps(value):.100}"
            raise UpdateUnfit(
                f"the state does not take {what}: {' '.join(str(error).split())[:500]}",
                hint="durajob status shows the state; -i KEY:=JSON gives other types than text",
            ) from error


def _graph_of(task: Task) -> str:
    return f"subgraph {key_of(task.path[:-1])!r}" if task.path[1:] else "the workflow"


def _undo(loaded: Loaded, task: Task, deed: Deed, serde: Any) -> Undo | None:
    """What was done by hand is compensated like what the step does; what was skipped is not."""
    node = key_of(task.path)
    if deed.update is None or loaded.policies.get(node, StepPolicy()).compensate is None:
        return None
    given = to_store(serde, f"step {deed.step}", task.given, did="was given")
    return Undo(node=node, state=given)
