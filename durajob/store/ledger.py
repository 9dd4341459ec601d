"""The ledger of one thread: its attempts, and the results of steps that finished.

``succeed`` is the commit that makes a step finished. Everything here goes through the door.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from durajob import clock
from durajob.errors import StoreDamaged
from durajob.model import COMPENSATION, AttemptStatus, StepError, StepProgress
from durajob.store import queries, seals
from durajob.store.door import Door
from durajob.store.named import Turn
from durajob.store.notifications import Announcer

MAX_VALUE = 900_000_000
"""The largest stored value, in bytes: SQLite takes 1e9, less what surrounds the value."""


class Place(NamedTuple):
    """Where in the run a step stands; the same at every resume."""

    key: str  # superstep and path, after the key of the step around it
    ns: str  # checkpoint namespace of the graph it belongs to
    step: str  # the name that people see
    superstep: int  # of the top level


class Attempt(NamedTuple):
    """An attempt that has begun."""

    row: int
    number: int
    visit: int
    place: Place
    began: float  # monotonic


class Past(NamedTuple):
    """What happened before at a place."""

    attempts: int
    visit: int
    spent: int = 0  # attempts up to the last one that failed for good; retries count from there
    due_at: int | None = None  # when the next attempt is due


class Crashes(NamedTuple):
    """Processes that died in a row while an attempt at a place was in flight."""

    times: int
    alone: bool  # whether nothing ran beside it when the last one died


class Undo(NamedTuple):
    """What the compensation of a step will need, beyond what the step returns."""

    node: str  # the step whose policy names the function
    state: tuple[str, bytes]  # what the step was given, as the serialiser stored it


class Due(NamedTuple):
    """A compensation that is due."""

    row: int
    node: str
    step: str  # that it undoes, as people see it
    place: Place  # of its own
    state: tuple[str, bytes]
    result: tuple[str, bytes]


AFTER_ALL = 1 << 40
"""The superstep of compensations: no graph gets so far."""


def compensation_of(step: str) -> str:
    """The name of a step's compensation."""
    return f"{step}{COMPENSATION}"


