"""Claiming a thread: from its row in the store to a job that this process owns.

First the lock, then the checks, then the epoch. What is refused is refused before anything
is written: a definition that changed, a pending step that is gone, a job that has failed too
often in a row.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from durajob import clock
from durajob.engine.admit import definition_columns
from durajob.engine.crashes import is_loop, max_crashes_of
from durajob.engine.graph import Shape
from durajob.engine.job import Job
from durajob.engine.signals import Drain
from durajob.errors import Busy, CrashLoop, DefinitionChanged, DurajobError, StoreDamaged
from durajob.events import Notice, Observer
from durajob.model import StepError
from durajob.record import Record
from durajob.registry import Definition
from durajob.store.ended import clear_word, has_left_word
from durajob.store.files import held_files, log_folder, work_folder
from durajob.store.logs import MAX_SIZE
from durajob.store.notifications import Announcer
from durajob.store.processes import boot_id, is_alive, still_drives
from durajob.store.read import Reader
from durajob.store.write import Writer
from durajob.targets import Loaded

_POLL = 0.2  # seconds between two looks at a lock that somebody holds


class TooManyResumes(DurajobError):
    """The thread was resumed too often without a step finishing."""

    code = "too_many_resumes"
    exit_status = 1


class StopAsked(Busy):
    """Asked to stop before the thread was claimed; nothing of it ran."""

    code = "stopped"


class Claim(Record):
    """What to claim, and how."""

    thread: str
    definition: Definition
    loaded: Loaded
    shape: Shape
    file: str | None
    wait: bool = False  # for whoever owns it now
    reset_resumes: bool = False
    accept_change: bool = False  # a person says that the changed definition fits
    epoch: int | None = None  # claim it only if nobody has since this epoch
    said: tuple[str, ...] = ()  # what a person insisted on


def claim(request: Claim, writer: Writer, *, observer: Observer, drain: Drain) -> Job | None:
    """Own the thread. None when there is nothing to drive: it has ended for good meanwhile,
    somebody has claimed it since ``epoch``, or it failed in a crash loop and would again.

    Raises:
        Busy: when another process owns it (and ``wait`` is false).
        DefinitionChanged: when its checkpoint does not fit the definition.
        TooManyResumes: when it fails each time it is resumed.
        StopAsked: when a signal came first.
    """
    row = row_of(request.thread, writer)
    _take_lock(request, writer, row["id"], observer, drain)
    row = row_of(request.thread, writer, checked=True)
    if row["status"] in ("completed", "cancelled") or row["outcome"] == "compensated":
        return None
    if row["status"] == "waiting" and not row["due"] and row["cancel_epoch"] is None:
        return None
    if request.epoch not in (None, row["epoch"]):
        return None
    owner = json.loads(row["owner"]) if row["owner"] else None
    refuse_second_owner(request.thread, row, owner, writer.path)
    check_fit(request, row, writer.path)
    if not request.reset_resumes and _fails_again(request, row, writer):
        return None
    if not request.reset_resumes and row["resumes"] >= request.definition.max_resumes:
        raise TooManyResumes(
            f"thread {request.thread} was resumed {row['resumes']} times without a step "
            "finishing (max_resumes)",
            hint=f"mend the cause, then: durajob resume {request.thread} --reset-resumes",
        )
    if not _take_seat(request, writer, observer, drain):
        row = row_of(request.thread, writer, checked=True)
        check_fit(request, row, writer.path)
    compensating = row["outcome"] == "compensating"
    unwinding = is_unwinding(row)
    resumed = row["started_at"] is not None or row["checkpoint_id"] is not None  # forked
    logs = log_folder(writer.path) / str(row["id"])
    crashed = owner is not None and is_a_steps_doing(owner, logs, row["epoch"])
    columns = definition_columns(request.definition, request.shape, request.file)
    announcer = Announcer.of(
        request.definition.notify,
        row=row["id"],
        workflow=row["workflow"],
        definition=columns["definition"],
    )
    door = writer.claim(
        row["id"],
        {"reset": request.reset_resumes, "total": request.shape.total, **columns},
        crashed=crashed,
        announcer=announcer,
        interrupted=row["status"] == "running",
        said=request.said,
    )
    if door is None:
        return None
    if owner is not None and not crashed:
        clear_word(logs, row["epoch"])
    return Job(
        thread=request.thread,
        workflow=request.definition.name,
        input=json.loads(row["input"]),
        definition=request.definition,
        loaded=request.loaded,
        concurrency=request.definition.concurrency,
        door=door,
        lock=writer.locks.fd,
        pointer=row["checkpoint_id"],
        superstep=row["superstep"],
        next=() if unwinding and not compensating else pending_names(row["next"]),
        done=row["done"],
        total=request.shape.total,
        resumed=resumed,
        logs=logs,
        max_crashes=request.definition.max_crashes,
        folder=work_folder(writer.path) / str(row["id"]),
        secrets=request.definition.secrets,
        log_size=request.definition.log_size or MAX_SIZE,
        compensating=compensating,
        cause=None if row["cause"] is None else StepError(**json.loads(row["cause"])),
        cancelling=door.cancelling,
        announcer=announcer,
    )


def refuse_second_owner(
    thread: str, row: Mapping[str, Any], owner: Mapping[str, Any] | None, store: Path
) -> None:
    """Refuse a thread whose lock could be had only because its lock file was removed.

    Raises:
        Busy: naming the process that still drives it.
    """
    if owner is not None and still_drives(row["status"], owner, held_files(store)):
        raise Busy(
            f"thread {thread} has lost its lock file, and process {owner['pid']} still drives it",
            hint=f"wait for its end, or: durajob resume {thread} --take-over",
        )


def is_unwinding(row: Mapping[str, Any]) -> bool:
    """Whether the thread's graph runs no more, and only what it has done is to be undone."""
    return row["outcome"] == "compensating" or row["cancel_epoch"] is not None


