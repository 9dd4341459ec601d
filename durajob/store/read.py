"""Threads as the store holds them, read without LangGraph and without writing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Any

from durajob import clock
from durajob.errors import AmbiguousThread, StoreDamaged, ThreadNotFound
from durajob.model import Asked, Owner, Thread, ThreadStatus
from durajob.store import read_queries as queries
from durajob.store import seals
from durajob.store.asked import asked_of, is_due
from durajob.store.begun import Begun, BegunBook
from durajob.store.look import Look
from durajob.store.records import asked_in, lock_waits_of, state_of, steps_of, thread_of
from durajob.store.resumable import check_all, check_newest, check_resumable


class Reader(Look):
    """One look at the threads of a store; close it soon, a reader holds the log back."""

    def resolve(self, name: str) -> str:
        """The thread id that ``name`` is, or is the only prefix of.

        Raises:
            ThreadNotFound, AmbiguousThread.
        """
        if self.one(queries.THREAD, (name,)) is not None:
            return name
        # Thread ids are ASCII; other text may not even be what the driver can be asked.
        matches = self._prefixed(name) if name and name.isascii() else []
        self._is_not_there(name)
        if len(matches) == 1:
            return matches[0]
        if not matches:
            raise ThreadNotFound(f"no thread {name!r}", hint="durajob list")
        shown = ", ".join(matches[:10]) + (", …" if len(matches) > 10 else "")
        raise AmbiguousThread(
            f"{name!r} could be any of: {shown}", hint="write more of the thread id"
        )

    def find(self, thread: str, *, whole: bool = False) -> Thread | None:
        """The thread, with its state and steps if ``whole``; None when there is none."""
        while True:
            with self.snapshot():
                row = self.one(queries.THREAD, (thread,))
                if row is None:
                    self._is_not_there(thread)
                    return None
                found = thread_of(self, row)
                if whole:
                    with self.reading_of(thread):
                        driven = found.status is ThreadStatus.RUNNING
                        found = found._replace(
                            state=state_of(self, row),
                            steps=tuple(steps_of(self, row[0], row[6], driven)),
                            waiting_for_locks=tuple(lock_waits_of(self, row[0])) if driven else (),
                        )
            if found.status is not ThreadStatus.INTERRUPTED or self.was_left(row[0], row[10]):
                return found

    def row(self, thread: str, *, checked: bool = False) -> Mapping[str, Any] | None:
        """Every column of the thread's row, for whoever is about to claim it.

        Columns that hold JSON are text, but text that can be read. ``checked``: and all that a
        resume goes on from is what was written (``seals``).
        """
        if checked:
            with self.snapshot():
                row = self.row(thread)
                if row is not None:
                    with self.reading_of(thread):
                        check_resumable(row, self.rows)
                return row
        row = self.named(queries.FULL_ROW, (thread,))
        if row is None:
            self._is_not_there(thread)
            return None
        with self.reading_of(thread):
            ThreadStatus(row["status"])
            for column, keys in _JSON_OBJECTS.items():
                value = json.loads(row[column])
                if not isinstance(value, dict) or not value.keys() >= keys:
                    raise ValueError(f"{column} is not what was written")
            if row["owner"] is not None:
                Owner(**{key: json.loads(row["owner"])[key] for key in Owner._fields})
            for _name, _branches in json.loads(row["next"]):
                pass
            kept = ("thread", "workflow", "slot", "created_at", "input")
            seals.check_origin(row["crc"], row["id"], *(row[name] for name in kept))
            # Once an older durajob has claimed it, the checksum is that of an earlier claim.
            if row["claim_epoch"] == row["epoch"]:
                claimed = (row[name] for name in seals.CLAIMED)
                seals.check_claim(row["claim_crc"], row["id"], *claimed)
            row["due"] = row["status"] == "waiting" and self._is_due(row)
        return row

    def questions(self, thread: str) -> tuple[Asked, ...]:
        """All that the thread has asked of people, in order."""
        row = self.one(queries.THREAD, (thread,))
        if row is None:
            return ()
        with self.reading_of(thread):
            return tuple(asked_of(found) for found in self.rows(queries.QUESTIONS, (row[0],)))

    def threads(
        self,
        *,
        statuses: Sequence[ThreadStatus] = (),
        workflow: str | None = None,
        since: int | None = None,
        limit: int | None = None,
    ) -> Iterator[Thread]:
        """Threads, newest first; those with any of ``statuses``, if some are given.

        They are read a page at a time, each page at one instant: however many there are, little
        is held in memory, and no transaction is open while the caller looks at them.
        ``interrupted`` is derived, so it and ``running`` are told apart row by row.
        """
        conditions, values = [], list[str | int]()
        if workflow is not None:
            conditions.append("workflow = ?")
            values.append(workflow)
        if since is not None:
            conditions.append("created_at >= ?")
            values.append(since)
        # One query a status, each in the order of its index.
        stored = sorted({_stored(status) for status in statuses})
        asked = [([*conditions, "status = ?"], [*values, each]) for each in stored]
        queries_of = [
            (f"{queries.THREADS} WHERE {' AND '.join([*where, _A_PAGE])}", wanted)
            for where, wanted in asked or [(conditions, values)]
        ]
        before, most = _NEWER_THAN_ALL, _PAGE
        while limit is None or limit > 0:
            if limit is not None and not _needs_liveness(statuses):
                most = min(limit, _PAGE)
            page = self._page(queries_of, before, most, whole=not statuses and not values)
            for number, thread in page:
                found = self._as_it_is(number, thread)
                if found is not None and (not statuses or found.status in statuses):
                    yield found
                    if limit is not None:
                        limit -= 1
                        if limit == 0:
                            return
            if len(page) < most:
                return
            before = page[-1][0]

    def _page(
        self, asked: Sequence[tuple[str, list[Any]]], before: int, most: int, *, whole: bool
    ) -> list[tuple[int, Thread]]:
        """At most so many threads older than a row, newest first; ``whole``: of all threads."""
        with self.snapshot():
            rows = [self.rows(query, (*values, before, most)) for query, values in asked]
            newest = islice(merge(*rows, key=itemgetter(0), reverse=True), most)
            page = [(row[0], thread_of(self, row)) for row in newest]
            with self.reading_of(None):
                if before == _NEWER_THAN_ALL:
                    check_newest(self.rows)
                if whole:
                    oldest = page[-1][0] if len(page) == most else 0
                    check_all(len(page), oldest, before, self.rows)
        return page

    def _as_it_is(self, row: int, thread: Thread) -> Thread | None:
        """A thread that was taken for interrupted may have been left by its owner just then."""
        if thread.status is not ThreadStatus.INTERRUPTED or self.was_left(row, thread.epoch):
            return thread
        return self.find(thread.thread)

    def left_behind(self, *, workflow: str | None, admitted_before: int) -> Iterator[Thread]:
        """Threads that nobody goes on with, oldest first: the interrupted, the pending that were
        admitted before that time and that no process is about to claim, and those that were
        answered."""
        chosen = "" if workflow is None else "AND workflow = ?"
        query = (
            f"{queries.THREADS} WHERE status IN ('pending', 'running', 'waiting') {chosen} "
            "ORDER BY threads.id"
        )
        found: list[Thread] = []
        with self.snapshot(), self.reading_of(None):
            check_newest(self.rows)
            for row in self.rows(query, () if workflow is None else (workflow,)):
                if not self.is_driven(row[0], row[9]):
                    found.append(thread_of(self, row))
        for thread in found:
            accepted = thread.created_at
            # After a clock was set back, a time to come says nothing of how long ago it was.
            just_now = admitted_before < accepted <= clock.now()
            if (
                thread.status is ThreadStatus.INTERRUPTED
                or (thread.status is ThreadStatus.PENDING and not just_now)
                or (thread.status is ThreadStatus.WAITING and thread.answered)
            ):
                yield thread

    def due(self, row: int) -> tuple[str, ...]:
        """The steps whose compensations are due, should the thread fail or be cancelled."""
        return tuple(node for (node,) in self.rows(queries.DUE_NODES, (row,)))

    def counts(self) -> dict[ThreadStatus, int]:
        """How many threads have each status."""
        counts = dict.fromkeys(ThreadStatus, 0)
        left: list[tuple[int, str, int]] = []
        with self.reading_of(None):
            with self.snapshot():
                for status, count in self.rows(queries.COUNT_BY_STATUS, ()):
                    counts[ThreadStatus(status)] = count
                if sum(counts.values()) != self.one(queries.COUNT_THREADS, ())[0]:
                    raise ValueError("an index has lost threads")
                if counts[ThreadStatus.RUNNING]:
                    for row, thread, owner, epoch in self.rows(queries.RUNNING, ()):
                        if not self.is_driven(row, owner):
                            left.append((row, thread, epoch))
            for row, thread, epoch in left:
                counts[ThreadStatus.RUNNING] -= 1
                if self.was_left(row, epoch):
                    counts[ThreadStatus.INTERRUPTED] += 1
                elif (found := self.find(thread)) is not None:
                    counts[found.status] += 1
        return counts

    def workflows(self) -> list[str]:
        """Names of the workflows that have threads."""
        return [row[0] for row in self.rows("SELECT DISTINCT workflow FROM threads", ())]

    def begun(self, thread: str) -> tuple[int, Sequence[Begun]]:
        """The thread's row, and every attempt of it in the order of beginning."""
        row = self.number(thread)
        return row, BegunBook(row).look(self)

    def number(self, thread: str) -> int:
        """The thread's row."""
        row: int = self.one(queries.THREAD, (thread,))[0]
        return row

    def _is_due(self, row: Mapping[str, Any]) -> bool:
        waiting = json.loads(row["waiting"] or "[]")
        return is_due(waiting, row["wake_at"], asked_in(self, row["id"]))

    def _prefixed(self, prefix: str) -> list[str]:
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        return [row[0] for row in self.rows(queries.THREADS_BY_PREFIX, (prefix, end))]

    def _is_not_there(self, thread: str) -> None:
        """A thread that its index has lost would else be started a second time."""
        if thread.isascii() and self.one(queries.LOST_BY_INDEX, {"thread": thread}) is not None:
            raise StoreDamaged(
                f"the store {self.path} is damaged: its index has lost thread {thread!r}",
                hint=f"restore a copy of {os.path.basename(self.path)}",
            )


_JSON_OBJECTS: Mapping[str, set[str]] = {
    "input": set(),
    "definition": {"name", "file"},
    "shape": {"steps"},
    "environment": {"cwd", "path", "executable", "prefix"},
}


_PAGE = 1000  # threads that are read at once
_A_PAGE = "threads.id < ? ORDER BY threads.id DESC LIMIT ?"
_NEWER_THAN_ALL = 1 << 62


def _stored(status: ThreadStatus) -> str:
    return "running" if status is ThreadStatus.INTERRUPTED else status.value


def _needs_liveness(statuses: Sequence[ThreadStatus]) -> bool:
    return (ThreadStatus.RUNNING in statuses) != (ThreadStatus.INTERRUPTED in statuses)
