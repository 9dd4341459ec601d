"""What happened to a thread, in order: read from all the tables that know something of it.

Nothing is ordered by the clock, which may have jumped, where something better is known: each
table has an order of its own, and supersteps and epochs say how these fit together. The clock
decides only between tables, within one superstep.

What is small is read at once. Attempts, which have errors with tracebacks, are read a part at a
time, and no transaction is open between two parts: whoever looks at a history for an hour holds
nobody's log back.
"""

from __future__ import annotations

import json
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from operator import itemgetter
from typing import Any, NamedTuple

from durajob.history import (
    Admitted,
    Answered,
    Claimed,
    Effect,
    Entry,
    Intervened,
    Left,
    Questioned,
    Slept,
    Stored,
    Tried,
)
from durajob.model import AttemptStatus, Owner, StepError, Thread, ThreadStatus
from durajob.store import past_queries, read_queries
from durajob.store.look import Look
from durajob.store.records import step_of, thread_of
from durajob.store.resumable import check_count, check_name

_PART = 500  # attempts that are read at once
_BEFORE_ALL = -10
_AFTER_ALL = float("inf")

_Keyed = tuple[int, float, Entry]
"""The superstep and the time that an entry is ordered by, and the entry."""


_Placed = tuple[int, int | None, Entry]
"""The superstep and the time of an entry of a source that is in order already."""


class _Past(NamedTuple):
    """What is small, as it was at one instant."""

    thread: Thread
    row: int
    last: int  # the superstep in which the thread is
    attempts: array[int]  # ids
    checkpoints: Sequence[Any]
    claims: Sequence[Any]
    questions: Sequence[Any]
    sleeps: Sequence[Any]
    interventions: Sequence[Any]
    has_effects: bool


def read_history(look: Look, thread: str, *, last: int | None) -> Iterator[Entry]:
    """Every entry in order, or the ``last`` ones; the store must stay open meanwhile.

    Raises:
        StoreDamaged: when something cannot be read, or steps that have finished are gone.
    """
    with look.reading_of(thread):
        past = _read(look, thread, -1 if last is None else last)
    if past is None:  # pruned since it was found
        return
    with look.reading_of(thread):
        sources = (
            [(_BEFORE_ALL, 0.0, _admitted(past.thread))],
            _driven(look, past, whole=last is None),
            _checkpoints(past),
            _asked(past),
            _answered(past),
            _slept(past),
            _intervened(past),
        )
        entries = (entry for _, _, entry in merge(*sources, key=itemgetter(0, 1)))
        if last is None:
            yield from entries
        else:
            # Each source gave its own last ones, so the last of all are among them.
            from collections import deque

            yield from deque(entries, last)


def _read(look: Look, thread: str, last: int) -> _Past | None:
    while True:
        past = _read_once(look, thread, last)
        if past is None or past.thread.status is not ThreadStatus.INTERRUPTED:
            return past
        if look.was_left(past.row, past.thread.epoch):
            return past


def _read_once(look: Look, thread: str, last: int) -> _Past | None:
    with look.snapshot():
        row = look.one(read_queries.THREAD, (thread,))
        if row is None:
            return None
        values = {"id": row[0], "thread": thread, "last": last}

        def rows(query: str) -> list[Any]:
            return list(look.rows(query, values))[::-1]

        return _Past(
            thread=thread_of(look, row),
            row=row[0],
            last=row[19] + 1,
            attempts=array(
                "q", reversed([i for (i,) in look.rows(past_queries.ATTEMPT_IDS, values)])
            ),
            checkpoints=[
                (ns, checkpoint, int(json.loads(metadata)["step"]))
                for ns, checkpoint, metadata in rows(past_queries.STORED)
            ],
            claims=rows(past_queries.CLAIMS),
            questions=rows(past_queries.HISTORY_QUESTIONS),
            sleeps=rows(past_queries.SLEEPS),
            interventions=rows(past_queries.INTERVENTIONS),
            has_effects=bool(look.one(past_queries.HAS_EFFECTS, (row[0],))[0]),
        )


def _ordered(entries: Iterable[_Placed]) -> Iterator[_Keyed]:
    """The keys of a source that is in order already: they never go back, as the clock may."""
    superstep, at = _BEFORE_ALL, 0.0
    for own, time, entry in entries:
        if own > superstep:
            superstep, at = own, 0.0
        at = max(at, time or 0)
        yield superstep, at, entry


