"""Forking a thread: a new one, admitted as of the checkpoint before a step, with other values.

The parent is only read, and may run meanwhile: the checkpoint and what led to it never change.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from durajob.engine import environment
from durajob.engine import graph as graphs
from durajob.engine.admit import definition_columns
from durajob.engine.claim import Claim, refuse_change
from durajob.errors import DefinitionChanged, UpdateUnfit
from durajob.record import Record
from durajob.store.files import make_folder, work_folder
from durajob.store.forks import Fork, Origin, changed, origin_of
from durajob.store.read import Reader
from durajob.store.saver import Serializer
from durajob.store.write import Writer


class Forking(Record):
    """What is to be forked, and where."""

    thread: str  # the new one
    row: Mapping[str, Any]  # of the old one
    step: str
    visit: int | None
    changes: Mapping[str, Any]
    reason: str | None
    claim: Claim  # today's definition of the old one


def fork(request: Forking, writer: Writer) -> bool:
    """Admit the fork; False when the thread id is taken.

    Raises:
        StepNotFound: when the thread has not come to the step.
        CheckpointGone: when the checkpoint before it is not kept.
        UpdateUnfit: when the state has no such key.
        DefinitionChanged: when the workflow is another by now.
    """
    row, claim = request.row, request.claim
    builder = claim.loaded.builder
    refuse_change(claim, row)
    compiled = builder.compile()
    deltas = graphs.delta_channels(compiled)
    with Reader(writer.path, known_before=True) as reader:
        origin = origin_of(reader, row, request.step, request.visit, rebuilt=bool(deltas))
    checkpoint = Serializer().loads_typed((origin.kind, origin.data))
    graphs.refuse_pending_that_is_gone(builder, checkpoint)
    pending = graphs.pending_steps(compiled, graphs.entry_steps(builder), checkpoint)
    if not pending:
        raise DefinitionChanged(
            f"nothing comes next in today's workflow at step {request.step}",
            hint="give the workflow that step again, or start a new thread",
        )
    details = {
        "parent": row["thread"],
        "step": request.step,
        "visit": request.visit,
        "update": dict(request.changes),
    }
    return writer.fork(
        {
            "thread": request.thread,
            "workflow": row["workflow"],
            "input": row["input"],
            "next": environment.dumps(pending),
            "total": claim.shape.total,
            "slot": None,
            **definition_columns(claim.definition, claim.shape, claim.file),
        },
        Fork(
            parent=row["thread"],
            parent_row=row["id"],
            origin=_changed(request, origin, deltas),
            next=environment.dumps(pending),
            reason=request.reason,
            details=details,
        ),
        id=_copy_folder(row["id"], writer),
    )


def _changed(request: Forking, origin: Origin, deltas: frozenset[str]) -> Origin:
    changes, channels = request.changes, request.claim.loaded.builder.channels
    if not changes:
        return origin
    root = "__root__" in channels
    for key in changes:
        if key not in channels and not root:
            raise UpdateUnfit(
                f"the state of the workflow has no key {key[:60]!r}",
                hint=f"it has {', '.join(sorted(channels))}",
            )
        if key in deltas:
            raise UpdateUnfit(
                f"{key} is kept as changes (DeltaChannel), and cannot be set",
                hint="fork from a step that writes it, and complete that by hand",
            )
    try:
        return origin._replace(data=changed(origin.data, changes, root=root))
    except (TypeError, ValueError) as error:
        raise UpdateUnfit(
            f"the state is no dict of keys, and cannot be changed: {error}",
            hint="fork it without -i",
        ) from error


def _copy_folder(row: int, writer: Writer) -> int | None:
    """Copy the folder of a thread's shell steps for the fork, which the files are as they are
    now: the row id that it was made for, None where there is no folder."""
    folder = work_folder(writer.path) / str(row)
    if not folder.is_dir():
        return None
    id = writer.reserve_row()
    writer.locks.try_thread(id)  # until it is admitted: nobody prunes the folder meanwhile
    copy = work_folder(writer.path) / str(id)
    make_folder(copy.parent)
    shutil.copytree(folder, copy, symlinks=True, copy_function=_copy, dirs_exist_ok=True)
    return id


def _copy(source: str, target: str) -> None:
    with suppress(FileNotFoundError):  # the parent may run, and take away what it made
        shutil.copy2(source, target, follow_symlinks=False)
