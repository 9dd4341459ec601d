"""What happens while a thread is driven, in the order in which it happens, for whoever watches.

Apart from ``model``, so that commands that only read do not pay for it.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from durajob.model import Step, StepError, StepProgress, ThreadStatus


class ThreadClaimed(NamedTuple):
    """This process drives the thread from now on."""

    thread: str
    at: int  # wall-clock time
    workflow: str
    epoch: int
    resumed: bool  # whether an earlier process had begun it
    next: tuple[str, ...]
    done: int
    total: int | None


class ThreadJoined(NamedTuple):
    """Somebody who does not drive the thread watches it from now on."""

    thread: str
    at: int  # wall-clock time
    workflow: str
    status: ThreadStatus
    since: int  # when its owner claimed it; or, where it has none, when it was begun
    next: tuple[str, ...]
    done: int
    total: int | None
    finished: tuple[Step, ...]  # those that have


class ThreadMoved(NamedTuple):
    """What only the store can tell a watcher: the counts, and what comes next."""

    thread: str
    at: int  # wall-clock time
    next: tuple[str, ...]
    done: int
    total: int | None


class StepStarted(NamedTuple):
    thread: str
    at: int  # wall-clock time
    step: str
    visit: int
    attempt: int
    max_attempts: int | None = None


class StepFinished(NamedTuple):
    thread: str
    at: int  # wall-clock time
    step: str
    visit: int
    attempt: int
    seconds: float
    skipped: bool = False  # a person completed or skipped it by hand


class StepFailed(NamedTuple):
    """An attempt failed; ``retry_in`` is None when it was the last."""

    thread: str
    at: int  # wall-clock time
    step: str
    visit: int
    attempt: int
    seconds: float
    error: StepError
    retry_in: float | None


class StepProgressed(NamedTuple):
    thread: str
    at: int  # wall-clock time
    step: str
    visit: int
    progress: StepProgress


class StepWaits(NamedTuple):
    """A step waits for a lock; ``lock`` says which and whose, None that it waits no longer."""

    thread: str
    at: int  # wall-clock time
    step: str
    lock: str | None


class StepPrinted(NamedTuple):
    """A line that a step wrote to its standard output or error."""

    thread: str
    at: int  # wall-clock time
    step: str
    line: str


class Notice(NamedTuple):
    """A sentence for the person who watches: a wait, a stop that was asked for."""

    thread: str
    at: int  # wall-clock time
    text: str


class ThreadLeft(NamedTuple):
    """This process no longer drives the thread."""

    thread: str
    at: int  # wall-clock time
    status: ThreadStatus


Event = (
    ThreadClaimed
    | ThreadJoined
    | ThreadMoved
    | StepStarted
    | StepFinished
    | StepFailed
    | StepProgressed
    | StepWaits
    | StepPrinted
    | Notice
    | ThreadLeft
)
"""Something that a person who watches a thread wants to see."""


class Observer(Protocol):
    """Who watches a thread being driven. Must return at once and never raise."""

    def notify(self, event: Event, /) -> None: ...
