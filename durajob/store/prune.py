"""Deleting threads that have ended, and checkpoints that nobody needs, beside jobs that run.

A transaction here takes a few milliseconds, and a rest follows it that is longer: SQLite makes
whoever finds the store taken look again only now and then, so one that took it again at once
would starve them. What is large goes piece by piece, and the thread's row last, so that a kill
leaves a thread whole, or without some of what its end has made useless. Folders go after the
row; one that is left belongs to no thread, and goes with the next ``sweep``.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from durajob import clock
from durajob.store import prune_queries as queries
from durajob.store.driver import FAILURES, translate
from durajob.store.files import log_folder, open_for_reading, work_folder
from durajob.store.queries import DROP_CHECKPOINT, OWNER
from durajob.store.write import Writer

_REST = 4  # times as long as the transaction before it
_LEAST_REST = 0.005  # seconds
_BATCH = 10  # threads that are deleted at once: each takes a few tenths of a millisecond
_PIECE = 2_000_000  # bytes that are deleted at once
_ROWS = 500  # rows that are deleted at once
_PAGES = 200  # pages that are given back at once


class Ended(NamedTuple):
    """A thread that may be deleted."""

    row: int
    thread: str
    workflow: str
    status: str
    ended: bool  # False: failed, and can be resumed
    untold: bool  # somebody is still to be told of its end
    at: int  # when it ended


class Size(NamedTuple):
    """What a thread takes, about."""

    bytes: int  # in the store
    rows: int
    folders: int  # bytes of its logs and of its work folder


class Thinned(NamedTuple):
    """What a thread has in spent checkpoints, or has lost."""

    row: int
    thread: str
    checkpoints: int
    bytes: int


class Overview:
    """What could be pruned; reads only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = open_for_reading(path)

    def __enter__(self) -> Overview:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ended(self) -> list[Ended]:
        """All threads that have ended, and those that have failed, oldest first."""
        return [
            Ended(row, thread, workflow, status, bool(ended), bool(untold), at)
            for row, thread, workflow, status, ended, untold, at in self._rows(queries.ENDED, {})
        ]

    def size(self, row: int, thread: str) -> Size:
        """What a thread takes in the store and beside it."""
        ((size, rows),) = self._rows(queries.SIZE, {"id": row, "thread": thread})
        folders = (log_folder(self._path), work_folder(self._path))
        return Size(size, rows, sum(_bytes_below(folder / str(row)) for folder in folders))

    def pruned_at(self) -> int | None:
        """When the store was last pruned to the end as workflows.toml says."""
        found = self._rows(queries.PRUNED_AT, {})
        return int(found[0][0]) if found else None

    def spent(self, before: Mapping[str, int | None], otherwise: int | None) -> list[Thinned]:
        """Threads with spent checkpoints that nobody has touched since a time: that of the
        thread's workflow, or ``otherwise``."""
        return [
            Thinned(row, thread, count, size)
            for row, thread, workflow, at, count, size in self._rows(queries.SPENT, {})
            if (limit := before.get(workflow, otherwise)) is not None and at <= limit
        ]

    def orphans(self) -> list[tuple[Path, int]]:
        """Folders of logs and of work that belong to no thread, and their bytes."""
        folders = list(_numbered(self._path))  # before the rows: a thread is older than its folder
        rows = {row for (row,) in self._rows("SELECT id FROM threads", {})}
        found = [each for each in folders if int(each.name) not in rows]
        return [(each, _bytes_below(each)) for each in found]

    def _rows(self, query: str, values: Any) -> list[Any]:
        try:
            found: list[Any] = self._connection.execute(query, values).fetchall()
        except FAILURES as error:
            raise translate(error, str(self._path)) from error
        return found