def check_fit(request: Claim, row: Mapping[str, Any], store: Path) -> None:
    """Refuse a thread that the definition no longer fits.

    Raises:
        DefinitionChanged: with what has changed, and the way out.
    """
    if is_unwinding(row):
        _check_compensations(request, row, store)
    else:
        _check_shape(request, row)


def pending_names(text: str) -> tuple[str, ...]:
    """The names of the steps that come next, each once."""
    return tuple(dict.fromkeys(name for name, _ in json.loads(text)))


def is_a_steps_doing(owner: Mapping[str, Any], logs: Path, epoch: int) -> bool:
    """Whether a step may have killed the last owner: not if the machine was started anew, if
    the store is a copy or came from another one, or if the owner left word of its end."""
    if owner["host"] != os.uname().nodename or owner["boot"] != boot_id() or is_alive(owner):
        return False
    return not has_left_word(logs, epoch)


def _fails_again(request: Claim, row: Mapping[str, Any], writer: Writer) -> bool:
    """Whether the thread failed because of a crash loop that nobody has forgiven since."""
    if row["status"] != "failed":
        return False
    try:
        error = StepError(**json.loads(row["error"]))
    except (TypeError, ValueError):
        return False  # where it cannot be read, the step itself is asked
    if error.type != CrashLoop.__name__ or error.step is None:
        return False
    crashes = writer.last_crashes(row["id"], error.step)
    most = max_crashes_of(error.step, request.loaded.policies, request.definition.max_crashes)
    return crashes is not None and is_loop(crashes, most)


def row_of(thread: str, writer: Writer, *, checked: bool = False) -> Mapping[str, Any]:
    """The thread's row as it is now; ``checked``: and all that a resume goes on from."""
    with Reader(writer.path, known_before=True) as reader:
        row = reader.row(thread, checked=checked)
    if row is None:
        raise StoreDamaged(
            f"thread {thread} vanished from the store {writer.path}",
            hint="was the store replaced or pruned while it was used?",
        )
    return row


def _take_lock(request: Claim, writer: Writer, row: int, observer: Observer, drain: Drain) -> None:
    told = False
    while True:
        if drain.requested:
            raise StopAsked(
                f"asked to stop ({drain.reason}) before thread {request.thread} was claimed",
                hint=f"durajob resume {request.thread}",
            )
        try:
            writer.take_lock(row)
            return
        except Busy as busy:
            if not request.wait:
                raise
            if not told:
                told = True
                observer.notify(
                    Notice(thread=request.thread, at=clock.now(), text=f"{busy}; waiting")
                )
        drain.wait(_POLL)


def _take_seat(request: Claim, writer: Writer, observer: Observer, drain: Drain) -> bool:
    """Wait until fewer than ``max_running`` threads of the store run. False when a person wants
    the thread cancelled meanwhile: that waits for nobody."""
    limit, told = request.definition.max_running, False
    while limit is not None and writer.locks.try_seat(limit) is None:
        if not told:
            told = True
            text = f"{limit} threads of this store run already (max_running); waiting"
            observer.notify(Notice(thread=request.thread, at=clock.now(), text=text))
        if drain.wait(_POLL):
            raise StopAsked(
                f"asked to stop ({drain.reason}) while thread {request.thread} waited its turn",
                hint=f"durajob resume {request.thread}",
            )
        if told and row_of(request.thread, writer)["cancel_epoch"] is not None:
            return False
    return True


def _check_compensations(request: Claim, row: Mapping[str, Any], store: Path) -> None:
    """The graph will not run again, so its shape may change; what is due must be there."""
    with Reader(store, known_before=True) as reader:
        due = reader.due(row["id"])
    policies = request.loaded.policies
    gone = [name for name in due if name not in policies or policies[name].compensate is None]
    if gone:
        raise DefinitionChanged(
            f"thread {request.thread} is to compensate {', '.join(map(repr, gone))}, for which "
            f"workflow {request.definition.name} no longer has a compensation",
            hint="give that step its compensate= again; the function may be another one, "
            "or do nothing where all was undone by hand",
        )


def _check_shape(request: Claim, row: Mapping[str, Any]) -> None:
    steps = set(request.shape.parts["steps"])
    gone = [name for name in pending_names(row["next"]) if name not in steps]
    if gone:
        raise DefinitionChanged(
            f"thread {request.thread} is to go on with {', '.join(map(repr, gone))}, "
            f"which workflow {request.definition.name} no longer has",
            hint="give the workflow that step again, or start a new thread",
        )
    if row["started_at"] is not None or row["checkpoint_id"] is not None:
        refuse_change(request, row)


def refuse_change(request: Claim, row: Mapping[str, Any]) -> None:
    """Refuse a definition of another shape than the thread has begun with.

    Raises:
        DefinitionChanged: with what has changed, and the way out.
    """
    if row["fingerprint"] == request.shape.fingerprint:
        return
    if request.accept_change or request.definition.on_change == "accept":
        return
    difference = request.shape.difference(json.loads(row["shape"]))
    if not difference:
        return  # an earlier durajob kept less of the shape
    raise DefinitionChanged(
        f"workflow {request.definition.name} has changed under thread {request.thread} "
        f"({difference})",
        hint=f"undo the change; or, if the thread can go on with it: "
        f"durajob resume {request.thread} --accept-change",
    )
