"""What ``history`` shows: all that happened to a thread, one record for each kind of thing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from durajob.model import AttemptStatus, Owner, Result, StepError, ThreadStatus
from durajob.record import Record


class Admitted(Record):
    """The thread came to be."""

    at: int
    workflow: str
    slot: str | None
    parent: str | None


class Claimed(Record):
    """A process became the owner; ``owner`` is None where an older durajob kept no note."""

    at: int
    epoch: int
    owner: Owner | None


class Left(Record):
    """An owner left the thread; ``at`` is None where it died, and nobody noted when."""

    at: int | None
    epoch: int
    owner: Owner | None
    status: ThreadStatus  # of the thread from then on
    reason: str | None = None  # of a stop: a signal's name, or timeout
    wake_at: int | None = None
    error: StepError | None = None
    outcome: str | None = None  # of a thread that stands so still: compensating or compensated


class Effect(Record):
    """Something that an attempt did to the outside world through ``once``."""

    name: str
    key: str
    status: str  # begun, failed or done
    times: int  # how often it was begun, by this attempt or an earlier one
    at: int
    finished_at: int | None


class Tried(Record):
    """One attempt of one step."""

    at: int
    step: str
    visit: int
    attempt: int
    epoch: int
    status: AttemptStatus
    finished_at: int | None
    seconds: float | None
    error: StepError | None
    traceback: str | None
    due_at: int | None  # when the next attempt was due
    max_attempts: int | None
    effects: tuple[Effect, ...]


class Stored(Record):
    """A checkpoint; of the graph itself, or of one inside it (``graph``)."""

    at: int | None
    checkpoint: str
    superstep: int | None
    graph: str | None


class Slept(Record):
    """A step went to sleep."""

    at: int
    step: str
    until: int
    is_over: bool


class Questioned(Record):
    """A step asked a person."""

    at: int
    id: str
    step: str
    prompt: Any
    expires_at: int | None


class Answered(Record):
    """A question was answered, or expired."""

    at: int
    id: str
    step: str
    answer: Any
    by: str | None  # None where it was answered at its expiry, or expired
    expired: bool


class Intervened(Record):
    """A person did something by hand."""

    at: int
    user: str
    verb: str
    step: str | None
    reason: str | None
    details: Mapping[str, Any] | None


Entry = Admitted | Claimed | Left | Tried | Stored | Slept | Questioned | Answered | Intervened


class History(Result):
    """The answer to ``history``; ``entries`` are read as they are gone through."""

    thread: str
    input: Mapping[str, Any]  # not shown, but what is secret in it is not shown elsewhere either
    entries: Iterable[Entry]