class Ledger:
    """What is known of the thread's steps; one for each ownership."""

    def __init__(self, door: Door, superstep: int, announcer: Announcer | None = None) -> None:
        """Read what may be met again: the places after the checkpoint of ``superstep``.

        ``announcer`` notes what somebody is to be told of.
        """
        self._door = door
        self._announcer = announcer
        with door.reading() as cursor:
            self._finished = {key for (key,) in cursor.execute(queries.RECALL_KEYS, (door.row,))}
            self._places = {
                key: Past(attempts=attempts, visit=visit, spent=spent, due_at=due_at)
                for key, attempts, visit, spent, due_at in cursor.execute(
                    queries.PLACES, (door.row, superstep)
                )
            }
            self._visits = dict(cursor.execute(queries.VISITS, (door.row,)).fetchall())
            # By key, of places whose last attempt may have killed its process.
            self.crashes = {
                key: Crashes(times=times, alone=bool(alone))
                for key, attempt, times, alone in cursor.execute(
                    queries.CRASHES, (door.row, superstep)
                )
                if attempt == self._places[key].attempts
            }

    def has(self, key: str) -> bool:
        """Whether the step at this place has finished and its result is still needed."""
        return key in self._finished

    def recall(self, key: str) -> tuple[str, bytes]:
        """The stored result of a finished step: type and value, for the serialiser."""
        with self._door.reading() as cursor:
            kind, value = cursor.execute(queries.RECALL, (self._door.row, key)).fetchone()
        return kind, value

    def has_begun(self, step: str) -> bool:
        """Whether a step of this name was ever met."""
        return step in self._visits

    def past(self, place: Place) -> Past:
        """What earlier attempts at this place were like, in whatever process."""
        known = self._places.get(place.key)
        return known or Past(attempts=0, visit=self._visits.get(place.step, 0) + 1)

    def begin(self, place: Place, max_attempts: int | None = None) -> Attempt:
        """Note that an attempt begins; retries may go up to number ``max_attempts``."""
        past = self.past(place)
        number, visit = past.attempts + 1, past.visit
        self._places[place.key] = Past(attempts=number, visit=visit, spent=past.spent)
        self._visits[place.step] = visit
        door = self._door
        values = (
            *(door.row, place.superstep, place.key, place.step, visit, number, door.epoch),
            clock.now(),
            max_attempts,
        )
        row = door.write(
            lambda cursor: cursor.execute(queries.BEGIN_ATTEMPT, values).fetchone()[0],
            durable=False,
        )
        return Attempt(row=row, number=number, visit=visit, place=place, began=clock.monotonic())

    def succeed(
        self, attempt: Attempt, kind: str, value: bytes, *, undo: Undo | None = None
    ) -> float:
        """The ledger commit: when it returns, the step has finished. Gives its seconds.

        ``undo``: its compensation is due from then on.
        """
        seconds = clock.monotonic() - attempt.began
        now, row, place = clock.now(), self._door.row, attempt.place

        crc = seals.of_result(row, place.key, kind, value)

        def succeed(cursor: Any) -> None:
            cursor.execute(queries.SUCCEED_ATTEMPT, (now, seconds, attempt.row))
            cursor.execute(queries.KEEP_RESULT, (row, place.ns, place.key, kind, value, crc))
            if undo is not None:
                names, values = (place.key, undo.node), (*undo.state, kind, value)
                seal = seals.of_compensation(row, *names, *values)
                owed = (row, *names, place.step, attempt.visit, *values, seal)
                cursor.execute(queries.OWE, owed)

        self._door.write(succeed, durable=True, finished=1)
        self._finished.add(place.key)
        return seconds

    def fail(
        self,
        attempt: Attempt,
        status: AttemptStatus,
        error: StepError,
        trace: str,
        retry_in: float | None,
    ) -> float:
        """Note that an attempt failed, why, and when the next one is due. Gives its seconds."""
        seconds = clock.monotonic() - attempt.began
        text = json.dumps({**error._asdict(), "trace": trace})
        now, key = clock.now(), attempt.place.key
        due_at = None if retry_in is None else now + round(retry_in * 1_000_000)
        spent = self._places[key].spent if retry_in is not None else attempt.number
        self._places[key] = self._places[key]._replace(spent=spent, due_at=due_at)
        self.crashes.pop(key, None)  # this time it ended by itself
        values = (status.value, now, seconds, text, retry_in is None, due_at, attempt.row)
        self._door.write(lambda cursor: cursor.execute(queries.FAIL_ATTEMPT, values), durable=True)
        return seconds

    def forget(self, attempt: Attempt) -> None:
        """Take back an attempt that only found out that it must wait."""
        past = self._places[attempt.place.key]
        self._places[attempt.place.key] = past._replace(attempts=attempt.number - 1)
        self._door.write(
            lambda cursor: cursor.execute(queries.FORGET_ATTEMPT, (attempt.row,)), durable=False
        )

    def since_first(self, place: Place) -> float:
        """Seconds since the first of the attempts that count for the retries began."""
        values = (self._door.row, place.superstep, place.key, self.past(place).spent)
        with self._door.reading() as cursor:
            first = cursor.execute(queries.FIRST_ATTEMPT, values).fetchone()[0]
        return 0.0 if first is None else (clock.now() - first) / 1_000_000

    def queue_up(self, name: str, *, limit: int, step: str) -> Turn:
        """A turn at a named lock."""
        return Turn(self._door, name, limit=limit, step=step)

    def fall_asleep(self, place: Place, number: int, wake_at: int) -> int | None:
        """When a sleep ends, as was said when it began first; None when it has ended."""
        values = (self._door.row, place.key, number, wake_at, clock.now())
        said, slept = self._door.write(
            lambda cursor: cursor.execute(queries.FALL_ASLEEP, values).fetchone(), durable=True
        )
        return None if slept else int(said)

    def wake_up(self, place: Place, number: int) -> None:
        """The sleep has ended, and never begins anew, whatever the clock says."""
        values = (self._door.row, place.key, number)
        self._door.write(lambda cursor: cursor.execute(queries.WAKE_UP, values), durable=False)

    def set_progress(self, attempt: Attempt, progress: StepProgress) -> None:
        """Keep what a running step says of itself, for those who read."""
        text = json.dumps(progress._asdict())
        self._door.write(
            lambda cursor: cursor.execute(queries.SET_PROGRESS, (text, attempt.row)),
            durable=False,
        )

    def finish(
        self,
        status: str,
        *,
        error: StepError | None = None,
        waiting: str | None = None,
        wake_at: int | None = None,
        outcome: str | None = None,
        attempts: AttemptStatus | None = None,
        reason: str | None = None,
    ) -> str:
        """The thread is no longer driven: where it ended, or stopped. Gives its status.

        ``outcome`` is ``compensated`` once all that was due has been compensated.
        ``reason`` is who or what asked for a stop.
        ``attempts`` is what becomes of those still running, when the process leaves them.
        """
        now, row = clock.now(), self._door.row
        values = {
            "id": row,
            "status": status,
            "error": None if error is None else json.dumps(error._asdict()),
            "waiting": waiting,
            "wake_at": wake_at,
            "now": now,
            "outcome": outcome,
            "reason": reason,
            "epoch": self._door.epoch,
            "ended": status in ("completed", "cancelled") or outcome is not None,
        }

        def finish(cursor: Any) -> Any:
            if attempts is not None:
                cursor.execute(
                    queries.END_ATTEMPTS, {"id": row, "now": now, "status": attempts.value}
                )
            if status == "completed":
                cursor.execute(queries.SETTLE_ALL, (row,))
            if values["ended"]:
                cursor.execute(queries.CLOSE_QUESTIONS, (row,))
            left = cursor.execute(queries.FINISH, values).fetchone()[0]
            cursor.execute(queries.NOTE_LEFT, {**values, "left": left})
            if self._announcer is not None:
                self._announcer.announce(cursor, left, epoch=self._door.epoch, error=error)
            return left

        return str(self._door.write(finish, durable=True))

    def due(self) -> Due | None:
        """The compensation that is due next: of the step that finished last.

        Raises:
            StoreDamaged: when what it is to be handed is not what was written.
        """
        with self._door.reading() as cursor:
            found = cursor.execute(queries.DUE, (self._door.row,)).fetchone()
        if found is None:
            return None
        row, key, node, step, visit, *values, crc = found
        if crc is not None and crc != seals.of_compensation(self._door.row, key, node, *values):
            raise StoreDamaged(
                f"what the compensation of {step} needs is not what was written",
                hint="restore a copy of the store; other threads may be whole",
            )
        place = Place(
            key=f"compensate/{key}", ns="", step=compensation_of(step), superstep=AFTER_ALL
        )
        # It has the number of the visit that it undoes.
        self._places.setdefault(place.key, Past(attempts=0, visit=visit))
        state, result = (values[0], values[1]), (values[2], values[3])
        return Due(row=row, node=node, step=step, place=place, state=state, result=result)

    def begin_compensating(self, due: Due, cause: StepError | None) -> None:
        """The thread is compensated from now on, whoever drives it."""
        row, pending = self._door.row, json.dumps([[due.place.step, None]])
        values = (None if cause is None else json.dumps(cause._asdict()), pending, row)

        def begin(cursor: Any) -> None:
            cursor.execute(queries.COMPENSATE, values)
            cursor.execute(queries.CLOSE_QUESTIONS, (row,))

        self._door.write(begin, durable=True)

    def settle(self, attempt: Attempt, due: Due) -> float:
        """The commit that finishes a compensation. Gives its seconds."""
        seconds = clock.monotonic() - attempt.began
        now, row = clock.now(), self._door.row

        def settle(cursor: Any) -> None:
            cursor.execute(queries.SUCCEED_ATTEMPT, (now, seconds, attempt.row))
            cursor.execute(queries.SETTLE, (due.row,))
            left = [[compensation_of(s), None] for (s,) in cursor.execute(queries.DUE_STEP, (row,))]
            cursor.execute(queries.COMPENSATE_NEXT, (json.dumps(left), row))

        self._door.write(settle, durable=True)
        return seconds

    def spend(self, cursor: Any, ns: str) -> None:
        """Drop results that the checkpoint being stored in ``ns`` contains."""
        if ns == "":
            cursor.execute(queries.SPEND_RESULTS, (self._door.row,))
        else:
            inner = f"{ns}|"
            cursor.execute(queries.SPEND_RESULTS_OF, (self._door.row, ns, len(inner), inner))
