"""The ledger of slots, written in one transaction.

What a slot is to become is decided in ``schedule``; here stands how it is kept. That each slot is
handled once rests on two things: its row is unique, and it is written by the transaction that
admits its thread.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any, NamedTuple, TypeVar

from durajob.model import ErrorInfo
from durajob.policies import NotifyPolicy
from durajob.store import queries, slot_queries
from durajob.store.look import is_driven
from durajob.store.notifications import announce_missed
from durajob.store.write import Writer, admit_row

T = TypeVar("T")


class Kept(NamedTuple):
    """How far a schedule has been followed."""

    workflow: str
    times: str
    watermark: int
    due_at: int | None


class Queued(NamedTuple):
    """A slot that waits for its turn."""

    workflow: str
    slot: int
    shown: str
    due_at: int
    handled_by: str
    asked_by: str | None


class Active(NamedTuple):
    """A thread of a slot that goes on by itself."""

    thread: str
    status: str
    backfill: bool  # whether its slot is one of the past


class Desk:
    """The ledger within one transaction, which also admits the threads of slots."""

    def __init__(self, cursor: Any, writer: Writer, among: Sequence[str] | None = None) -> None:
        """``among``: no other workflows are looked at."""
        self._cursor = cursor
        self._among = None if among is None else json.dumps(among)
        self._writer = writer
        self._unfinished: dict[str, list[Any]] | None = None

    def stamp(self, file: str) -> str | None:
        """What ``file`` was when its schedules were last taken over."""
        found = self._cursor.execute(slot_queries.STAMP, (file,)).fetchone()
        return None if found is None else str(found[0])

    def set_stamp(self, file: str, stamp: str) -> None:
        """Remember that its schedules are those that are kept."""
        self._cursor.execute(slot_queries.SET_STAMP, (file, stamp))

    def kept(self, file: str) -> dict[str, Kept]:
        """The schedules of ``file`` by workflow."""
        values = {"file": file, "among": self._among}
        rows = self._cursor.execute(slot_queries.SCHEDULES, values).fetchall()
        return {row[0]: Kept(*row) for row in rows}

    def keep(self, file: str, kept: Kept) -> None:
        """Remember how far a schedule has been followed."""
        self._cursor.execute(slot_queries.KEEP, {"file": file, **kept._asdict()})

    def forget(self, file: str, workflow: str) -> None:
        """The schedule is no more."""
        self._cursor.execute(slot_queries.FORGET, (file, workflow))

    def handled(self, workflow: str, first: int, last: int) -> Callable[[int], bool]:
        """Which of the slots from ``first`` to ``last`` are in the ledger."""
        values = {"workflow": workflow, "first": first, "last": last}
        rows = self._cursor.execute(slot_queries.HANDLED, values).fetchall()
        single = {slot for slot, until in rows if until is None}
        ranges = [(slot, until) for slot, until in rows if until is not None]
        return lambda slot: slot in single or any(a <= slot <= b for a, b in ranges)

    def outcomes(self, workflow: str, first: int, last: int) -> dict[int, str]:
        """What the ledger has of the slots from ``first`` to ``last``."""
        values = {"workflow": workflow, "first": first, "last": last}
        return dict(self._cursor.execute(slot_queries.OUTCOMES, values).fetchall())

    def take_back(self, workflow: str, now: int, after: Callable[[int], Iterable[int]]) -> None:
        """The clock was set back: what was entered as not run, of slots that are to come, never
        was. ``after`` gives the slots later than a time."""
        values = {"workflow": workflow, "now": now}
        self._cursor.execute(slot_queries.UNDUE, values)
        for id, first in self._cursor.execute(slot_queries.RANGES, values).fetchall():
            # Some between them may have rows of their own, and were never of this one.
            within = {"workflow": workflow, "first": first + 1, "last": now}
            own = {slot for slot, _ in self._cursor.execute(slot_queries.OUTCOMES, within)}
            left = takewhile(lambda slot: slot <= now, after(first))
            slots = [first, *(slot for slot in left if slot not in own)]
            self._cursor.execute(slot_queries.SHORTEN, (len(slots), slots[-1], id))

    def record(self, workflow: str, slot: int, **columns: Any) -> None:
        """Write a slot's row; one that was not run is written anew."""
        values = {"reason": None, "thread": None, "slots": 1, "until": None}
        values |= {"asked_by": None, **columns}
        self._cursor.execute(slot_queries.RECORD, {**values, "workflow": workflow, "slot": slot})

    def announce_missed(self, policy: NotifyPolicy, workflow: str, **said: str) -> None:
        """Have those told who are to be told of missed slots."""
        announce_missed(self._cursor, policy, workflow=workflow, **said)

    def queued(self, file: str) -> list[Queued]:
        """The next slot of each workflow of ``file`` that has some queued."""
        rows = self._cursor.execute(slot_queries.QUEUED, (file,)).fetchall()
        return [Queued(*row[:-1]) for row in rows]

    def is_queued(self, workflow: str) -> bool:
        """Whether a slot of the workflow waits for its turn."""
        return self._cursor.execute(slot_queries.IS_QUEUED, (workflow,)).fetchone() is not None

    def admit(self, row: Mapping[str, Any]) -> bool:
        """Write the rows of a slot's thread; False when the thread id is taken."""
        admitted = admit_row(self._cursor, row)
        if admitted and self._unfinished is not None:
            found = (row["thread"], "pending", None, None, False)
            self._unfinished.setdefault(row["workflow"], []).append(found)
        return admitted

    def intervene(self, thread: str, *, now: int, user: str, verb: str, slot: str) -> None:
        """Note that a person has brought a thread about."""
        (row,) = self._cursor.execute(slot_queries.ROW_OF, (thread,)).fetchone()
        details = json.dumps({"slot": slot})
        values = {"id": row, "now": now, "user": user, "verb": verb, "details": details}
        self._cursor.execute(queries.INTERVENE, {**values, "step": None, "reason": None})

    def thread(self, thread: str) -> tuple[str, str | None, str] | None:
        """Workflow, slot and status of a thread."""
        found: tuple[str, str | None, str] | None = self._cursor.execute(
            slot_queries.WHOSE, (thread,)
        ).fetchone()
        return found

    def active(self, workflow: str, *, recover: bool) -> Active | None:
        """A thread of a slot of the workflow that goes on by itself.

        What was interrupted or stopped only counts where it is to be recovered.
        """
        if self._unfinished is None:
            self._unfinished = {}
            rows = self._cursor.execute(slot_queries.ACTIVE, {"among": self._among})
            for name, *found in rows.fetchall():
                self._unfinished.setdefault(name, []).append(tuple(found))
        for thread, status, row, owner, backfill in self._unfinished.get(workflow, ()):
            left = status == "stopped" or (
                status == "running"
                and not is_driven(self._writer.locks, self._writer.path, row, owner)
            )
            if recover or not left:
                return Active(thread, status, bool(backfill))
        return None

    def told(self, slots: Iterable[int], refusals: Iterable[int]) -> None:
        """Nothing of these is left to be told."""
        self._cursor.executemany(slot_queries.TOLD, [(id,) for id in slots])
        self._cursor.executemany(slot_queries.REFUSAL_TOLD, [(id,) for id in refusals])

    def refuse(self, thread: str, *, now: int, error: ErrorInfo) -> None:
        """Note that a thread could not be resumed: it is tried again later and later."""
        text = json.dumps(error._asdict())
        self._cursor.execute(slot_queries.REFUSE, {"thread": thread, "now": now, "error": text})


def at_desk(
    writer: Writer, operation: Callable[[Desk], T], *, among: Sequence[str] | None = None
) -> T:
    """Run ``operation`` on the ledger in one durable transaction; what it returned.

    ``among`` names the workflows that it is about, where it is not about all.
    """
    return writer.together(lambda cursor: operation(Desk(cursor, writer, among)))