def _driven(look: Look, past: _Past, *, whole: bool) -> Iterator[_Keyed]:
    """Claims and attempts, by epoch: what an owner did stands between its coming and going."""
    return _ordered(_by_epoch(look, past, whole))


def _by_epoch(look: Look, past: _Past, whole: bool) -> Iterator[_Placed]:
    claims = iter(past.claims)
    claim = next(claims, None)
    driving: Any = None  # the claim whose end is to come
    told: ThreadStatus | None = None  # how the last owner was said to have left
    epoch = finished = 0

    def leave(superstep: int, *, is_last: bool = False) -> Iterator[_Placed]:
        nonlocal driving, told
        if driving is not None:
            left = _left(driving)
            if is_last and left.status is past.thread.status:
                left = left._replace(outcome=past.thread.outcome)
            yield superstep if driving[6] is None else driving[6], left.at, left
            driving, told = None, left.status

    for superstep, tried in _tried(look, past):
        while claim is not None and claim[0] <= tried.epoch:
            yield from leave(claim[1])
            yield claim[1], claim[2], _claimed(claim)
            driving, epoch, claim = claim, claim[0], next(claims, None)
        if tried.epoch > epoch:
            yield from leave(superstep)
            if tried.status is not AttemptStatus.SKIPPED:
                # Claimed by a durajob that kept no note of it, and not settled by hand.
                yield superstep, tried.at, Claimed(at=tried.at, epoch=tried.epoch, owner=None)
                told = None
            epoch = tried.epoch
        finished += tried.status in (AttemptStatus.SUCCEEDED, AttemptStatus.SKIPPED)
        yield superstep, tried.at, tried
    while claim is not None:
        yield from leave(claim[1])
        yield claim[1], claim[2], _claimed(claim)
        driving, claim = claim, next(claims, None)
    if whole:
        check_count(past.thread.done, finished)
    if past.thread.status is not ThreadStatus.RUNNING:
        yield from leave(past.last, is_last=True)
        yield from _ended(past, told)


def _claimed(claim: Any) -> Claimed:
    return Claimed(at=claim[2], epoch=claim[0], owner=_owner(claim))


def _owner(claim: Any) -> Owner:
    return Owner(host=claim[3], pid=claim[4], since=claim[2])


def _left(claim: Any) -> Left:
    epoch, _, _, _, _, at, _, status, reason, wake_at, error = claim
    if at is None:
        return Left(at=None, epoch=epoch, owner=_owner(claim), status=ThreadStatus.INTERRUPTED)
    return Left(
        at=at,
        epoch=epoch,
        owner=_owner(claim),
        status=ThreadStatus(status),
        reason=reason,
        wake_at=wake_at,
        error=None if error is None else StepError(**json.loads(error)),
    )


def _ended(past: _Past, told: ThreadStatus | None) -> Iterator[_Placed]:
    """Where the thread came to stand by hand, or by a durajob that kept no note of it."""
    thread = past.thread
    if told is thread.status or thread.status is ThreadStatus.PENDING:
        return
    left = Left(
        at=None,
        epoch=thread.epoch,
        owner=None,
        status=thread.status,
        error=thread.error,
        outcome=thread.outcome,
    )
    if thread.status is not ThreadStatus.INTERRUPTED:
        at = thread.updated_at if thread.finished_at is None else thread.finished_at
        left = left._replace(at=at, wake_at=thread.wake_at)
    yield past.last, left.at, left


def _tried(look: Look, past: _Past) -> Iterator[tuple[int, Tried]]:
    for start in range(0, len(past.attempts), _PART):
        ids = past.attempts[start : start + _PART].tolist()
        rows = list(look.rows(past_queries.ATTEMPTS.format(", ".join("?" * len(ids))), ids))
        effects = _effects(look, past, rows)
        for row in rows:
            yield min(row[1], past.last), _attempt(past, row, effects)


