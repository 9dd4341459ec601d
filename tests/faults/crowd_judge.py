"""The judge of many processes: a journal that steps write, and what must hold of it.

The journal lies outside of durajob: a file that is only appended to, one fsynced write a line.
A step says there when it begins and when its effect is done, and which process and which
thread of it did so. From that alone it can be told whether a thread ever had two owners, and
whether a step that had finished ran again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

BEGIN, DONE = "begin", "done"


class Event(NamedTuple):
    """One line of the journal."""

    thread: str
    step: str
    what: str
    pid: int
    worker: int


def write(journal: str, thread: str, step: str, what: str) -> None:
    """Append one event, durably; called by steps."""
    line = f"{thread} {step} {what} {os.getpid()} {threading.get_native_id()}\n"
    fd = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, line.encode())
        os.fsync(fd)
    finally:
        os.close(fd)


def read(journal: Path) -> dict[str, list[Event]]:
    """The events of each thread, in order."""
    events: dict[str, list[Event]] = {}
    if journal.exists():
        for line in journal.read_text().splitlines():
            thread, step, what, pid, worker = line.split(" ")
            events.setdefault(thread, []).append(Event(thread, step, what, int(pid), int(worker)))
    return events


def violations(
    events: list[Event],
    *,
    steps: Collection[str],
    after: Mapping[str, Collection[str]],
    fenced: Collection[int] = (),
) -> list[str]:
    """What is wrong with a thread that is said to have completed.

    ``steps`` is what it consists of, and ``after`` names for a step those that must be done
    before it begins. ``fenced`` are processes that lost the thread while a step of theirs was
    in flight: that step may end whenever it likes, but none may begin any more.
    """
    return [
        *_owners(events, fenced),
        *_repeated(events, after),
        *_order(events, after),
        *(f"step {step} was lost" for step in sorted(set(steps) - _done(events))),
        *(f"step {step} is none of its steps" for step in sorted(_done(events) - set(steps))),
    ]


def owners(events: list[Event]) -> list[int]:
    """The processes that began steps, in order of their first."""
    return list(dict.fromkeys(event.pid for event in events if event.what == BEGIN))


def _done(events: list[Event]) -> set[str]:
    return {event.step for event in events if event.what == DONE}


def _owners(events: list[Event], fenced: Collection[int]) -> list[str]:
    """One process after another: none comes back once another has begun a step."""
    found, gone = [], set[int]()
    owner: int | None = None
    for event in events:
        if event.what == DONE and event.pid in fenced:
            continue
        if event.pid in gone:
            found.append(f"process {event.pid} was at {event.step} when {owner} owned the thread")
        elif event.pid != owner:
            if owner is not None:
                gone.add(owner)
            owner = event.pid
    return found


def _repeated(events: list[Event], after: Mapping[str, Collection[str]]) -> list[str]:
    """A step may run again only as long as nothing shows that it was committed: that its worker
    went on to another step, or that a step which comes after it has begun."""
    found, finished = [], set[str]()
    last: dict[tuple[int, int], str] = {}
    for event in events:
        if event.what == DONE:
            last[event.pid, event.worker] = event.step
            continue
        if event.step in finished:
            found.append(f"step {event.step} had finished and ran again in {event.pid}")
        before = last.pop((event.pid, event.worker), event.step)
        if before != event.step:
            finished.add(before)
        finished.update(after.get(event.step, ()))
    return found


def _order(events: list[Event], after: Mapping[str, Collection[str]]) -> list[str]:
    done: set[str] = set()
    found = []
    for event in events:
        if event.what == DONE:
            done.add(event.step)
        elif missing := set(after.get(event.step, ())) - done:
            found.append(f"step {event.step} began before {', '.join(sorted(missing))}")
    return found


class Readings:
    """What somebody who only reads has seen of threads, one answer after another."""

    def __init__(self, *, dead_epochs: float) -> None:
        """``dead_epochs``: up to which epoch owners may have been killed."""
        self.violations: list[str] = []
        self.count = 0
        self.dead_epochs = dead_epochs
        self._seen: dict[str, Mapping[str, object]] = {}

    def take(self, threads: Collection[Mapping[str, object]], *, all_of_them: bool) -> None:
        """Compare an answer with those before it."""
        self.count += 1
        now = {str(thread["thread"]): thread for thread in threads}
        if all_of_them:
            for name in self._seen.keys() - now.keys():
                self.violations.append(f"thread {name} was seen, and is no more")
        for name, thread in now.items():
            if (before := self._seen.get(name)) is not None:
                self._compare(name, before, thread)
            self._look(name, thread)
            self._seen[name] = thread

    def _compare(self, name: str, before: Mapping[str, object], now: Mapping[str, object]) -> None:
        for field in ("epoch", "progress.done", "updated_at"):
            if _get(now, field) < _get(before, field):
                self.violations.append(
                    f"{name}: {field} went from {_get(before, field)} to {_get(now, field)}"
                )
        was, is_ = str(before["status"]), str(now["status"])
        if is_ not in _FOLLOWS[was]:
            self.violations.append(f"{name}: {was} became {is_}")

    def _look(self, name: str, thread: Mapping[str, object]) -> None:
        """What must hold of each answer for itself."""
        status, steps = thread["status"], thread.get("steps")
        if status == "interrupted" and _get(thread, "epoch") > self.dead_epochs:
            self.violations.append(f"{name}: interrupted, but its owner was not killed")
        if (status == "running") != (thread["owner"] is not None):
            self.violations.append(f"{name}: {status} with owner {thread['owner']}")
        if (status == "completed") != (thread["finished_at"] is not None):
            self.violations.append(f"{name}: {status}, finished at {thread['finished_at']}")
        if isinstance(steps, list):
            succeeded = sum(step["status"] == "succeeded" for step in steps)
            if succeeded != _get(thread, "progress.done"):
                self.violations.append(
                    f"{name}: {succeeded} steps succeeded, {_get(thread, 'progress.done')} done"
                )
            if status == "completed" and thread["next"]:
                self.violations.append(f"{name}: completed, and next is {thread['next']}")


_ANY = {"running", "interrupted", "stopped", "failed", "completed"}
_FOLLOWS: Mapping[str, set[str]] = {
    "pending": {"pending", *_ANY},
    "running": _ANY,
    "interrupted": _ANY,
    "stopped": _ANY,
    "failed": _ANY,
    "completed": {"completed"},
}


def _get(thread: Mapping[str, object], field: str) -> int:
    value: object = thread
    for name in field.split("."):
        assert isinstance(value, Mapping)
        value = value[name]
    return value  # type: ignore[return-value]  # as the schema says; times compare as text
