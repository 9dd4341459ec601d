"""Where a thread stands, with all that the store and the kernel know of why.

Only what is needed is asked: what lies before the latest checkpoint is not looked at, so that a
thread of a hundred thousand attempts is answered for as fast as one of three.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from durajob.model import LockWait, StepError, Thread, ThreadStatus
from durajob.store import past_queries, read_queries
from durajob.store.files import log_folder
from durajob.store.read import Reader
from durajob.store.records import lock_waits_of, step_of, thread_of
from durajob.store.resumable import check_name


class Flight(NamedTuple):
    """An attempt in flight, now or when its owner died."""

    step: str
    visit: int
    attempt: int
    max_attempts: int | None
    since: int
    progress: Mapping[str, Any] | None
    crashes: int  # processes that had died before, in a row, while it was tried


class Backoff(NamedTuple):
    """A step that is to be tried again."""

    step: str
    attempt: int  # that failed
    max_attempts: int | None
    due_at: int
    error: StepError


class Done(NamedTuple):
    """Who did something by hand, or answered, and when."""

    user: str | None
    at: int
    what: str | None  # the reason, or the step that was answered


class Standing(NamedTuple):
    """A thread, and what is known of why it stands where it stands."""

    thread: Thread
    id: int
    resumes: int  # since a step last finished
    cancelling: bool
    owner: Mapping[str, Any] | None  # as the row says, dead or alive
    definition: Mapping[str, Any]
    environment: Mapping[str, Any]
    held: bool  # its lock, by whomever
    left_word: bool  # the last owner died, but no step killed it
    flights: tuple[Flight, ...]
    backoffs: tuple[Backoff, ...]
    locks: tuple[LockWait, ...]
    asleep: tuple[str, int] | None  # the step that wakes first, and when
    sleepers: frozenset[str]  # all steps that sleep
    stopped_by: str | None
    last: (
        tuple[str, int, int | None] | None
    )  # of the step that failed: status, attempt, of how many
    settled: Done | None  # the step that failed, since
    cancelled: Done | None
    answered: Done | None


def standing(reader: Reader, name: str) -> Standing | None:
    """All that is known of a thread; None when there is none.

    Raises:
        StoreDamaged: when its rows cannot be read.
    """
    while True:
        found = _standing(reader, name)
        if found is None or found.thread.status is not ThreadStatus.INTERRUPTED:
            return found
        if reader.was_left(found.id, found.thread.epoch):
            return found


def _standing(reader: Reader, name: str) -> Standing | None:
    with reader.snapshot():
        shown, row = reader.one(read_queries.THREAD, (name,)), reader.row(name)
        if shown is None or row is None:
            return None
        thread = thread_of(reader, shown)
        with reader.reading_of(name):
            step = None if thread.error is None else thread.error.step
            place = {"id": row["id"], "superstep": row["superstep"], "step": step}
            claim = reader.one(past_queries.LAST_CLAIM, place)
            owner = None if row["owner"] is None else json.loads(row["owner"])
            asleep = _asleep(reader, place)
            last = None if step is None else reader.one(past_queries.LAST_OF_STEP, place)
            return Standing(
                thread=thread,
                id=row["id"],
                resumes=row["resumes"],
                cancelling=row["cancel_epoch"] is not None,
                owner=owner,
                definition=json.loads(row["definition"]),
                environment=json.loads(row["environment"]),
                held=reader.locks is not None and reader.locks.thread_is_held(row["id"]),
                left_word=_left_word(reader, row),
                flights=_flights(reader, place),
                backoffs=_backoffs(reader, place),
                locks=tuple(lock_waits_of(reader, row["id"])),
                asleep=asleep[0] if asleep else None,
                sleepers=frozenset(name for name, _ in asleep),
                stopped_by=None if claim is None or claim[1] is None else claim[0],
                last=last,
                settled=_done(reader, past_queries.LAST_SETTLED, place)
                if last and last[0] == "skipped"
                else None,
                cancelled=_done(
                    reader, past_queries.LAST_INTERVENTION, {**place, "verb": "cancel"}
                ),
                answered=_answered(reader, place),
            )


def _left_word(reader: Reader, row: Mapping[str, Any]) -> bool:
    from durajob.store.ended import has_left_word

    return has_left_word(log_folder(reader.path) / str(row["id"]), row["epoch"])


def _flights(reader: Reader, place: Mapping[str, Any]) -> tuple[Flight, ...]:
    return tuple(
        Flight(
            step=check_name(step, key),
            visit=visit,
            attempt=attempt,
            max_attempts=most,
            since=at,
            progress=None if progress is None else json.loads(progress),
            crashes=crashes or 0,
        )
        for step, key, visit, attempt, most, at, progress, crashes in reader.rows(
            past_queries.IN_FLIGHT_NOW, place
        )
    )


def _backoffs(reader: Reader, place: Mapping[str, Any]) -> tuple[Backoff, ...]:
    found = []
    for step, attempt, most, due_at, error in reader.rows(past_queries.BACKING_OFF, place):
        stored = json.loads(error)
        values: dict[str, Any] = {name: stored.get(name) for name in StepError._fields}
        found.append(Backoff(step, attempt, most, due_at, StepError(**values)))
    return tuple(found)


def _asleep(reader: Reader, place: Mapping[str, Any]) -> list[tuple[str, int]]:
    # A sleep before the latest checkpoint is over, even if nobody noted that.
    return [
        (step_of(key), wake_at)
        for key, wake_at, _ in reader.rows(past_queries.ASLEEP, place)
        if key.startswith("compensate/") or int(key.partition(":")[0]) > place["superstep"]
    ]


def _done(reader: Reader, query: str, place: Mapping[str, Any]) -> Done | None:
    found = reader.one(query, place)
    return None if found is None else Done(*found)


def _answered(reader: Reader, place: Mapping[str, Any]) -> Done | None:
    found = reader.one(past_queries.LAST_ANSWER, place)
    return None if found is None else Done(found[1], found[2], found[0])
