"""Steps that a person settles, completed or skipped: what is written, all in one transaction.

A settled step is a ledger row like any other: an attempt, ``skipped``, and a result that the
step's wrapper answers from. It is written through a door at the epoch that was read under the
thread's lock, and the epoch grows with it, so that no owner that was thought dead can write
after it. Where the thread stands stays as it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from durajob import clock
from durajob.store import hand_queries, queries, seals
from durajob.store.door import Door
from durajob.store.ledger import Due, Ledger, Place, Undo, compensation_of
from durajob.store.processes import user_name


class Deed(NamedTuple):
    """What a person says of a step, and why."""

    verb: str  # complete or skip
    step: str
    update: Mapping[str, Any] | None  # None: skipped
    reason: str


class Settled(NamedTuple):
    """A step that was settled before."""

    verb: str
    step: str
    at: int
    user: str
    visit: int
    update: Mapping[str, Any] | None

    def is_same(self, deed: Deed) -> bool:
        """Whether ``deed`` says what was said then."""
        said = (deed.verb, deed.step, deed.update)
        return (self.verb, self.step, self.update) == said


class Hand:
    """A thread in the hands of a person: whoever makes one holds the thread's lock."""

    def __init__(self, door: Door, superstep: int, *, crashed: bool) -> None:
        """``crashed``: the last owner died of what a step may have done."""
        self.ledger = Ledger(door, superstep)
        self._door = door
        self._crashed = crashed

    def settled(self) -> list[Settled]:
        """The steps that were settled before, the last first."""
        with self._door.reading() as cursor:
            rows = cursor.execute(hand_queries.SETTLED, (self._door.row,)).fetchall()
        found = []
        for verb, step, at, user, details in rows:
            said = json.loads(details or "{}")
            found.append(Settled(verb, step, at, user, said.get("visit", 1), said.get("update")))
        return found

    def settle(
        self, deed: Deed, place: Place, stored: tuple[str, bytes], undo: Undo | None
    ) -> None:
        """The step at this place has finished with that result.

        ``undo``: its compensation is due from then on.
        """
        row = self._door.row

        def result(cursor: Any, visit: int) -> None:
            crc = seals.of_result(row, place.key, *stored)
            # Without a namespace: the next checkpoint of the thread drops it, whatever graph
            # inside the step belongs to.
            cursor.execute(queries.KEEP_RESULT, (row, "", place.key, *stored, crc))
            if undo is not None:
                names, values = (place.key, undo.node), (*undo.state, *stored)
                seal = seals.of_compensation(row, *names, *values)
                cursor.execute(queries.OWE, (row, *names, place.step, visit, *values, seal))

        self._write(deed, place, result, finished=1)

    def settle_compensation(self, deed: Deed, due: Due) -> None:
        """The compensation that is due next has finished."""
        row = self._door.row

        def settle(cursor: Any, visit: int) -> None:
            cursor.execute(queries.SETTLE, (due.row,))
            left = [[compensation_of(s), None] for (s,) in cursor.execute(queries.DUE_STEP, (row,))]
            cursor.execute(queries.COMPENSATE_NEXT, (json.dumps(left), row))

        self._write(deed, due.place, settle, finished=0)

    def _write(self, deed: Deed, place: Place, further: Any, *, finished: int) -> None:
        past, row = self.ledger.past(place), self._door.row
        details: dict[str, Any] = {} if deed.update is None else {"update": deed.update}
        if past.visit > 1:
            details["visit"] = past.visit
        values = {
            "id": row,
            "now": clock.now(),
            "user": user_name(),
            "key": place.key,
            "superstep": place.superstep,
            "step": place.step,
            "visit": past.visit,
            "attempt": past.attempts + 1,
            "verb": deed.verb,
            "reason": deed.reason,
            "details": json.dumps(details) if details else None,
        }

        def write(cursor: Any) -> None:
            slept = cursor.execute(hand_queries.END_SLEEPS, values).rowcount
            epoch = cursor.execute(hand_queries.SEIZE, {**values, "woken": slept > 0}).fetchone()[0]
            cursor.execute(hand_queries.SEIZE_ORIGIN, {**values, "epoch": epoch})
            in_flight = cursor.execute(queries.IN_FLIGHT, values).fetchone()[0]
            if in_flight:
                seen = {"counts": self._crashed, "alone": in_flight == 1}
                cursor.execute(queries.ABANDON, {**values, **seen})
            cursor.execute(hand_queries.SETTLE_ATTEMPT, {**values, "epoch": epoch})
            cursor.execute(hand_queries.CLOSE_QUESTIONS_AT, values)
            further(cursor, past.visit)
            cursor.execute(queries.INTERVENE, values)

        self._door.write(write, durable=True, finished=finished)
