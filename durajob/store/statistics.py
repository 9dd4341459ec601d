"""Sums over all threads of a store, made by SQLite itself."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any, NamedTuple

from durajob.model import AttemptStatus, ThreadStatus
from durajob.store.look import Look

# One pass over the table: by way of an index it would jump to and fro.
_THREADS = """
SELECT workflow, status, count(*), min(updated_at), min(wake_at) FROM threads NOT INDEXED
WHERE status != 'running' GROUP BY workflow, status"""
_RUNNING = """
SELECT id, workflow, owner, epoch, updated_at FROM threads WHERE status = 'running'"""
_STANDS = "SELECT status, updated_at, wake_at FROM threads WHERE id = ?"
_COMPLETED = """
SELECT workflow, max(finished_at), finished_at - started_at, sum(finished_at - started_at), count(*)
FROM threads NOT INDEXED WHERE status = 'completed' GROUP BY workflow"""
_ATTEMPTS = """
SELECT workflow, attempts.status, count(*) FROM attempts NOT INDEXED
JOIN threads ON threads.id = thread_id GROUP BY workflow, attempts.status"""
_IN_FLIGHT = "SELECT count(*) FROM attempts WHERE thread_id = ? AND status = 'running'"
_NOTIFICATIONS = "SELECT status, count(*) FROM notifications GROUP BY status"
_SLOTS = "SELECT workflow, outcome, sum(slots) FROM slots GROUP BY workflow, outcome"
_STARTED = """
SELECT workflow, max(slot), max(0, handled_at - due_at),
       sum(max(0, handled_at - due_at)), count(*)
FROM slots WHERE outcome = 'started' AND handled_by = 'tick' GROUP BY workflow"""


class Started(NamedTuple):
    """The slots of a workflow that ticks have started; times and durations in microseconds."""

    last_at: int
    last_late: int
    sum: int
    slots: int


class Completed(NamedTuple):
    """The threads of a workflow that have completed; times and durations in microseconds."""

    last_at: int
    last: int
    sum: int
    threads: int


class Statistics(NamedTuple):
    """What can be said of all threads. Keys are a workflow and a status; times, microseconds."""

    threads: Counter[tuple[str, ThreadStatus]]
    since: dict[tuple[str, ThreadStatus], int]  # when the one longest there was last written
    wakes: dict[str, int]  # by workflow, when the first sleeper wakes
    completed: dict[str, Completed]  # by workflow
    attempts: Counter[tuple[str, AttemptStatus]]
    notifications: dict[str, int]  # by status
    slots: dict[tuple[str, str], int]  # by workflow and outcome
    started: dict[str, Started]  # by workflow
    size: int  # bytes of the store
    log_size: int  # bytes of its write-ahead log


def statistics(look: Look) -> Statistics:
    """Everything at one instant of the store."""
    threads: Counter[tuple[str, ThreadStatus]] = Counter()
    since: dict[tuple[str, ThreadStatus], int] = {}
    wakes: dict[str, int] = {}
    attempts: Counter[tuple[str, AttemptStatus]] = Counter()

    def add(workflow: str, status: str, count: int, at: int, wake_at: int | None) -> None:
        key = workflow, ThreadStatus(status)
        threads[key] += count
        since[key] = min(at, since.get(key, at))
        if wake_at is not None and key[1] is ThreadStatus.SLEEPING:
            wakes[workflow] = min(wake_at, wakes.get(workflow, wake_at))

    with look.reading_of(None):
        left: list[Any] = []
        with look.snapshot():
            for row in look.rows(_THREADS, ()):
                add(*row)
            for row in look.rows(_RUNNING, ()):
                if look.is_driven(row[0], row[2]):
                    add(row[1], "running", 1, row[4], None)
                else:
                    left.append(row)
            completed = {
                workflow: Completed(*found) for workflow, *found in look.rows(_COMPLETED, ())
            }
            for workflow, status, count in look.rows(_ATTEMPTS, ()):
                attempts[workflow, AttemptStatus(status)] += count
            notifications = dict(look.rows(_NOTIFICATIONS, ()))
            slots = {(workflow, outcome): n for workflow, outcome, n in look.rows(_SLOTS, ())}
            started = {workflow: Started(*found) for workflow, *found in look.rows(_STARTED, ())}
            in_flight = [look.one(_IN_FLIGHT, (row[0],))[0] for row in left]
        for (number, workflow, _, epoch, at), flying in zip(left, in_flight, strict=True):
            if look.was_left(number, epoch):
                add(workflow, "interrupted", 1, at, None)
                attempts[workflow, AttemptStatus.RUNNING] -= flying
                attempts[workflow, AttemptStatus.ABANDONED] += flying
            elif (now := look.one(_STANDS, (number,))) is not None:
                add(workflow, now[0], 1, now[1], now[2])
    return Statistics(
        threads=threads,
        since=since,
        wakes=wakes,
        completed=completed,
        attempts=attempts,
        notifications=notifications,
        slots=slots,
        started=started,
        size=_size(f"{look.path}"),
        log_size=_size(f"{look.path}-wal"),
    )


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
