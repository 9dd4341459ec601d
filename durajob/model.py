"""The words of durajob as types: what a thread is, what a step is, what a command returns.

The standard library only; nothing here knows of SQL, LangGraph or a terminal. Records are
frozen and made by keyword; those that a step in flight makes are named tuples.
Times are microseconds since the epoch (``clock``), durations are seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from durajob.record import Record


class ThreadStatus(str, Enum):
    """Where a thread stands. All but INTERRUPTED are stored as they are."""

    PENDING = "pending"  # admitted, not yet claimed by an owner
    RUNNING = "running"  # an owner holds it
    INTERRUPTED = "interrupted"  # stored as running, but its owner is gone
    STOPPED = "stopped"  # stopped cleanly between steps
    SLEEPING = "sleeping"  # waits for a time
    WAITING = "waiting"  # waits for a person's answer
    FAILED = "failed"  # a step failed for good; resumable after a fix
    COMPLETED = "completed"  # reached the end
    CANCELLED = "cancelled"  # ended by a person; final

    @property
    def is_final(self) -> bool:
        """Whether no command can make the thread run again."""
        return self in (ThreadStatus.COMPLETED, ThreadStatus.CANCELLED)


class AttemptStatus(str, Enum):
    """How one try of one step stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    ABANDONED = "abandoned"  # its process died
    SKIPPED = "skipped"  # a person completed or skipped the step by hand


SHORT_SLEEP = 10.0
"""Seconds: a sleep that has no more left to it is waited for in the process."""

THREAD_ID_RULE = (
    "a thread id is 1 to 200 characters: letters and digits of ASCII and . _ : @ + = - , "
    "beginning with a letter or digit"
)
_THREAD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+=-]{0,199}")


def is_thread_id(text: str) -> bool:
    """Whether ``text`` obeys THREAD_ID_RULE."""
    return _THREAD_ID.fullmatch(text) is not None


class Owner(Record):
    """The process that drives a thread."""

    host: str
    pid: int
    since: int


class StepError(Record):
    """Why a step failed: ``step`` is None when no single step is to blame."""

    step: str | None
    type: str
    message: str
    attempt: int | None = None
    log: str | None = None  # path of the attempt's log file


COMPENSATION = ":compensate"
"""What the name of a step's compensation ends with; no name of a step holds a colon."""


class Step(Record):
    """One step as a thread has met it: all attempts at one place in the run."""

    step: str
    status: AttemptStatus
    attempts: int
    started_at: int | None
    finished_at: int | None
    seconds: float | None
    visit: int = 1  # a loop visits a step again
    error: StepError | None = None
    progress: StepProgress | None = None
    max_attempts: int | None = None  # the last number that its retries may reach
    due_at: int | None = None  # when the next attempt is due, where one is to come


class StepProgress(NamedTuple):
    """What a running step last said of itself."""

    done: float
    total: float | None
    note: str | None


class Waiting(Record):
    """What a waiting thread asks of a person."""

    id: str
    step: str
    prompt: Any
    schema: Mapping[str, Any] | None = None
    expires_at: int | None = None


class LockHolder(Record):
    """Who holds a lock; ``thread`` is None where that was pruned."""

    thread: str | None
    step: str
    pid: int
    since: int


class LockWait(Record):
    """A lock that a step waits for."""

    name: str
    step: str
    limit: int  # of holders at once
    since: int
    holders: tuple[LockHolder, ...]


class Asked(Record):
    """A question of a thread, open or not, as whoever answers must know it."""

    id: str
    step: str
    prompt: Any
    schema: dict[str, Any] | None
    asked_at: int
    expires_at: int | None
    status: str  # open, answered, expired, closed (its step will ask no more)
    answer: Any
    answered_at: int | None
    answered_by: str | None


class Thread(Record):
    """One durable execution of a workflow, as read at one instant."""

    thread: str
    workflow: str
    status: ThreadStatus
    next: tuple[str, ...]
    input: Mapping[str, Any]
    done: int
    total: int | None  # None where the graph makes it unknowable
    error: StepError | None
    owner: Owner | None
    epoch: int
    created_at: int
    started_at: int | None
    updated_at: int
    finished_at: int | None
    waiting_for: tuple[Waiting, ...] = ()
    wake_at: int | None = None
    slot: str | None = None
    parent: str | None = None
    answered: bool = False  # it is waiting, and something of what it asked was answered
    state: Mapping[str, Any] | None = None  # None where it was not asked for
    steps: tuple[Step, ...] | None = None  # None where it was not asked for
    waiting_for_locks: tuple[LockWait, ...] = ()  # empty where it was not asked for
    outcome: str | None = None  # compensating: compensations are due; compensated: all have run
    cause: StepError | None = None  # the failure that is, or was, compensated

    @property
    def is_final(self) -> bool:
        """Whether no command can make it run again."""
        return self.status.is_final or self.outcome == "compensated"


class ErrorInfo(Record):
    """An error as the envelope shows it."""

    code: str
    message: str
    hint: str | None = None


class Result(Record):
    """What a command returns; the renderer makes text or JSON of it."""

    exit_status: int = 0
    error: ErrorInfo | None = None
    notes: tuple[str, ...] = ()  # for people, on stderr
    next_command: str | None = None  # what a person would type next


class ThreadResult(Result):
    """A command that shows or drove one thread.

    ``abandoned``: a step still runs in this process and cannot be stopped but with it, so the
    process must end by ``os._exit`` once the result is shown.
    ``afterwards`` is to be called once it is shown, with who is to hear what goes wrong in that:
    others are told of the thread, and may take their time.
    """

    thread: Thread
    abandoned: bool = False
    afterwards: Callable[[Callable[[str], None]], None] | None = None


class PlannedStep(Record):
    """A step that a resume would run."""

    step: str
    visit: int | None  # None where it has not begun
    status: AttemptStatus | None  # of its last attempt; None where it has not begun
    attempts: int


class ReusedStep(Record):
    """A step that has finished, and that a resume would not run."""

    step: str
    visit: int
    source: str  # ledger, or checkpoint


class Plan(Result):
    """What a resume would do."""

    thread: Thread
    verdict: str  # runs, compensates, waits, sleeps, refused, or nothing
    again: Sequence[PlannedStep]
    reused: Sequence[ReusedStep]
    compensations: Sequence[str] = ()  # that are due, in their order
    refused: Sequence[ErrorInfo] = ()  # all that stands in its way


class ThreadList(Result):
    """The answer to ``list``."""

    threads: Sequence[Thread]
    store: str  # its URL, for the line that says where was looked
    exists: bool = True  # False when there is no store yet
    more: bool = False  # whether --limit cut the list


class Approvals(Result):
    """The answer to ``approvals``."""

    threads: Sequence[Thread]  # that wait for a person, newest first
    store: str
    exists: bool = True


class Overview(Result):
    """The answer to ``status`` without a thread."""

    counts: Mapping[ThreadStatus, int]
    attention: Sequence[Thread]  # that somebody must do something about, by what that is
    commands: Mapping[str, str]  # what would be typed for each of these
    sleepers: Sequence[Thread]  # those that wake first
    ended: Sequence[Thread]  # for good, in the last day; the latest first
    ended_count: int  # how many did
    store: str
    exists: bool = True
