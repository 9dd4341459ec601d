"""The one door through which everything about a thread is written.

Each transaction begins with a guarded UPDATE of the thread's row: an owner whose epoch is
no longer the row's changes no row, is rolled back, and learns that it lost the thread.
Concurrent steps share a commit: whoever finds the door free takes along all that wait.

Only what makes a step finished is fsynced (``durable``). SQLite's log keeps the order of
commits, so the next durable one makes durable all that came before it.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from durajob import clock
from durajob.errors import DurajobError, OwnershipLost, StorageError, StoreError
from durajob.store import queries
from durajob.store.driver import FAILURES, sqlite, translate
from durajob.store.locks import LockFile
from durajob.store.wal import Log

_LOOK_EVERY = 8  # transactions between two looks at how long the log is


class _Request:
    __slots__ = ("done", "durable", "error", "finished", "operation", "value")

    def __init__(
        self, operation: Callable[[Any], Any], *, durable: bool, finished: int = 0
    ) -> None:
        self.operation = operation
        self.durable = durable
        self.finished = finished
        self.value: Any = None
        self.error: BaseException | None = None
        self.done = False


class Door:
    """Writes of one owner of one thread; safe to use from many threads of the process."""

    def __init__(
        self,
        connection: Any,
        lock: LockFile,
        path: Path,
        *,
        row: int,
        epoch: int,
        cancelling: bool = False,
    ) -> None:
        self.row = row
        self.epoch = epoch
        self.cancelling = cancelling  # whether a person wanted it cancelled when it was claimed
        self._connection = connection
        self.lock_file = lock
        self._path = str(path)
        self._log = Log(connection, path)
        self._looks_in = 1  # at the first: many a job is done before the eighth
        self._waiting: deque[_Request] = deque()
        self._deferred: list[_Request] = []
        self._mutex = threading.RLock()
        self._broken: DurajobError | None = None
        self._synchronous: str | None = None
        self._file = _identity(self._path)
        self.store_id: str = connection.execute(queries.STORE_ID).fetchone()[0]

    @property
    def is_in_place(self) -> bool:
        """Whether its file still has its name: what is written to one that has lost it, nobody
        will ever read."""
        return _identity(self._path) == self._file

    def write_later(self, operation: Callable[[Any], Any]) -> None:
        """Run ``operation(cursor)`` in the next transaction, ahead of what that is for.

        For what may be lost by a crash before then: the ledger holds all it says.
        """
        with self._mutex:
            self._deferred.append(_Request(operation, durable=False))

    def write(self, operation: Callable[[Any], Any], *, durable: bool, finished: int = 0) -> Any:
        """Run ``operation(cursor)`` in a fenced transaction, shared with others that wait.

        ``finished`` is how many steps it finishes. Returns what it returned, once committed
        (and fsynced, if ``durable``).

        Raises:
            OwnershipLost: when another owner has claimed the thread; nothing was written.
            StorageError: when the store could not be written. After a failed commit the
                door stays shut: what an fsync failed to write cannot be asked for again.
        """
        request = _Request(operation, durable=durable, finished=finished)
        self._waiting.append(request)
        with self._mutex:
            if not request.done:
                self._serve()
        if request.error is not None:
            raise request.error
        return request.value

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """A cursor on what is committed, while no other thread of this process writes."""
        with self._mutex:
            if self._deferred:
                self.write(lambda cursor: None, durable=False)
            cursor = self._connection.cursor()
            try:
                yield cursor
            except FAILURES as error:
                raise translate(error, self._path) from error
            finally:
                cursor.close()

    def shut(self, reason: DurajobError) -> None:
        """Let nothing more through: every later write raises ``reason``."""
        with self._mutex:
            self._broken = self._broken or reason

    def _serve(self) -> None:
        deferred, self._deferred = self._deferred, []
        batch: list[_Request] = []
        while self._waiting:
            batch.append(self._waiting.popleft())
        try:
            self._transact([*deferred, *batch])
        except BaseException as error:
            if self._broken is not None or (len(batch) == 1 and not deferred):
                self._fail(batch, self._broken or error)
                return
            # One bad operation must not take the others down with it.
            for request in deferred:
                try:
                    self._transact([request])
                except BaseException as own:
                    # Nobody waits for it, and what follows builds on it.
                    self._broken = self._broken or translate(own, self._path)
                    self._fail(batch, self._broken)
                    return
            for request in batch:
                try:
                    self._transact([request])
                except BaseException as own:
                    self._fail([request], own)

    def _fail(self, batch: list[_Request], error: BaseException) -> None:
        if isinstance(error, FAILURES):
            error = translate(error, self._path)
        for request in batch:
            if not request.done:
                request.error = error
                request.done = True

    def _transact(self, batch: list[_Request]) -> None:
        if self._broken is not None:
            raise self._broken
        durable = any(request.durable for request in batch)
        finished = sum(request.finished for request in batch)
        connection = self._connection
        commits = 0
        try:
            if durable:
                self._check_place()
            self._set_synchronous("FULL" if durable else "NORMAL")
            connection.execute("BEGIN IMMEDIATE")
            values = (clock.now(), finished, finished, self.row, self.epoch)
            cursor = connection.execute(queries.FENCE, values)
            if cursor.rowcount != 1:
                raise OwnershipLost(
                    hint="the new owner goes on with it; durajob status shows who that is"
                )
            for request in batch:
                request.value = request.operation(cursor)
            if durable:
                commits = cursor.execute(queries.COUNT_COMMIT).fetchone()[0]
        except BaseException as error:
            self._roll_back()
            if isinstance(error, OwnershipLost):
                self._broken = error
            if isinstance(error, sqlite.OperationalError):
                self._broken = translate(error, self._path)
                raise self._broken from error
            raise
        self._commit()
        self._look_at_log()
        if durable:
            # The counter only helps to notice a lost log; it may lag behind.
            with suppress(OSError):
                self.lock_file.write_commits(self.store_id, commits)
        for request in batch:
            request.done = True

    def _check_place(self) -> None:
        if not self.is_in_place:
            self._broken = StoreError(
                f"the store {self._path} was removed or replaced while a job used it",
                hint="nothing more was written; put the store back, then resume",
            )
            raise self._broken

    def _commit(self) -> None:
        try:
            self._connection.execute("COMMIT")
        except sqlite.Error as error:
            self._roll_back()
            self._broken = translate(error, self._path)
            if not isinstance(self._broken, StorageError):
                self._broken = StorageError(
                    f"the store {self._path} could not be written: {error}",
                    hint="check the disk, then resume; nothing that finished is lost",
                )
            raise self._broken from error

    def _look_at_log(self) -> None:
        self._looks_in -= 1
        if self._looks_in:
            return
        self._looks_in = _LOOK_EVERY
        try:
            self._log.shorten_if_long()
        except sqlite.Error as error:
            self._broken = translate(error, self._path)
            raise self._broken from error

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite.Error:
            # SQLite has rolled back by itself; the first error is the one to report.
            pass

    def _set_synchronous(self, level: str) -> None:
        if self._synchronous != level:
            self._connection.execute(f"PRAGMA synchronous = {level}")
            self._synchronous = level


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
