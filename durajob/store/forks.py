"""Threads forked from others: where a fork may begin, and what it is given of its parent.

A fork keeps the past and shares no future. It gets the checkpoint before the step, and the
attempts up to it as rows of its own, with epoch 0, since no owner of its own made them. What
its parent has done to the outside world stays the parent's: effects, compensations, questions and
sleeps are not copied, and everything that runs in the fork has keys of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import ormsgpack

from durajob.errors import CheckpointGone, StepNotFound
from durajob.model import COMPENSATION
from durajob.store import hand_queries, read_queries, seals
from durajob.store.ledger import AFTER_ALL
from durajob.store.look import Look


class Origin(NamedTuple):
    """The checkpoint that a fork begins from."""

    id: str
    superstep: int
    kind: str
    data: bytes
    metadata: bytes
    before: tuple[str, ...]  # checkpoints that it is rebuilt from, where a channel needs them


class Fork(NamedTuple):
    """What makes a thread a fork; beside what ``queries.ADMIT`` needs."""

    parent: str
    parent_row: int
    origin: Origin
    next: str  # JSON
    reason: str | None
    details: Mapping[str, Any]


def origin_of(
    look: Look, row: Mapping[str, Any], step: str, visit: int | None, *, rebuilt: bool
) -> Origin:
    """The checkpoint before a visit of a step, the last if ``visit`` is None.

    ``rebuilt``: some channel is kept as changes, so those before it are needed, too.

    Raises:
        StepNotFound: when the thread has not come to the step, or so often.
        CheckpointGone: when the checkpoint is no longer kept.
    """
    met = _met(look, row)
    supersteps = _supersteps(met, row["thread"], step)
    if visit is not None and not 1 <= visit <= len(supersteps):
        raise StepNotFound(
            f"thread {row['thread']} has come to step {step!r} {len(supersteps)} times",
            hint=f"--visit takes 1 to {len(supersteps)}",
        )
    superstep = supersteps[-1 if visit is None else visit - 1] - 1
    kept: dict[int, str] = {}
    with look.reading_of(row["thread"]):
        for id, metadata in look.rows(hand_queries.CHECKPOINTS_OF, (row["thread"],)):
            kept[json.loads(metadata)["step"]] = id
    if superstep not in kept:
        raise _gone(row, step, met, kept)
    id = kept[superstep]
    stored = look.one(read_queries.CHECKPOINT, (row["thread"], "", id))
    with look.reading_of(row["thread"]):
        seals.check_checkpoint(row["thread"], "", id, stored)
    before = tuple(kept[one] for one in sorted(kept) if one < superstep) if rebuilt else ()
    return Origin(id, superstep, stored[0], stored[1], stored[2], before)


def changed(data: bytes, changes: Mapping[str, Any], *, root: bool) -> bytes:
    """A stored checkpoint with other values in its channels; whatever else it holds stays, byte
    for byte. ``root``: the state is one open dict, and ``changes`` are laid over that."""
    checkpoint = ormsgpack.unpackb(data, ext_hook=ormsgpack.Ext, option=_OPTIONS)
    values = checkpoint["channel_values"]
    values.update({"__root__": {**values.get("__root__", {}), **changes}} if root else changes)
    return ormsgpack.packb(checkpoint, option=_OPTIONS)


def insert(cursor: Any, id: int, thread: str, fork: Fork) -> None:
    """Give the row of an admitted thread what makes it a fork."""
    origin = fork.origin
    values = {
        "id": id,
        "thread": thread,
        "parent": fork.parent,
        "parent_row": fork.parent_row,
        "superstep": origin.superstep,
        "checkpoint": origin.id,
        "next": fork.next,
    }
    cursor.execute(hand_queries.COPY_ATTEMPTS, values)
    for before in origin.before:
        cursor.execute(hand_queries.COPY_CHECKPOINT, {**values, "checkpoint": before})
        cursor.execute(hand_queries.COPY_WRITES, {**values, "checkpoint": before})
    parent = origin.before[-1] if origin.before else None
    kept = (thread, "", origin.id, parent, origin.kind, origin.data, origin.metadata)
    sealed = (seals.of_checkpoint(*kept), seals.of_next(origin.superstep, fork.next))
    cursor.execute(hand_queries.FORK_CHECKPOINT, (*kept, *sealed))
    cursor.execute(hand_queries.FORK, values)


def _met(look: Look, row: Mapping[str, Any]) -> list[tuple[str, int]]:
    """The steps that the thread has come to, each with the supersteps of the top level."""
    met = [
        (step, superstep)
        for step, superstep in look.rows(hand_queries.MET, (row["id"],))
        if superstep < AFTER_ALL
    ]
    # What comes next may not have begun; a step that waits or sleeps has no attempt.
    if row["outcome"] is None:
        for name, branches in json.loads(row["next"]):
            ranges = [range(*pair) for pair in branches or ()]
            names = [f"{name}[{index}]" for each in ranges for index in each] or [name]
            met += [(each, row["superstep"] + 1) for each in names]
    return met


def _supersteps(met: Sequence[tuple[str, int]], thread: str, step: str) -> list[int]:
    if step.endswith(COMPENSATION):
        raise StepNotFound(
            f"{step[:100]!r} is a compensation, which no graph comes to",
            hint="fork from a step of the workflow",
        )
    known = {name for name, _ in met}
    if step in known and "/" in step:
        raise StepNotFound(
            f"step {step!r} is inside a subgraph, whose checkpoints end with it",
            hint=f"--from {_head(step)} begins with the subgraph",
        )
    found = sorted({at for name, at in met if step in (name, _head(name), _group(_head(name)))})
    if not found:
        heads = sorted({_group(_head(name)) for name in known})
        shown = ", ".join(heads[:10]) + (f" and {len(heads) - 10} more" if heads[10:] else "")
        raise StepNotFound(
            f"thread {thread} has not come to a step {step[:100]!r}", hint=f"it has met: {shown}"
        )
    return found


def _gone(
    row: Mapping[str, Any], step: str, met: Sequence[tuple[str, int]], kept: Mapping[int, str]
) -> CheckpointGone:
    left = sorted({_group(_head(name)) for name, at in met if at - 1 in kept})
    hint = f"kept are those before: {', '.join(left[:10])}" if left else "start a new thread"
    if row["parent"] is not None:
        hint += f"; or: durajob fork {row['parent']} --from {step}"
    return CheckpointGone(
        f"the checkpoint before step {step} of thread {row['thread']} is not kept", hint=hint
    )


def _head(step: str) -> str:
    return step.partition("/")[0]


def _group(step: str) -> str:
    return step.partition("[")[0]


_OPTIONS = ormsgpack.OPT_NON_STR_KEYS
