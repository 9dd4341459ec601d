"""Threads as the store holds them, read without LangGraph and without writing."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from durajob import clock
from durajob.errors import AmbiguousThread, StoreDamaged, ThreadNotFound
from durajob.model import (
    Asked,
    AttemptStatus,
    LockWait,
    Owner,
    Step,
    StepError,
    StepProgress,
    Thread,
    ThreadStatus,
    Waiting,
)
from durajob.store import queries, seals
from durajob.store.asked import asked_of, is_answered, is_due
from durajob.store.driver import FAILURES, translate
from durajob.store.files import held_files, lock_path, open_for_reading
from durajob.store.locks import LockFile
from durajob.store.processes import is_gone, still_drives
from durajob.store.resumable import (
    check_all,
    check_attempts,
    check_count,
    check_name,
    check_newest,
    check_resumable,
)


class Begun(NamedTuple):
    """An attempt that has begun, as far as its log is concerned."""

    step: str
    visit: int
    attempt: int
    at: int
    running: bool


class Reader:
    """One look at a store; close it soon, a reader holds the log back."""

    def __init__(self, path: Path, *, known_before: bool = False) -> None:
        """Open the store at ``path``; raises NoStore or another StoreError.

        ``known_before`` is for a process that has it open for writing, or had just now: a
        newer durajob may have migrated it meanwhile.
        """
        self.path = path
        self._connection = open_for_reading(path, known_before=known_before)
        try:
            self._locks: LockFile | None = LockFile(lock_path(path), create=False)
        except FileNotFoundError:
            self._locks = None

    def close(self) -> None:
        """Let go of the files."""
        self._connection.close()
        if self._locks is not None:
            self._locks.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def resolve(self, name: str) -> str:
        """The thread id that ``name`` is, or is the only prefix of.

        Raises:
            ThreadNotFound, AmbiguousThread.
        """
        if self._one(queries.THREAD, (name,)) is not None:
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
            with self._snapshot():
                row = self._one(queries.THREAD, (thread,))
                if row is None:
                    self._is_not_there(thread)
                    return None
                found = self._thread(row)
                if whole:
                    with self._reading_of(thread):
                        driven = found.status is ThreadStatus.RUNNING
                        found = found._replace(
                            state=self._state(row),
                            steps=tuple(self._steps(row[0], row[6], driven)),
                            waiting_for_locks=self._lock_waits(row[0]) if driven else (),
                        )
            if found.status is not ThreadStatus.INTERRUPTED or self._was_left(row[0], row[10]):
                return found

    def row(self, thread: str, *, checked: bool = False) -> Mapping[str, Any] | None:
        """Every column of the thread's row, for whoever is about to claim it.

        Columns that hold JSON are text, but text that can be read. ``checked``: and all that a
        resume goes on from is what was written (``seals``).
        """
        if checked:
            with self._snapshot():
                row = self.row(thread)
                if row is not None:
                    with self._reading_of(thread):
                        check_resumable(row, self._rows)
                return row
        try:
            cursor = self._connection.execute(queries.FULL_ROW, (thread,))
            values = cursor.fetchone()
        except FAILURES as error:
            raise translate(error, str(self.path)) from error
        if values is None:
            self._is_not_there(thread)
            return None
        row = dict(zip([column[0] for column in cursor.description], values, strict=True))
        with self._reading_of(thread):
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
        row = self._one(queries.THREAD, (thread,))
        if row is None:
            return ()
        with self._reading_of(thread):
            return tuple(asked_of(found) for found in self._rows(queries.QUESTIONS, (row[0],)))

    def _asked(self, row: int) -> dict[str, str]:
        return dict(self._rows(queries.ASKED, (row,)))

    def _is_due(self, row: Mapping[str, Any]) -> bool:
        waiting = json.loads(row["waiting"] or "[]")
        return is_due(waiting, row["wake_at"], self._asked(row["id"]))

    def threads(
        self,
        *,
        statuses: Sequence[ThreadStatus] = (),
        workflow: str | None = None,
        since: int | None = None,
        limit: int | None = None,
    ) -> Iterator[Thread]:
        """Threads, newest first; those with any of ``statuses``, if some are given.

        ``interrupted`` is derived, so it and ``running`` are told apart row by row.
        """
        where: list[str] = []
        values: list[str | int] = []
        if statuses:
            stored = {_stored(status) for status in statuses}
            where.append(f"status IN ({', '.join('?' * len(stored))})")
            values.extend(sorted(stored))
        if workflow is not None:
            where.append("workflow = ?")
            values.append(workflow)
        if since is not None:
            where.append("created_at >= ?")
            values.append(since)
        condition = f"WHERE {' AND '.join(where)}" if where else ""
        order = f"{queries.THREADS} {condition} ORDER BY threads.id DESC"
        if limit is not None and not _needs_liveness(statuses):
            order += f" LIMIT {limit}"
        found: list[tuple[int, Thread]] = []
        oldest, seen = 0, 0
        with self._snapshot():
            for row in self._rows(order, values):
                if limit is not None and len(found) >= limit:
                    break
                oldest, seen = row[0], seen + 1
                thread = self._thread(row)
                if not statuses or thread.status in statuses:
                    found.append((row[0], thread))
            with self._reading_of(None):
                check_newest(self._rows)
                if not where:
                    check_all(seen, oldest if seen == limit else 0, self._rows)
        for number, thread in found:
            if thread.status is ThreadStatus.INTERRUPTED and not self._was_left(
                number, thread.epoch
            ):
                again = self.find(thread.thread)
                if again is None or (statuses and again.status not in statuses):
                    continue
                thread = again
            yield thread

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
        with self._snapshot(), self._reading_of(None):
            check_newest(self._rows)
            for row in self._rows(query, () if workflow is None else (workflow,)):
                if not self._is_driven(row[0], row[9]):
                    found.append(self._thread(row))
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
        return tuple(node for (node,) in self._rows(queries.DUE_NODES, (row,)))

    def counts(self) -> dict[ThreadStatus, int]:
        """How many threads have each status."""
        counts = dict.fromkeys(ThreadStatus, 0)
        left: list[tuple[int, str, int]] = []
        with self._reading_of(None):
            with self._snapshot():
                for status, count in self._rows(queries.COUNT_BY_STATUS, ()):
                    counts[ThreadStatus(status)] = count
                if sum(counts.values()) != self._one(queries.COUNT_THREADS, ())[0]:
                    raise ValueError("an index has lost threads")
                if counts[ThreadStatus.RUNNING]:
                    for row, thread, owner, epoch in self._rows(queries.RUNNING, ()):
                        if not self._is_driven(row, owner):
                            left.append((row, thread, epoch))
            for row, thread, epoch in left:
                counts[ThreadStatus.RUNNING] -= 1
                if self._was_left(row, epoch):
                    counts[ThreadStatus.INTERRUPTED] += 1
                elif (found := self.find(thread)) is not None:
                    counts[found.status] += 1
        return counts

    def workflows(self) -> list[str]:
        """Names of the workflows that have threads."""
        return [row[0] for row in self._rows("SELECT DISTINCT workflow FROM threads", ())]

    def begun(self, thread: str) -> tuple[int, list[Begun]]:
        """The thread's row, and every attempt of it in the order of beginning."""
        row = self._one(queries.THREAD, (thread,))[0]
        return row, [
            Begun(step, visit, attempt, at, status == "running")
            for step, visit, attempt, at, status in self._rows(queries.BEGUN, (row,))
        ]

    def _prefixed(self, prefix: str) -> list[str]:
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        return [row[0] for row in self._rows(queries.THREADS_BY_PREFIX, (prefix, end))]

    def _is_not_there(self, thread: str) -> None:
        """A thread that its index has lost would else be started a second time."""
        if thread.isascii() and self._one(queries.LOST_BY_INDEX, {"thread": thread}) is not None:
            raise StoreDamaged(
                f"the store {self.path} is damaged: its index has lost thread {thread!r}",
                hint=f"restore a copy of {os.path.basename(self.path)}",
            )

    def _one(self, query: str, values: Sequence[Any] | Mapping[str, Any]) -> Any:
        try:
            return self._connection.execute(query, values).fetchone()
        except UnicodeEncodeError:
            return None  # no text that the store could hold
        except FAILURES as error:
            raise translate(error, str(self.path)) from error

    def _rows(self, query: str, values: Any) -> Generator[Any, None, None]:
        try:
            # Not "yield from": whoever drops this half-way may have closed the connection before.
            for row in self._connection.execute(query, values):  # noqa: UP028
                yield row
        except FAILURES as error:
            raise translate(error, str(self.path)) from error

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """See the store as it is at one instant, however many statements ask."""
        try:
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
        except FAILURES as error:
            raise translate(error, str(self.path)) from error

    def _is_driven(self, row: int, owner: str | None) -> bool:
        if self._locks is not None and self._locks.thread_is_held(row):
            # By the owner; or, if that is gone, by a program which it has left behind.
            return owner is None or not is_gone(json.loads(owner))
        # Its lock file may have been removed under it, and another be there by now.
        return owner is not None and still_drives(
            "running", json.loads(owner), held_files(self.path)
        )

    def _was_left(self, row: int, epoch: int) -> bool:
        """Whether a thread that was read as running, and whose lock was found free after that,
        was left by its owner. An owner that comes to an end says so before it lets go."""
        return self._one(queries.STILL_RUNNING, (row, epoch)) is not None

    def _status(self, row: Any) -> ThreadStatus:
        status = ThreadStatus(row[3])
        if status is ThreadStatus.RUNNING and not self._is_driven(row[0], row[9]):
            return ThreadStatus.INTERRUPTED
        return status

    @contextmanager
    def _reading_of(self, thread: str | None) -> Iterator[None]:
        """What stands in the store is data, and may be anything."""
        try:
            yield
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise _unreadable(self.path, thread, error) from error

    def _thread(self, row: Any) -> Thread:
        with self._reading_of(row[1]):
            status = self._status(row)
            if type(row[15]) is not int or type(row[17]) is not int:
                raise ValueError("a time that is none")
            seals.check_origin(row[21], row[0], row[1], row[2], row[13], row[15], row[5])
            owner = json.loads(row[9]) if row[9] and status is ThreadStatus.RUNNING else None
            waiting: list[Any] = []
            answered = False
            if status is ThreadStatus.WAITING:
                waiting = json.loads(row[11] or "[]")
                asked = self._asked(row[0])
                answered = is_answered(waiting, asked)
                waiting = [item for item in waiting if asked.get(item["id"], "open") == "open"]
            return Thread(
                thread=row[1],
                workflow=row[2],
                status=status,
                next=() if row[4] == "[]" else self._next(row[0], row[19], json.loads(row[4])),
                input=json.loads(row[5]),
                done=row[6],
                total=row[7],
                error=None if row[8] is None else StepError(**json.loads(row[8])),
                owner=None
                if owner is None
                else Owner(host=owner["host"], pid=owner["pid"], since=owner["since"]),
                epoch=row[10],
                waiting_for=tuple(Waiting(**item) for item in waiting),
                wake_at=row[12],
                slot=row[13],
                parent=row[14],
                created_at=row[15],
                started_at=row[16],
                updated_at=row[17],
                finished_at=row[18],
                answered=answered,
                outcome=row[22],
                cause=None if row[23] is None else StepError(**json.loads(row[23])),
            )

    def _next(self, row: int, superstep: int, pending: Any) -> tuple[str, ...]:
        """The pending steps, fan-outs as their branches, without those that finished."""
        finished = {
            check_name(name, key)
            for name, key in self._rows(queries.FINISHED_BRANCHES, (row, superstep))
        }
        if len(pending) > 1 or pending[0][1] is not None:
            check_attempts(row, superstep, self._rows)
        names = []
        for name, branches in pending:
            if branches is None:
                names.append(name)
            else:
                for start, end in branches:
                    names.extend(f"{name}[{index}]" for index in range(start, end))
        left = tuple(name for name in names if name not in finished)
        # All have finished, but what comes after them could not be found out: a router
        # failed, or the process died just then. A resume enters them again, to be answered.
        return left or tuple(names)

    def _state(self, row: Any) -> Mapping[str, Any]:
        from durajob.store.decode import channel_values

        superstep, pointer = row[19], row[20]
        if pointer is None:
            return {}
        stored = self._one(queries.CHECKPOINT, (row[1], "", pointer))
        seals.check_checkpoint(row[1], "", pointer, stored)
        if row[3] not in ("completed", "cancelled") and row[22] is None:
            seals.check_next(stored, superstep, row[4])
        return channel_values(*stored[:2])

    def _lock_waits(self, row: int) -> tuple[LockWait, ...]:
        if self._locks is None:
            return ()
        from durajob.store.named import lock_waits

        return tuple(lock_waits(self._rows, self._locks, row))

    def _steps(self, row: int, done: int, driven: bool) -> Iterator[Step]:
        places: dict[str, Any] = {}
        counts: dict[str, int] = {}
        begun: dict[str, int] = {}
        finished = 0
        for attempt in self._rows(queries.STEPS, (row,)):
            key = attempt[9]
            places[key] = attempt
            counts[key] = attempt[3]
            begun.setdefault(key, attempt[4])
            finished += attempt[2] in ("succeeded", "skipped")
        check_count(done, finished)
        for key, attempt in places.items():
            status = AttemptStatus(attempt[2])
            if status is AttemptStatus.RUNNING and not driven:
                status = AttemptStatus.ABANDONED
            yield Step(
                step=check_name(attempt[0], key),
                visit=attempt[1],
                status=status,
                attempts=counts[key],
                started_at=begun[key],
                finished_at=attempt[5],
                seconds=attempt[6],
                error=None if attempt[7] is None else _error(attempt[7]),
                progress=None if attempt[8] is None else StepProgress(**json.loads(attempt[8])),
                max_attempts=attempt[10],
                due_at=attempt[11],
            )


_JSON_OBJECTS: Mapping[str, set[str]] = {
    "input": set(),
    "definition": {"name", "file"},
    "shape": {"steps"},
    "environment": {"cwd", "path", "executable", "prefix"},
}


def _error(text: str) -> StepError:
    stored = json.loads(text)
    return StepError(**{name: stored.get(name) for name in StepError._fields})


def _stored(status: ThreadStatus) -> str:
    return "running" if status is ThreadStatus.INTERRUPTED else status.value


def _needs_liveness(statuses: Sequence[ThreadStatus]) -> bool:
    return (ThreadStatus.RUNNING in statuses) != (ThreadStatus.INTERRUPTED in statuses)


def _unreadable(path: Path, thread: str | None, error: Exception) -> StoreDamaged:
    whose = "" if thread is None else f" of thread {thread!r}"
    return StoreDamaged(
        f"the store {path} holds what cannot be read{whose}: {type(error).__name__}: {error}",
        hint=f"restore a copy of {os.path.basename(path)}; other threads may be whole",
    )
