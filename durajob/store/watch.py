"""One thread, looked at again and again while another process drives it.

A look costs next to nothing when nothing was committed since the last. When something was, only
what can have changed is read: the thread's row, the attempts that ran at the last look, and
those that are new.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from durajob import clock
from durajob.errors import ThreadNotFound
from durajob.model import AttemptStatus, Step, StepProgress, Thread, ThreadStatus
from durajob.store import read_queries as queries
from durajob.store.look import Look
from durajob.store.records import lock_waits_of, step_error, thread_of
from durajob.store.resumable import check_count, check_name
from durajob.watching import Change

_FINISHED = (AttemptStatus.SUCCEEDED, AttemptStatus.SKIPPED)


class Watcher:
    """Looks at one thread of a store; keeps the store open, but no transaction."""

    def __init__(self, path: Path, thread: str) -> None:
        """Open the store at ``path``; raises NoStore or another StoreError."""
        self._path, self._thread = path, thread
        self._known_before = False
        self._open()

    def close(self) -> None:
        """Let go of the files."""
        self._eye.close()

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def look(self) -> Change | None:
        """What has changed since the last look; None when that is nothing.

        Raises:
            ThreadNotFound: when the thread was pruned meanwhile.
            StoreError: when the store can no longer be used.
        """
        if self._identity != _identity(self._path):  # replaced, or gone: opening it says so
            before = self._eye
            self._open()
            before.close()
        return self._eye.look()

    def _open(self) -> None:
        self._identity = _identity(self._path)
        self._eye = _Eye(self._path, self._thread, known_before=self._known_before)
        self._known_before = True


class _Eye(Look):
    """What was seen last, and what is different now."""

    def __init__(self, path: Path, thread: str, *, known_before: bool) -> None:
        super().__init__(path, known_before=known_before)
        self._name = thread
        self._version: int | None = None
        self._brief: tuple[Any, ...] = ()
        self._shown: Thread | None = None
        self._queues = False  # whether a step of it waits for a lock, or is about to
        self._places: dict[str, Step] = {}  # as stored, by their place in the run
        self._running: dict[int, str] = {}  # attempt -> its place
        self._last = 0  # the newest attempt that was seen
        self._untold: set[str] = set()  # places that changed, and nobody was told

    def look(self) -> Change | None:
        version = self.one(queries.DATA_VERSION, ())[0]
        if version == self._version and not self._may_differ():
            return None
        with self.snapshot(), self.reading_of(self._name):
            brief = self.one(queries.BRIEF, (self._name,))
            if brief is None:
                raise ThreadNotFound(f"no thread {self._name!r} any more", hint="durajob list")
            before = self._shown
            thread = self._find(brief, before)
            driven = thread.status is ThreadStatus.RUNNING
            touched = self._untold = self._untold | self._attempts(brief, fresh=before is None)
            locks = tuple(lock_waits_of(self, brief[0])) if driven else ()
            self._queues = driven and any(self.rows(queries.LOCK_WAITS, (brief[0],)))
        if thread.status is ThreadStatus.INTERRUPTED and not self.was_left(brief[0], brief[2]):
            return None  # its owner has just come to an end, as the next look will show
        self._version, self._brief = version, brief
        self._shown = thread = thread._replace(waiting_for_locks=locks)
        was_driven = before is not None and before.status is ThreadStatus.RUNNING
        if was_driven != driven:
            touched = touched | set(self._running.values())
        unchanged = before is not None and before == thread._replace(updated_at=before.updated_at)
        if unchanged and not touched:
            return None
        self._untold = set()
        changed = [step for key, step in self._places.items() if key in touched]
        steps = tuple(_as_seen(step, driven) for step in changed)
        return Change(at=clock.now(), thread=thread, steps=steps)

    def _may_differ(self) -> bool:
        """Whether there may be news that nobody has committed: a death, a lock that is free."""
        assert self._shown is not None, "a first look has been had"
        if self._shown.status is not ThreadStatus.RUNNING:
            return False
        return self._queues or not self.is_driven(self._brief[0], self._brief[3])

    def _find(self, brief: tuple[Any, ...], before: Thread | None) -> Thread:
        """The thread; read anew only where more of it changed than counts and times."""
        if before is not None and self._brief[:_COUNTS] == brief[:_COUNTS]:
            if before.status is ThreadStatus.RUNNING:
                if self.is_driven(brief[0], brief[3]):
                    done, updated_at = brief[_COUNTS:]
                    return before._replace(done=done, updated_at=updated_at)
            elif self._brief == brief and before.status is not ThreadStatus.INTERRUPTED:
                return before
        return thread_of(self, self.one(queries.THREAD, (self._name,)))

    def _attempts(self, brief: tuple[Any, ...], *, fresh: bool) -> set[str]:
        """Read the attempts that are new or ran before; the places that look different by it."""
        if not fresh:
            again = list(self.rows(queries.WATCHED_AGAIN, (json.dumps([*self._running]), brief[0])))
            if self._running == {row[0]: row[1] for row in again}:
                new = self.rows(queries.WATCHED_SINCE, (self._last, brief[0]))
                return self._take([*again, *new])
        # The first look, or an attempt was taken back: one that asked a person something.
        before, self._places, self._running, self._last = self._places, {}, {}, 0
        self._take(self.rows(queries.WATCHED, (brief[0],)))
        finished = sum(step.status in _FINISHED for step in self._places.values())
        check_count(brief[_COUNTS], finished)
        return {key for key, step in self._places.items() if before.get(key) != step}

    def _take(self, rows: Iterable[Any]) -> set[str]:
        touched = set()
        for attempt, key, *row in rows:
            before = self._places.get(key)
            step = _step(key, row, before)
            if step.status is AttemptStatus.RUNNING:
                self._running[attempt] = key
            else:
                self._running.pop(attempt, None)
            self._last = max(self._last, attempt)
            if step != before:
                self._places[key] = step
                touched.add(key)
        return touched


_COUNTS = -2
"""From here on the columns of BRIEF change with each step, and mean no more than that."""


def _step(key: str, row: Any, before: Step | None) -> Step:
    name, visit, status, attempt, started, finished, seconds, error, progress, most, due = row
    return Step(
        step=check_name(name, key),
        visit=visit,
        status=AttemptStatus(status),
        attempts=attempt,
        started_at=started if before is None else before.started_at,
        finished_at=finished,
        seconds=seconds,
        error=None if error is None else step_error(error),
        progress=None if progress is None else StepProgress(**json.loads(progress)),
        max_attempts=most,
        due_at=due,
    )


def _as_seen(step: Step, driven: bool) -> Step:
    if step.status is AttemptStatus.RUNNING and not driven:
        return step._replace(status=AttemptStatus.ABANDONED)
    return step


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
