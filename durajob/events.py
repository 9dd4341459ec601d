"""What happens while a thread is driven, in the order in which it happens, for whoever watches.

Apart from ``model``, so that commands that only read do not pay for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from durajob.model import StepError, StepProgress, ThreadStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something a person who watches a thread wants to see; ``at`` is wall-clock time."""

    thread: str
    at: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ThreadClaimed(Event):
    """This process drives the thread from now on."""

    workflow: str
    epoch: int
    resumed: bool  # whether an earlier process had begun it
    next: tuple[str, ...]
    done: int
    total: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class StepStarted(Event):
    step: str
    visit: int
    attempt: int
    max_attempts: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StepFinished(Event):
    step: str
    visit: int
    attempt: int
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class StepFailed(Event):
    """An attempt failed; ``retry_in`` is None when it was the last."""

    step: str
    visit: int
    attempt: int
    seconds: float
    error: StepError
    retry_in: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class StepProgressed(Event):
    step: str
    visit: int
    progress: StepProgress


@dataclass(frozen=True, kw_only=True, slots=True)
class StepPrinted(Event):
    """A line that a step wrote to its standard output or error."""

    step: str
    line: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice(Event):
    """A sentence for the person who watches: a wait, a stop that was asked for."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ThreadLeft(Event):
    """This process no longer drives the thread."""

    status: ThreadStatus


class Observer(Protocol):
    """Who watches a thread being driven. Must return at once and never raise."""

    def notify(self, event: Event, /) -> None: ...


class Silent:
    """An observer that looks away."""

    def notify(self, event: Event, /) -> None:
        """Do nothing."""
