"""What a watcher knows of a thread that is being driven: events in, counts out.

Bounded however long the thread is and however wide it fans out: branches that ended are
counted, not kept. Draws nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from durajob import clock
from durajob.events import (
    Event,
    StepFailed,
    StepFinished,
    StepProgressed,
    StepStarted,
    ThreadClaimed,
    ThreadLeft,
)
from durajob.model import COMPENSATION, StepError, StepProgress, ThreadStatus
from durajob.render.pages import group_of


@dataclass(kw_only=True, slots=True)
class Running:
    """A step that runs, or waits to be tried again."""

    step: str
    visit: int
    attempt: int
    max_attempts: int | None
    since: float
    progress: StepProgress | None = None
    announced: bool = False  # whether a person was told that it runs
    retry_at: float | None = None  # set between two attempts
    error: StepError | None = None  # of the attempt before


@dataclass(kw_only=True, slots=True)
class Row:
    """All that is known of one step: its branches and visits together."""

    name: str
    since: float
    running: dict[tuple[str, int], Running] = field(default_factory=dict)
    branches: int = 0  # how many were begun, or are known to come
    succeeded: int = 0
    failed: int = 0
    visit: int = 1
    seconds: float = 0.0  # that the last one took, or all branches together on the clock
    error: StepError | None = None
    attempt: int = 1

    @property
    def branched(self) -> bool:
        """Whether the step is a fan-out."""
        return self.branches > 0

    @property
    def done(self) -> int:
        """Branches, or visits, that ended."""
        return self.succeeded + self.failed


class Tally:
    """The whole thread."""

    def __init__(self) -> None:
        self._began = clock.monotonic()
        self._ended_at: float | None = None
        self.thread = ""
        self.workflow = ""
        self.resumed = False
        self.status: ThreadStatus | None = None
        self.done = 0
        self.total: int | None = None
        self.rows: dict[str, Row] = {}
        self._expected: Counter[str] = Counter()

    @property
    def elapsed(self) -> float:
        """Seconds since the thread was claimed, up to where it was left."""
        return (self._ended_at or clock.monotonic()) - self._began

    def take(self, event: Event) -> None:
        """Learn from an event."""
        if isinstance(event, StepStarted):
            self._started(event)
        elif isinstance(event, StepFinished):
            self._finished(event)
        elif isinstance(event, StepFailed):
            self._failed(event)
        elif isinstance(event, StepProgressed):
            running = self._row(event.step).running.get((event.step, event.visit))
            if running is not None:
                running.progress = event.progress
        elif isinstance(event, ThreadClaimed):
            self.thread, self.workflow = event.thread, event.workflow
            self._began = clock.monotonic()
            self.resumed, self.done, self.total = event.resumed, event.done, event.total
            self._expected.update(group_of(s) for s in event.next if group_of(s) != s)
        elif isinstance(event, ThreadLeft):
            self.thread, self.status = event.thread, event.status
            self._ended_at = clock.monotonic()

    def _row(self, step: str) -> Row:
        group = group_of(step)
        row = self.rows.get(group)
        if row is None:
            row = self.rows[group] = Row(name=group, since=clock.monotonic())
            row.branches = self._expected.pop(group, 0)
        return row

    def _started(self, event: StepStarted) -> None:
        row = self._row(event.step)
        key = (event.step, event.visit)
        again = row.running.pop(key, None)
        row.running[key] = Running(
            step=event.step,
            visit=event.visit,
            attempt=event.attempt,
            max_attempts=event.max_attempts,
            since=clock.monotonic(),
            announced=again is not None and again.announced,
            error=again.error if again else None,
        )
        row.visit, row.attempt = event.visit, event.attempt
        if event.step != row.name:
            row.branches = max(row.branches, row.done + len(row.running))

    def _finished(self, event: StepFinished) -> None:
        row = self._row(event.step)
        row.running.pop((event.step, event.visit), None)
        row.succeeded += 1
        row.error, row.attempt, row.visit = None, event.attempt, event.visit
        self._ended(row, event.seconds)
        self.done += not event.step.endswith(COMPENSATION)

    def _failed(self, event: StepFailed) -> None:
        row = self._row(event.step)
        key = (event.step, event.visit)
        running = row.running.get(key)
        if event.retry_in is not None and running is not None:
            running.retry_at = clock.monotonic() + event.retry_in
            running.error = event.error
            running.progress = None
        elif event.retry_in is None:
            row.running.pop(key, None)
            row.failed += 1
            row.error, row.attempt = event.error, event.attempt
            self._ended(row, event.seconds)

    def _ended(self, row: Row, seconds: float) -> None:
        row.seconds = clock.monotonic() - row.since if row.branched else seconds
