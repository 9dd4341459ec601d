"""What the steps of a thread ask of people, and what they were answered.

The owner asks; whoever answers is another process, which needs no ownership: a question is
open, and then it is answered or has expired, once and for all. What an owner loaded may be out
of date by then, but only in that a question is still taken for open.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from durajob import clock
from durajob.errors import StoreDamaged
from durajob.store import queries
from durajob.store.door import Door
from durajob.store.ledger import Place


class Question(NamedTuple):
    """A question at one place in the run."""

    id: str  # as people see it
    place: str  # the key of the step that asks
    name: str  # which of its questions
    step: str
    prompt: Any
    schema: dict[str, Any] | None
    expires_at: int | None
    on_expiry: dict[str, Any] | None  # {"answer": …}; None: the step fails
    status: str  # open, answered, expired
    answer: Any = None


class QuestionBook:
    """The questions of one thread, for its owner."""

    def __init__(self, door: Door, superstep: int) -> None:
        """Read what may be met again: the places after the checkpoint of ``superstep``."""
        self._door = door
        self._superstep = superstep
        self._known: dict[tuple[str, str], Question] = {}
        self._open: dict[str, Question] = {}  # by place
        self.load()

    def load(self) -> None:
        """Read anew what was asked and answered."""
        with self._door.reading() as cursor:
            rows = cursor.execute(
                queries.QUESTIONS_AFTER, (self._door.row, self._superstep)
            ).fetchall()
        try:
            found = [_question(row) for row in rows]
        except (ValueError, TypeError) as error:
            raise StoreDamaged(
                f"the store holds a question that cannot be read: {error}",
                hint="restore a copy of the store; other threads may be whole",
            ) from error
        self._known = {(one.place, one.name): one for one in found}
        self._open = {one.place: one for one in found if one.status == "open"}

    def find(self, place: Place, name: str) -> Question | None:
        """A question that was asked at a place before."""
        return self._known.get((place.key, name))

    def open_at(self, place: Place) -> Question | None:
        """The question that the step at this place waits with."""
        return self._open.get(place.key)

    def is_open(self, question: Question) -> bool:
        """Whether, as far as was read, a question is still open."""
        return self._known[question.place, question.name].status == "open"

    def ask(self, place: Place, question: Question) -> None:
        """Note that a question is asked. The commit that follows, by which the thread begins to
        wait, makes it durable."""
        values = (
            *(self._door.row, question.id, place.key, place.superstep, question.name),
            *(question.step, json.dumps(question.prompt), _json(question.schema)),
            *(clock.now(), question.expires_at, _json(question.on_expiry)),
        )
        self._door.write(lambda cursor: cursor.execute(queries.ASK, values), durable=False)
        self._known[place.key, question.name] = self._open[place.key] = question

    def reopen(self, place: Place, name: str) -> None:
        """Take an answer back that the step could not take. It goes with the next commit."""
        question = self._known[place.key, name]._replace(status="open", answer=None)
        values = (self._door.row, question.id)
        self._door.write_later(lambda cursor: cursor.execute(queries.REOPEN, values))
        self._known[place.key, name] = self._open[place.key] = question

    def expire(self, question: Question) -> Question:
        """Its time is over; the answer for that case, if it has one, is its answer from now on.

        Somebody may have answered at the last moment, which is what counts then.
        """
        given = question.on_expiry
        expired = question._replace(
            status="expired" if given is None else "answered",
            answer=None if given is None else given["answer"],
        )
        values = (
            *(expired.status, None if given is None else json.dumps(expired.answer), clock.now()),
            *(self._door.row, question.id),
        )
        changed = self._door.write(
            lambda cursor: cursor.execute(queries.EXPIRE, values).rowcount, durable=False
        )
        if not changed:
            self.load()
        else:
            self._known[question.place, question.name] = expired
            self._open.pop(question.place, None)
        return self._known[question.place, question.name]


def _question(row: Any) -> Question:
    given, place, name, step, prompt, schema, expires_at, on_expiry, status, answer = row
    return Question(
        id=given,
        place=place,
        name=name,
        step=step,
        prompt=json.loads(prompt),
        schema=None if schema is None else json.loads(schema),
        expires_at=expires_at,
        on_expiry=None if on_expiry is None else json.loads(on_expiry),
        status=status,
        answer=None if answer is None else json.loads(answer),
    )


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value)
