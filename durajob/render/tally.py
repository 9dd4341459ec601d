"""What a watcher knows of a thread that is being driven: events in, counts out.

Bounded however long the thread is and however wide it fans out: branches that ended are
counted, not kept. Draws nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from durajob import clock
from durajob.events import (
    Event,
    StepFailed,
    StepFinished,
    StepProgressed,
    StepStarted,
    StepWaits,
    ThreadClaimed,
    ThreadJoined,
    ThreadLeft,
    ThreadMoved,
)
from durajob.model import (
    COMPENSATION,
    AttemptStatus,
    Step,
    StepError,
    StepProgress,
    ThreadStatus,
)
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
    lock: str | None = None  # which it waits for, and who holds it
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
    skipped: bool = False  # the last one, by hand

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
        self.queued: dict[str, str] = {}  # steps that begin once they have a lock; which
        self._expected: Counter[str] = Counter()

    @property
    def now(self) -> float:
        """The time that is shown, on the monotonic clock: it stands once the thread was left."""
        return self._ended_at or clock.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the thread was claimed, up to where it was left."""
        return max(self.now - self._began, 0.0)

    def take(self, event: Event) -> None:
        """Learn from an event."""
        if isinstance(event, StepStarted):
            self._started(event)
        elif isinstance(event, StepFinished):
            self._finished(event)
        elif isinstance(event, StepFailed):
            self._failed(event)
        elif isinstance(event, StepProgressed):
            running = self._row(event.step, event.at).running.get((event.step, event.visit))
            if running is not None:
                running.progress = event.progress
        elif isinstance(event, StepWaits):
            self._waits(event.step, event.lock)
        elif isinstance(event, ThreadMoved):
            self.done, self.total = event.done, event.total
            self._expect(event.next)
        elif isinstance(event, ThreadClaimed):
            self._claimed(event)
        elif isinstance(event, ThreadJoined):
            self._joined(event)
        elif isinstance(event, ThreadLeft):
            self.thread, self.status = event.thread, event.status
            pending = event.status is ThreadStatus.PENDING  # it has not begun, let alone ended
            self._ended_at = None if pending else _monotonic(event.at)

    def _claimed(self, event: ThreadClaimed) -> None:
        self.thread, self.workflow = event.thread, event.workflow
        self.status, self._ended_at, self._began = None, None, _monotonic(event.at)
        self.resumed, self.done, self.total = event.resumed, event.done, event.total
        self.queued.clear()
        for row in self.rows.values():  # what its last owner left is begun again
            row.running.clear()
            row.failed, row.error = 0, None
        self._expect(event.next)

    def _joined(self, event: ThreadJoined) -> None:
        self.thread, self.workflow = event.thread, event.workflow
        self._began, self.done, self.total = _monotonic(event.since), event.done, event.total
        for step in event.finished:
            self._met(step)
        self._expect(event.next)

    def _met(self, step: Step) -> None:
        row = self._row(step.step, step.started_at or 0)
        row.succeeded += 1
        row.visit, row.attempt = step.visit, step.attempts
        row.skipped = step.status is AttemptStatus.SKIPPED
        if step.step != row.name:
            row.branches = max(row.branches, row.done)
        self._ended(row, step.seconds or 0.0, step.finished_at or 0)

    def _waits(self, step: str, lock: str | None) -> None:
        self.queued.pop(step, None)
        row = self.rows.get(group_of(step))
        waiting = [each for each in (row.running.values() if row else ()) if each.step == step]
        for running in waiting:
            running.lock = lock
        if lock is not None and not waiting:
            self.queued[step] = lock

    def _expect(self, coming: Sequence[str]) -> None:
        """Learn how many branches of fan-outs are to come, or run."""
        for group, count in Counter(group_of(s) for s in coming if group_of(s) != s).items():
            row = self.rows.get(group)
            if row is None:
                self._expected[group] = count
            else:
                row.branches = max(row.branches, row.succeeded + count)

    def _row(self, step: str, at: int) -> Row:
        group = group_of(step)
        row = self.rows.get(group)
        if row is None:
            row = self.rows[group] = Row(name=group, since=_monotonic(at))
            row.branches = self._expected.pop(group, 0)
        return row

    def _started(self, event: StepStarted) -> None:
        row = self._row(event.step, event.at)
        key = (event.step, event.visit)
        again = row.running.pop(key, None)
        row.running[key] = Running(
            step=event.step,
            visit=event.visit,
            attempt=event.attempt,
            max_attempts=event.max_attempts,
            since=_monotonic(event.at),
            announced=again is not None and again.announced,
            error=again.error if again else None,
        )
        row.visit, row.attempt = event.visit, event.attempt
        if event.step != row.name:
            row.branches = max(row.branches, row.done + len(row.running))

    def _finished(self, event: StepFinished) -> None:
        row = self._row(event.step, event.at)
        row.running.pop((event.step, event.visit), None)
        row.succeeded += 1
        row.error, row.attempt, row.visit = None, event.attempt, event.visit
        row.skipped = event.skipped
        self._ended(row, event.seconds, event.at)
        self.done += not event.step.endswith(COMPENSATION)

    def _failed(self, event: StepFailed) -> None:
        row = self._row(event.step, event.at)
        key = (event.step, event.visit)
        running = row.running.get(key)
        if event.retry_in is not None and running is not None:
            running.retry_at = clock.monotonic() + event.retry_in
            running.error = event.error
            running.progress = running.lock = None
        elif event.retry_in is None:
            row.running.pop(key, None)
            row.failed += 1
            row.error, row.attempt = event.error, event.attempt
            self._ended(row, event.seconds, event.at)

    def _ended(self, row: Row, seconds: float, at: int) -> None:
        row.seconds = max(_monotonic(at) - row.since, 0.0) if row.branched else seconds


def _monotonic(at: int) -> float:
    """When something happened, on the clock that durations come from; never yet to come."""
    return clock.monotonic() - max(clock.now() - at, 0) / 1e6