class Pruner(Writer):
    """A store open for pruning."""

    def __init__(self, path: Path, *, deadline: float | None = None) -> None:
        """``deadline`` is on the monotonic clock: then nothing new is begun."""
        super().__init__(path, create=False)
        self._deadline = deadline

    @property
    def is_late(self) -> bool:
        """Whether the time that was given is over."""
        return self._deadline is not None and clock.monotonic() >= self._deadline

    def delete(self, chosen: Iterable[tuple[Ended, Size]]) -> Iterator[Ended]:
        """Delete threads with all that belongs to them; gives each that is gone.

        Left alone is one that somebody holds, or that has been deleted meanwhile.
        """
        left = iter(chosen)
        more = True
        while more and not self.is_late:
            batch: list[Ended] = []
            more = False
            for thread, size in left:
                if not self.locks.try_thread(thread.row):
                    continue
                batch.append(thread)
                if size.bytes > _PIECE or size.rows > _ROWS:
                    self._wear_down(thread)
                if len(batch) >= _BATCH or size.bytes > _PIECE // 10:
                    more = True
                    break
            if batch:
                gone = self._briefly(lambda cursor, batch=batch: _delete(cursor, batch))
                for each in batch:
                    if each.row in gone:
                        _remove_folders(self.path, each.row)
                        yield each
                    self.locks.release_thread(each.row)

    def thin(self, chosen: Iterable[Thinned]) -> Iterator[Thinned]:
        """Delete spent checkpoints of threads that nobody drives; gives what went of each."""
        for each in chosen:
            if self.is_late:
                return
            if not self.locks.thread_is_held(each.row):
                count, size = self._thin(each.row, each.thread)
                if count:
                    yield Thinned(each.row, each.thread, count, size)

    def sweep(self, folders: Iterable[tuple[Path, int]]) -> list[tuple[Path, int]]:
        """Remove folders that belong to no thread; gives those that are gone.

        Whoever imports or forks a thread holds the lock of the row that it will have.
        """
        return [
            each
            for each in folders
            if not self.is_late and not self._is_needed(int(each[0].name)) and _remove(each[0])
        ]

    def forget_slots(self, before: Callable[[str], int | None]) -> int:
        """Delete from the ledger the slots that were over at a time, that of their workflow, and
        whose threads are gone; how many rows."""
        names = self._briefly(lambda cursor: cursor.execute(queries.SLOT_WORKFLOWS).fetchall())
        count = 0
        for (name,) in names:
            values = {"workflow": name, "before": before(name), "rows": _ROWS}
            gone = _ROWS if values["before"] is not None else 0
            while gone == _ROWS and not self.is_late:
                gone = self._briefly(partial(_forget_slots, values=values))
                count += gone
        return count

    def _is_needed(self, row: int) -> bool:
        """Whether a thread has this folder by now, or is about to."""
        if self.locks.thread_is_held(row):
            return True
        return bool(self._briefly(lambda cursor: cursor.execute(OWNER, (row,)).fetchone()))

    def give_back(self) -> int:
        """Give free pages back to the file system, as far as the file's format allows; gives
        the bytes that stay free inside it, to be used again."""
        while not self.is_late:
            free, _, mode = self._pages()
            if mode != 2 or free == 0:
                break
            self._briefly(_give_back)
            if self._pages()[0] >= free:
                break
        self._shorten_log()
        free, size, _ = self._pages()
        return free * size

    def note_no_retention(self) -> None:
        """Keep that workflows.toml names nothing that is to be pruned."""
        now = clock.now()
        self._briefly(lambda cursor: cursor.execute(queries.SET_RETENTION_AT, (now,)))

    def note_pruned(self) -> None:
        """Keep that all was pruned that workflows.toml names."""
        now = clock.now()
        self._briefly(lambda cursor: cursor.execute(queries.SET_PRUNED_AT, (now,)))

    def is_fixed(self) -> bool:
        """Whether the file never shrinks by itself, since an earlier durajob made it."""
        return self._pages()[2] != 2

    def compact(self) -> None:
        """Write the file anew, without what is free in it; others wait meanwhile."""
        try:
            self._connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            self._connection.execute("VACUUM")
        except FAILURES as error:
            raise translate(error, str(self.path)) from error
        self._shorten_log()

    def _wear_down(self, thread: Ended) -> None:
        """Delete the large part of a thread that has ended, piece by piece."""
        while self._briefly(lambda cursor: _thin(cursor, thread.row, thread.thread, ended=True))[0]:
            pass
        values = {"id": thread.row, "thread": thread.thread, "rows": _ROWS}

        def wear(cursor: Any) -> int:
            # The thread's count of finished steps is checked against its attempts.
            cursor.execute(queries.UNCOUNT, values)
            counts = [cursor.execute(query, values).rowcount for query in queries.WEAR_DOWN]
            return sum(counts)

        while self._briefly(wear):
            pass

    def _thin(self, row: int, thread: str) -> tuple[int, int]:
        count = size = 0
        while True:
            some, bytes = self._briefly(lambda cursor: _thin(cursor, row, thread, ended=False))
            if not some:
                return count, size
            count, size = count + some, size + bytes

    def _briefly(self, operation: Any) -> Any:
        """One transaction, then a rest in which others have the store to themselves."""
        began = clock.monotonic()
        value = self._transact(operation, brief=True)
        held = clock.monotonic() - began
        time.sleep(min(max(held * _REST, _LEAST_REST), 1.0))
        return value

    def _shorten_log(self) -> None:
        """So that the file is cut by what was given back."""
        try:
            self._log.shorten()
        except FAILURES as error:
            raise translate(error, str(self.path)) from error

    def _pages(self) -> tuple[int, int, int]:
        """Free pages, the size of a page, and whether the file can shrink (auto_vacuum)."""
        try:
            free, size, mode = (
                int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("freelist_count", "page_size", "auto_vacuum")
            )
        except FAILURES as error:
            raise translate(error, str(self.path)) from error
        return free, size, mode


