"""A thread that another process drives, shown as it changes: as a view, as lines, as JSON.

What was read from the store becomes the events that a driver tells of, so that ``watch`` shows
what ``start`` shows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from durajob import clock
from durajob.durations import format_duration
from durajob.events import (
    Event,
    Notice,
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
from durajob.model import AttemptStatus, Step, Thread, ThreadStatus
from durajob.render.envelope import jsonable
from durajob.render.objects import lock_wait_object, step_object, thread_object
from durajob.render.pages import lock_text, wait_texts
from durajob.render.pump import Painter
from durajob.render.sink import Sink
from durajob.watching import Change

_FINISHED = (AttemptStatus.SUCCEEDED, AttemptStatus.SKIPPED)
_REDRAW = 1.0
"""Seconds after which a view is drawn anew although nothing happened but time."""


def paint(changes: Iterator[Change | None], painter: Painter, sink: Sink) -> None:
    """Draw what happens until there is nothing more, or nobody who reads it."""
    telling = _Telling()
    drawn, size = 0.0, sink.size()
    try:
        for change in changes:
            for event in telling.events(change) if change is not None else ():
                painter.take(event)
            now = clock.monotonic()
            if change is not None or now - drawn >= _REDRAW or size != sink.size():
                drawn, size = now, sink.size()
                painter.refresh()
            if sink.dead:
                return
    finally:
        painter.finish()


def stream(changes: Iterator[Change | None], sink: Sink, write: Callable[[str], None]) -> None:
    """Write one JSON object a line: the thread, and each step, whenever it changes."""
    telling = _Telling()
    for change in changes:
        for shown in telling.objects(change) if change is not None else ():
            write(json.dumps(jsonable(shown), allow_nan=False))
        if sink.dead:
            return


class _Telling:
    """What was told last, and so what is news."""

    def __init__(self) -> None:
        self._thread: Thread | None = None
        self._steps: dict[tuple[str, int], Step] = {}
        self._locks: dict[tuple[str, str], str] = {}

    def objects(self, change: Change) -> Iterator[dict[str, Any]]:
        """The change as a script reads it."""
        before, now = self._thread, change.thread
        self._thread = now
        progress = {"done": now.done, "total": now.total}
        head = {"at": clock.to_rfc3339(change.at), "thread": now.thread}
        moved = before is None or _story(before) != _story(now)
        of_thread = {**head, "change": "thread", "progress": progress}
        if moved and now.status is ThreadStatus.RUNNING:
            yield {**of_thread, "now": thread_object(now, whole=False)}
        for step in change.steps:
            yield {**head, "change": "step", "progress": progress, "now": step_object(step)}
        waits = now.waiting_for_locks
        if waits != (() if before is None else before.waiting_for_locks):
            shown_waits = [lock_wait_object(wait) for wait in waits]
            yield {**head, "change": "locks", "progress": progress, "now": shown_waits}
        if moved and now.status is not ThreadStatus.RUNNING:
            yield {**of_thread, "now": thread_object(now, whole=False)}  # what its steps led to

    def events(self, change: Change) -> Iterator[Event]:
        """The change as the events that led to it."""
        before, now = self._thread, change.thread
        self._thread = now
        driven = now.status is ThreadStatus.RUNNING
        since = now.owner.since if now.owner is not None else now.started_at or now.created_at
        steps = change.steps
        if before is None:
            finished = tuple(step for step in steps if step.status in _FINISHED)
            yield ThreadJoined(
                thread=now.thread,
                at=change.at,
                workflow=now.workflow,
                status=now.status,
                since=since,
                next=now.next,
                done=now.done,
                total=now.total,
                finished=finished,
            )
            self._steps |= {(step.step, step.visit): step for step in finished}
            # What an earlier owner left is not what this one does.
            steps = tuple(s for s in steps if s not in finished and _is_of_now(s, driven, since))
        elif driven and (before.epoch != now.epoch or before.status is not now.status):
            yield ThreadClaimed(
                thread=now.thread,
                at=since,
                workflow=now.workflow,
                epoch=now.epoch,
                resumed=now.epoch > 1,
                next=now.next,
                done=now.done,
                total=now.total,
            )
            steps = tuple(s for s in steps if s.status is not AttemptStatus.ABANDONED)
        for step in steps:
            yield from self._step(now.thread, change.at, step)
        yield ThreadMoved(
            thread=now.thread, at=change.at, next=now.next, done=now.done, total=now.total
        )
        yield from self._waits(now, change.at)
        if not driven and (before is None or before.status is not now.status):
            yield ThreadLeft(
                thread=now.thread, at=now.finished_at or now.updated_at, status=now.status
            )
            yield from self._left(now, change.at, is_news=before is not None)

    def _step(self, thread: str, at: int, step: Step) -> Iterator[Event]:
        key = (step.step, step.visit)
        before = self._steps.get(key)
        self._steps[key] = step
        what: dict[str, Any] = {"thread": thread, "step": step.step, "visit": step.visit}
        begun = {**what, "attempt": step.attempts}
        if before is None or before.attempts != step.attempts:
            started = step.started_at if step.attempts == 1 else None
            most = step.max_attempts
            yield StepStarted(**begun, at=started or at, max_attempts=most)
        ended: dict[str, Any] = {
            **begun,
            "at": step.finished_at or at,
            "seconds": step.seconds or 0.0,
        }
        if step.status in _FINISHED:
            yield StepFinished(**ended, skipped=step.status is AttemptStatus.SKIPPED)
        elif step.error is not None and step.status is not AttemptStatus.RUNNING:
            due = step.due_at
            again = None if due is None else max(due - clock.now(), 0) / 1e6
            yield StepFailed(**ended, error=step.error, retry_in=again)
        elif step.progress is not None:
            yield StepProgressed(**what, at=at, progress=step.progress)

    def _waits(self, now: Thread, at: int) -> Iterator[Event]:
        waits = {(wait.step, wait.name): lock_text(wait) for wait in now.waiting_for_locks}
        for key in self._locks.keys() - waits.keys():
            yield StepWaits(thread=now.thread, at=at, step=key[0], lock=None)
        for key, text in waits.items():
            if self._locks.get(key) != text:
                yield StepWaits(thread=now.thread, at=at, step=key[0], lock=text)
        self._locks = waits

    def _left(self, now: Thread, at: int, *, is_news: bool) -> Iterator[Event]:
        told = wait_texts(now)
        if now.wake_at is not None:
            left = format_duration(max(now.wake_at - clock.now(), 0) / 1e6)
            told.insert(0, f"thread {now.thread} is {now.status.value}, to go on in {left}")
        elif is_news and now.status not in _SAID_AT_THE_END:
            told.insert(0, f"thread {now.thread} is {now.status.value}: nobody drives it")
        for text in told:
            yield Notice(thread=now.thread, at=at, text=text)


_SAID_AT_THE_END = (ThreadStatus.COMPLETED, ThreadStatus.CANCELLED, ThreadStatus.FAILED)


def _is_of_now(step: Step, driven: bool, since: int) -> bool:
    if not driven or step.status is AttemptStatus.RUNNING or step.due_at is not None:
        return True
    return step.status is not AttemptStatus.ABANDONED and (step.finished_at or since) >= since


def _story(thread: Thread) -> Thread:
    """What makes a change of the thread rather than of a step of it."""
    return thread._replace(updated_at=0, done=0, total=None, next=(), waiting_for_locks=())