def _attempt(past: _Past, row: Any, effects: dict[tuple[str, int], list[Effect]]) -> Tried:
    _, _, key, step, visit, attempt, epoch, status, at, finished_at, seconds, error, due, most = row
    stored: dict[str, Any] = {} if error is None else json.loads(error)
    known = AttemptStatus(status)
    if known is AttemptStatus.RUNNING and past.thread.status is not ThreadStatus.RUNNING:
        known = AttemptStatus.ABANDONED
    return Tried(
        at=at,
        step=check_name(step, key),
        visit=visit,
        attempt=attempt,
        epoch=epoch,
        status=known,
        finished_at=finished_at,
        seconds=seconds,
        error=_error(stored),
        traceback=stored.get("trace"),
        due_at=due,
        max_attempts=most,
        effects=tuple(effects.get((key, attempt), ())),
    )


def _error(stored: dict[str, Any]) -> StepError | None:
    values: dict[str, Any] = {name: stored.get(name) for name in StepError._fields}
    return StepError(**values) if stored else None


def _effects(
    look: Look, past: _Past, attempts: Sequence[Any]
) -> dict[tuple[str, int], list[Effect]]:
    found: dict[tuple[str, int], list[Effect]] = defaultdict(list)
    if past.has_effects:
        places = sorted({row[2] for row in attempts})
        query = past_queries.EFFECTS_AT.format(", ".join("?" * len(places)))
        for place, attempt, *rest in look.rows(query, (past.row, *places)):
            found[place, attempt].append(Effect(**dict(zip(Effect._fields, rest, strict=True))))
    return found


def _checkpoints(past: _Past) -> list[_Keyed]:
    """Checkpoints in the order in which they were stored."""
    found: list[_Keyed] = []
    within = past.last
    for ns, checkpoint, superstep in reversed(past.checkpoints):
        at = _time_in(checkpoint)
        if ns:  # of a graph inside, in the superstep whose own checkpoint comes next
            graph = "/".join(part.partition(":")[0] for part in ns.split("|"))
            found.append(
                (
                    within,
                    at or 0.0,
                    Stored(at=at, checkpoint=checkpoint, superstep=superstep, graph=graph),
                )
            )
        else:
            within = min(within, superstep)
            found.append(
                (
                    within,
                    _AFTER_ALL,
                    Stored(at=at, checkpoint=checkpoint, superstep=superstep, graph=None),
                )
            )
    return found[::-1]


def _time_in(checkpoint: str) -> int | None:
    """The time in a checkpoint's id, which LangGraph makes by UUID version 6."""
    parts = checkpoint.split("-")
    if [len(part) for part in parts] != [8, 4, 4, 4, 12] or parts[2][0] != "6":
        return None
    ticks = int(parts[0] + parts[1], 16) << 12 | int(parts[2][1:], 16)
    return (ticks - 0x01B21DD213814000) // 10


def _asked(past: _Past) -> Iterator[_Keyed]:
    return _ordered(
        (
            min(row[0], past.last),
            row[1],
            Questioned(
                at=row[1], id=row[2], step=row[3], prompt=json.loads(row[4]), expires_at=row[5]
            ),
        )
        for row in past.questions
    )


def _answered(past: _Past) -> Iterator[_Keyed]:
    answered = [row for row in past.questions if row[6] in ("answered", "expired")]
    answered.sort(key=lambda row: (min(row[0], past.last), row[8]))
    for superstep, _, question, step, _, _, status, answer, at, by in answered:
        given = None if answer is None else json.loads(answer)
        entry = Answered(
            at=at, id=question, step=step, answer=given, by=by, expired=status == "expired"
        )
        yield min(superstep, past.last), at, entry


def _slept(past: _Past) -> Iterator[_Keyed]:
    slept = [
        (
            _superstep(key, past.last),
            at,
            Slept(at=at, step=step_of(key), until=until, is_over=bool(over)),
        )
        for key, _, at, until, over in past.sleeps
    ]
    slept.sort(key=itemgetter(0, 1))
    return iter(slept)


def _superstep(key: str, last: int) -> int:
    return last if key.startswith("compensate/") else min(int(key.partition(":")[0]), last)


def _intervened(past: _Past) -> Iterator[_Keyed]:
    return _ordered(
        (
            min(superstep, past.last),
            at,
            Intervened(
                at=at,
                user=user,
                verb=verb,
                step=step,
                reason=reason,
                details=None if details is None else json.loads(details),
            ),
        )
        for superstep, at, user, verb, step, reason, details in past.interventions
    )


def _admitted(thread: Thread) -> Admitted:
    return Admitted(
        at=thread.created_at, workflow=thread.workflow, slot=thread.slot, parent=thread.parent
    )