def _remove_folders(path: Path, row: int) -> None:
    """Remove the logs of a thread that is gone, and its work folder."""
    for folder in (log_folder(path), work_folder(path)):
        _remove(folder / str(row))


def _bytes_below(folder: Path) -> int:
    """Bytes of all files in a folder and below; what cannot be read counts nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total


def _numbered(path: Path) -> Iterator[Path]:
    for folder in (log_folder(path), work_folder(path)):
        with suppress(OSError):
            yield from (
                each
                for each in sorted(folder.iterdir())
                if each.name.isascii() and each.name.isdigit() and each.is_dir()
            )


def _remove(folder: Path) -> bool:
    """False where something of it is left; that is found again as belonging to no thread."""
    shutil.rmtree(folder, ignore_errors=True)
    return not os.path.lexists(folder)


def _forget_slots(cursor: Any, *, values: Mapping[str, Any]) -> int:
    gone = cursor.execute(queries.FORGET_SLOTS, values).fetchall()
    ran = [slot for slot, outcome in gone if outcome == "started"]
    if ran:
        until = {"workflow": values["workflow"], "until": max(ran)}
        cursor.execute(queries.FORGOTTEN_UNTIL, until)
    return len(gone)


def _delete(cursor: Any, batch: Iterable[Ended]) -> set[int]:
    gone = set()
    for thread in batch:
        values = {"id": thread.row, "thread": thread.thread}
        if cursor.execute(queries.DELETE_THREAD, values).rowcount:
            gone.add(thread.row)
            for query in queries.DELETE_REST:
                cursor.execute(query, values)
    return gone


def _thin(cursor: Any, row: int, thread: str, *, ended: bool) -> tuple[int, int]:
    """Delete some spent checkpoints of a thread: how many, and how many bytes."""
    values = {"id": row, "thread": thread, "ended": ended, "rows": _ROWS}
    chosen, size = [], 0
    for rowid, ns, id, bytes in cursor.execute(queries.SPENT_OF, values).fetchall():
        chosen.append((rowid, ns, id))
        size += bytes
        if size > _PIECE:
            break
    for _, ns, id in chosen:
        cursor.execute(DROP_CHECKPOINT[0], (thread, ns, id))
    cursor.executemany("DELETE FROM checkpoints WHERE rowid = ?", [(c[0],) for c in chosen])
    return len(chosen), size


def _give_back(cursor: Any) -> None:
    cursor.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()
