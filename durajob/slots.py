"""Slots as records: what the ledger says of each, and what ``tick`` and ``schedule`` return."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from durajob.model import ErrorInfo, Result, Thread, ThreadStatus
from durajob.recovery import Recovered


class Slot(NamedTuple):
    """One slot of a workflow, as the ledger has it."""

    workflow: str
    slot: str  # RFC 3339, in the time zone of its schedule
    due_at: int
    outcome: str  # queued, started, skipped, missed
    reason: str | None
    thread: str | None
    status: ThreadStatus | None  # of its thread, now
    handled_at: int
    handled_by: str  # tick, hand, backfill
    slots: int = 1  # that the row stands for; more only where many were missed
    until: int | None = None  # the last of them

    @property
    def late(self) -> float:
        """Seconds between the time at which it was due and the tick that came to it."""
        return max(0, self.handled_at - self.due_at) / 1_000_000


class Coming(NamedTuple):
    """A slot that is to come, or one that a backfill would run."""

    workflow: str
    slot: str
    due_at: int
    thread: str
    outcome: str | None = None  # what the ledger has of it


class Alert(NamedTuple):
    """Something that a person has to know of, whether or not they asked."""

    error: ErrorInfo
    log: str | None = None  # path of the log of the step that failed
    tail: tuple[str, ...] = ()  # its last lines


class Ticked(Result):
    """The answer to ``tick``."""

    slots: Sequence[Slot]  # that this tick has handled
    threads: Sequence[Thread]  # that it found due
    store: str
    alerts: Sequence[Alert] = ()
    outcomes: Sequence[Recovered] | None = None  # None where nobody waited for them


class SlotList(Result):
    """The answer to ``schedule``."""

    slots: Sequence[Slot]  # the latest first
    store: str
    more: bool = False  # whether --limit cut the list


class ComingSlots(Result):
    """The answer to ``schedule next``, and the plan of ``schedule backfill``."""

    slots: Sequence[Coming]
    recorded: int | None = None  # of a backfill: how many were queued; None where none was asked


class Installation(Result):
    """The answer to ``schedule install``."""

    text: str  # what is to be installed, as it stands in its file
