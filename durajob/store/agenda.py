"""What is due in a store, and what became of what was: the ledger of slots, read.

``desk`` writes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from durajob.model import ErrorInfo, Thread, ThreadStatus
from durajob.slots import Slot
from durajob.store import outbox_queries, slot_queries
from durajob.store.asked import is_answered
from durajob.store.look import Look
from durajob.store.records import asked_in, thread_of

DAY = 86_400_000_000
"""Microseconds between two times that ``tick`` prunes."""
_JUST_NOW = 60_000_000
"""Microseconds in which whoever admitted or answered a thread may still go on with it."""
_AT_REST = (ThreadStatus.FAILED, ThreadStatus.INTERRUPTED, ThreadStatus.STOPPED)


class Ended(NamedTuple):
    """A slot whose thread has come to an end that was not told of."""

    id: int
    thread: Thread | None  # None where it was pruned


class Refused(NamedTuple):
    """A thread that could not be resumed by itself."""

    thread_id: int
    thread: str
    error: ErrorInfo


class Agenda(Look):
    """What is due in a store, and what became of what was."""

    def schedules_due(self, file: str, stamp: str, now: int) -> tuple[str, ...] | None:
        """The workflows of ``file`` that a tick has to look at; None for all of them, where its
        schedules are not those that are kept."""
        found = self.one(slot_queries.STAMP, (file,))
        if found is None or found[0] != stamp:
            return None
        return tuple(name for (name,) in self.rows(slot_queries.DUE, {"file": file, "now": now}))

    def has_queued(self, file: str) -> bool:
        """Whether a slot of a schedule in ``file`` waits for the one before it."""
        return self.one(slot_queries.ANY_QUEUED, (file,)) is not None

    def has_news(self, now: int) -> bool:
        """Whether somebody is to be told of something now."""
        return self.one(outbox_queries.DUE_NOTIFICATION, (now,)) is not None

    def is_retention_due(self, now: int) -> bool:
        """Whether nobody has followed the retention within a day."""
        (last,) = self.one(slot_queries.LOOKED_AT_RETENTION, ())
        return last is None or not 0 <= now - last < DAY

    def interrupted(self) -> tuple[Thread, ...]:
        """Threads whose owner is gone, and of which nobody has been told that."""
        with self.snapshot(), self.reading_of(None):
            found = [
                thread_of(self, row)
                for row in self.rows(slot_queries.RUNNING_UNTOLD, ())
                if not self.is_driven(row[0], row[9])
            ]
        return tuple(thread for thread in found if thread.status is ThreadStatus.INTERRUPTED)

    def slots(self, *, workflow: str | None, limit: int) -> Iterator[Slot]:
        """Rows of the ledger, the latest slot first."""
        chosen = "" if workflow is None else "WHERE slots.workflow = ?"
        values = () if workflow is None else (workflow,)
        query = (
            f"{slot_queries.SLOTS} {chosen} ORDER BY slots.slot DESC, slots.id DESC LIMIT {limit}"
        )
        with self.snapshot(), self.reading_of(None):
            for *columns, row, status, owner in self.rows(query, values):
                shown = None if status is None else ThreadStatus(status)
                if shown is ThreadStatus.RUNNING and not self.is_driven(row, owner):
                    shown = ThreadStatus.INTERRUPTED
                workflow_, slot, due_at, outcome, reason, thread, at, by, count, until = columns
                yield Slot(
                    workflow=workflow_,
                    slot=slot,
                    due_at=due_at,
                    outcome=outcome,
                    reason=reason,
                    thread=thread,
                    status=shown,
                    handled_at=at,
                    handled_by=by,
                    slots=count,
                    until=until,
                )

    def outcomes(self, workflow: str, first: int, last: int) -> dict[int, str]:
        """What became of slots within a time, by slot; of rows for several, of the first."""
        values = {"workflow": workflow, "first": first, "last": last}
        return dict(self.rows(slot_queries.OUTCOMES, values))

    def forgotten_until(self, workflow: str) -> int:
        """The last slot that has run and whose row is gone: one before it that has no row may
        have run, too."""
        found = self.one(slot_queries.FORGOTTEN_UNTIL, (workflow,))
        return -1 if found is None else int(found[0])

    def due(self, now: int, *, recovers: Callable[[str], bool]) -> tuple[Thread, ...]:
        """Threads that are to be resumed by themselves now, oldest first.

        Those of slots; sleepers whose time has come; those whose question has expired; those
        that died between two attempts, when the next is due. Of workflows that ask for it
        (``recovers``), all that nobody goes on with.
        """
        found: list[Thread] = []
        with self.snapshot(), self.reading_of(None):
            for *row, by, retry_at in self.rows(slot_queries.UNFINISHED, {"now": now}):
                if retry_at is not None and retry_at > now:
                    continue
                if self.locks is not None and self.locks.thread_is_held(row[0]):
                    continue
                if self._is_due(row, now, by, recovers):
                    found.append(thread_of(self, row))
        return tuple(thread for thread in found if thread.status is not ThreadStatus.RUNNING)

    def ended(self) -> Iterator[Ended]:
        """Slots whose threads have ended, or were left by their owner, and nobody was told."""
        with self.snapshot(), self.reading_of(None):
            for id, *row in self.rows(slot_queries.UNTOLD, ()):
                if row[0] is None:
                    yield Ended(id, None)
                    continue
                thread = thread_of(self, row)
                if thread.is_final or thread.status in _AT_REST:
                    yield Ended(id, thread)

    def refused(self) -> Iterator[Refused]:
        """Threads that could not be resumed, and nobody was told."""
        with self.reading_of(None):
            for id, thread, error in self.rows(slot_queries.UNTOLD_REFUSALS, ()):
                yield Refused(id, thread, ErrorInfo(**json.loads(error)))

    def _is_due(self, row: Any, now: int, by: str | None, recovers: Callable[[str], bool]) -> bool:
        status, workflow, waiting, wake_at, slot = row[3], row[2], row[11], row[12], row[13]
        # After a clock was set back, a time to come says nothing of how long ago it was.
        just_now = now - _JUST_NOW < row[17] <= now
        if status in ("sleeping", "waiting") and wake_at is not None and wake_at <= now:
            return True
        if status == "pending":
            return by in ("tick", "backfill") or (recovers(workflow) and not just_now)
        if status == "running":
            if self.is_driven(row[0], row[9]):
                return False
            due_at = self.one(slot_queries.BACKOFF, {"id": row[0]})[0]
            return recovers(workflow) if due_at is None else bool(due_at <= now)
        if status == "stopped":
            return slot is not None and recovers(workflow)
        if status == "waiting" and recovers(workflow) and not just_now:
            return is_answered(json.loads(waiting or "[]"), asked_in(self, row[0]))
        return False
