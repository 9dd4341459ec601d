"""What happens while a thread is driven, as plain lines: for logs, CI and cron mails."""

from __future__ import annotations

from collections import Counter

from durajob import clock
from durajob.durations import counted, format_duration
from durajob.events import (
    Event,
    Notice,
    StepFailed,
    StepFinished,
    StepPrinted,
    StepStarted,
    StepWaits,
    ThreadClaimed,
    ThreadJoined,
)
from durajob.render.pages import MANY_BRANCHES, group_of, names_text
from durajob.render.sink import Sink
from durajob.render.tally import Row, Tally
from durajob.render.text import error_text, one_line, printed

SUMMARY_EVERY = 5.0
"""Seconds between two lines about a fan-out that is too wide for a line a branch."""

ANNOUNCE_AFTER = 1.0
"""Seconds that a step runs before a line says so; a quick one is only said to have ended."""


class Lines:
    """A painter (``pump.Painter``) of lines."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._tally = Tally()
        self._told: Counter[str] = Counter()  # lines about branches, by step
        self._wide: set[str] = set()  # fan-outs too wide for a line a branch
        self._summed: dict[str, tuple[float, int]] = {}  # step -> when, and how many were done

    def take(self, event: Event, /) -> None:
        """Say what happened, in a line."""
        self._tally.take(event)
        if isinstance(event, StepPrinted):
            self._say(f"{one_line(event.step)}| {printed(event.line)}")
        elif isinstance(event, StepFinished) and event.skipped:
            self._step(event, "skipped by hand")
        elif isinstance(event, StepFinished):
            again = f" at attempt {event.attempt}" if event.attempt > 1 else ""
            self._step(event, f"succeeded in {format_duration(event.seconds)}{again}")
        elif isinstance(event, StepFailed):
            self._step(event, _failure(event))
        elif isinstance(event, StepStarted):
            if group_of(event.step) == event.step:
                self._sum_up_all()  # what follows a fan-out begins: the fan-out has ended
            if event.attempt > 1:
                self._step(event, f"attempt {_of(event.attempt, event.max_attempts)} begins")
        elif isinstance(event, Notice):
            self._say(one_line(event.text))
        elif isinstance(event, StepWaits) and event.lock is not None:
            self._say(f"step {one_line(event.step)}: waits for {one_line(event.lock)}")
        elif isinstance(event, ThreadClaimed):
            self._say(_claimed(event))
        elif isinstance(event, ThreadJoined):
            done = _done(event.done, event.total)
            self._say(f"{_head(event)}: {event.status.value}, {done}")

    def refresh(self) -> None:
        """Say what has been running for a while, and sum up wide fan-outs."""
        now = clock.monotonic()
        for row in self._tally.rows.values():
            if row.name in self._wide:
                self._sum_up(row, now, SUMMARY_EVERY)
                continue
            if self._tally.status is not None:
                continue  # it was left: nothing runs
            for running in row.running.values():
                if not running.announced and now - running.since >= ANNOUNCE_AFTER:
                    running.announced = True
                    self._say(f"step {one_line(_name(running.step, running.visit))}: running")

    def finish(self) -> None:
        """Sum up what was not told in full."""
        self._sum_up_all()

    def _sum_up_all(self) -> None:
        for name in self._wide:
            self._sum_up(self._tally.rows[name], clock.monotonic(), 0.0)

    def _step(self, event: StepStarted | StepFinished | StepFailed, what: str) -> None:
        group = group_of(event.step)
        if group != event.step:
            self._told[group] += 1
            if self._told[group] > MANY_BRANCHES:
                self._wide.add(group)
                return
        self._say(f"step {one_line(_name(event.step, event.visit))}: {what}")

    def _sum_up(self, row: Row, now: float, every: float) -> None:
        when, done = self._summed.setdefault(row.name, (now, -1))
        if row.done != done and now - when >= every:
            self._summed[row.name] = (now, row.done)
            self._say(f"step {one_line(row.name)}: {branches_text(row)}")

    def _say(self, text: str) -> None:
        self._sink.write(text + "\n")


def branches_text(row: Row) -> str:
    """``612 of 5000 done, 4 running, 1 failed``; the total only where it is known."""
    known = row.branches > row.done + len(row.running)
    told = [f"{row.succeeded} of {row.branches} done" if known else f"{row.succeeded} done"]
    if row.running:
        told.append(f"{len(row.running)} running")
    if row.failed:
        told.append(f"{row.failed} failed")
    return ", ".join(told)


def _of(attempt: int, most: int | None) -> str:
    return f"{attempt}" if most is None else f"{attempt} of {most}"


def _name(step: str, visit: int) -> str:
    return f"{step} (visit {visit})" if visit > 1 else step


def _failure(event: StepFailed) -> str:
    took = format_duration(event.seconds)
    what = f"attempt {event.attempt} failed in {took}: {error_text(event.error)}"
    if event.retry_in is None:
        return what
    return f"{what}; trying again in {format_duration(event.retry_in)}"


def _claimed(event: ThreadClaimed) -> str:
    if not event.resumed:
        return f"{_head(event)}: started"
    after = names_text(event.next) or "its end"
    return f"{_head(event)}: resumed at {after}, {_done(event.done, event.total)}"


def _head(event: ThreadClaimed | ThreadJoined) -> str:
    return f"thread {event.thread} ({one_line(event.workflow)})"


def _done(done: int, total: int | None) -> str:
    if total is None:
        return f"{counted(done, 'step')} done"
    return f"{done} of {counted(total, 'step')} done"
