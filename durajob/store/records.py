"""Rows of the store as records of the model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from durajob.model import (
    COMPENSATION,
    AttemptStatus,
    LockHolder,
    LockWait,
    Owner,
    Step,
    StepError,
    StepProgress,
    Thread,
    ThreadStatus,
    Waiting,
)
from durajob.store import read_queries as queries
from durajob.store import seals
from durajob.store.asked import is_answered
from durajob.store.locks import LockFile
from durajob.store.look import Look
from durajob.store.resumable import check_attempts, check_count, check_name


def thread_of(look: Look, row: Any) -> Thread:
    """A row of ``queries.THREADS`` as a thread, without its state and steps."""
    with look.reading_of(row[1]):
        status = _status(look, row)
        if type(row[15]) is not int or type(row[17]) is not int:
            raise ValueError("a time that is none")
        seals.check_origin(row[21], row[0], row[1], row[2], row[13], row[15], row[5])
        owner = json.loads(row[9]) if row[9] and status is ThreadStatus.RUNNING else None
        waiting: list[Any] = []
        answered = False
        if status is ThreadStatus.WAITING:
            waiting = json.loads(row[11] or "[]")
            asked = asked_in(look, row[0])
            answered = is_answered(waiting, asked)
            waiting = [item for item in waiting if asked.get(item["id"], "open") == "open"]
        return Thread(
            thread=row[1],
            workflow=row[2],
            status=status,
            next=() if row[4] == "[]" else _next(look, row[0], row[19], json.loads(row[4])),
            input=json.loads(row[5]),
            done=row[6],
            total=row[7],
            error=None if row[8] is None else StepError(**json.loads(row[8])),
            owner=None
            if owner is None
            else Owner(host=owner["host"], pid=owner["pid"], since=owner["since"]),
            epoch=row[10],
            waiting_for=tuple(Waiting(**item) for item in waiting),
            wake_at=row[12],
            slot=row[13],
            parent=row[14],
            created_at=row[15],
            started_at=row[16],
            updated_at=row[17],
            finished_at=row[18],
            answered=answered,
            outcome=row[22],
            cause=None if row[23] is None else StepError(**json.loads(row[23])),
        )


def state_of(look: Look, row: Any) -> Mapping[str, Any]:
    """The values of the latest checkpoint, given a row of ``queries.THREADS``."""
    from durajob.store.decode import channel_values

    superstep, pointer = row[19], row[20]
    if pointer is None:
        return {}
    stored = look.one(queries.CHECKPOINT, (row[1], "", pointer))
    seals.check_checkpoint(row[1], "", pointer, stored)
    if row[3] not in ("completed", "cancelled") and row[22] is None:
        seals.check_next(stored, superstep, row[4])
    return channel_values(*stored[:2])


def steps_of(look: Look, row: int, done: int, driven: bool) -> Iterator[Step]:
    """Where each place in the run stands; ``done`` are those that the thread has counted."""
    places: dict[str, Any] = {}
    counts: dict[str, int] = {}
    begun: dict[str, int] = {}
    finished = 0
    for attempt in look.rows(queries.STEPS, (row,)):
        key = attempt[9]
        places[key] = attempt
        counts[key] = attempt[3]
        begun.setdefault(key, attempt[4])
        finished += attempt[2] in ("succeeded", "skipped")
    check_count(done, finished)
    for key, attempt in places.items():
        status = AttemptStatus(attempt[2])
        if status is AttemptStatus.RUNNING and not driven:
            status = AttemptStatus.ABANDONED
        yield Step(
            step=check_name(attempt[0], key),
            visit=attempt[1],
            status=status,
            attempts=counts[key],
            started_at=begun[key],
            finished_at=attempt[5],
            seconds=attempt[6],
            error=None if attempt[7] is None else step_error(attempt[7]),
            progress=None if attempt[8] is None else StepProgress(**json.loads(attempt[8])),
            max_attempts=attempt[10],
            due_at=attempt[11],
        )


def step_error(text: str) -> StepError:
    """The error of an attempt, from its JSON."""
    stored = json.loads(text)
    return StepError(**{name: stored.get(name) for name in StepError._fields})


def lock_waits_of(look: Look, row: int) -> Iterator[LockWait]:
    """The locks that steps of a running thread wait for, and who holds them."""
    file = look.locks
    if file is None:
        return
    for turn, number, name, step, limit, since in list(look.rows(queries.LOCK_WAITS, (row,))):
        if file.turn_is_waited_for(turn):
            rows = look.rows(queries.LOCK_HOLDERS, (number,))
            holders = tuple(lock_holders(rows, file, number))
            yield LockWait(name=name, step=step, limit=limit, since=since, holders=holders)


def lock_holders(rows: Iterable[Any], file: LockFile, number: int) -> Iterator[LockHolder]:
    """Those of the lock's seats, as LOCK_HOLDERS gives them, that somebody sits in."""
    for seat, thread, step, pid, since in rows:
        if file.named_is_held(number, seat):
            yield LockHolder(thread=thread, step=step, pid=pid, since=since)


def asked_in(look: Look, row: int) -> dict[str, str]:
    """The status of each question of the thread."""
    return dict(look.rows(queries.ASKED, (row,)))


def _status(look: Look, row: Any) -> ThreadStatus:
    status = ThreadStatus(row[3])
    if status is ThreadStatus.RUNNING and not look.is_driven(row[0], row[9]):
        return ThreadStatus.INTERRUPTED
    return status


def _next(look: Look, row: int, superstep: int, pending: Any) -> tuple[str, ...]:
    """The pending steps, fan-outs as their branches, without those that finished."""
    finished = {
        check_name(name, key)
        for name, key in look.rows(queries.FINISHED_BRANCHES, (row, superstep))
    }
    if len(pending) > 1 or pending[0][1] is not None:
        check_attempts(row, superstep, look.rows)
    names = []
    for name, branches in pending:
        if branches is None:
            names.append(name)
        else:
            for start, end in branches:
                names.extend(f"{name}[{index}]" for index in range(start, end))
    left = tuple(name for name in names if name not in finished)
    # All have finished, but what comes after them could not be found out: a router
    # failed, or the process died just then. A resume enters them again, to be answered.
    return left or tuple(names)


def step_of(key: str) -> str:
    """The name that people see of the step at a place in the run."""
    names = []
    for part in key.removeprefix("compensate/").split("/"):
        _, name, *path = part.split(":")
        branch = f"[{path[0]}]" if len(path) == 1 else f"({path[-1]})" if path else ""
        names.append(f"{name}{branch}")
    compensates = key.startswith("compensate/")
    return "/".join(names) + (COMPENSATION if compensates else "")
