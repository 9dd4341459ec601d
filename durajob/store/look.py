"""One look at a store: its file open for reading, and the locks beside it.

Every question that is put to a store goes through here, so that what the driver says is
translated in one place, and what the rows hold is taken for data, which may be anything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from durajob.errors import StoreDamaged
from durajob.store import read_queries as queries
from durajob.store.driver import FAILURES, translate
from durajob.store.files import held_files, lock_path, open_for_reading
from durajob.store.locks import LockFile
from durajob.store.processes import is_gone, still_drives


class Look:
    """One look at a store; close it soon, a reader holds the log back."""

    def __init__(self, path: Path, *, known_before: bool = False) -> None:
        """Open the store at ``path``; raises NoStore or another StoreError.

        ``known_before`` is for a process that has it open for writing, or had just now: a
        newer durajob may have migrated it meanwhile.
        """
        self.path = path
        self._connection = open_for_reading(path, known_before=known_before)
        try:
            self.locks: LockFile | None = LockFile(lock_path(path), create=False)
        except FileNotFoundError:
            self.locks = None

    def close(self) -> None:
        """Let go of the files."""
        self._connection.close()
        if self.locks is not None:
            self.locks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def one(self, query: str, values: Sequence[Any] | Mapping[str, Any]) -> Any:
        """The first row of the answer; None when there is none."""
        try:
            return self._connection.execute(query, values).fetchone()
        except UnicodeEncodeError:
            return None  # no text that the store could hold
        except FAILURES as error:
            raise translate(error, str(self.path)) from error

    def rows(self, query: str, values: Any) -> Generator[Any, None, None]:
        """Every row of the answer, as it is asked for."""
        try:
            # Not "yield from": whoever drops this half-way may have closed the connection before.
            for row in self._connection.execute(query, values):  # noqa: UP028
                yield row
        except FAILURES as error:
            raise translate(error, str(self.path)) from error

    def named(self, query: str, values: Sequence[Any]) -> dict[str, Any] | None:
        """The first row of the answer, by the names of its columns; None when there is none."""
        try:
            cursor = self._connection.execute(query, values)
            found = cursor.fetchone()
        except FAILURES as error:
            raise translate(error, str(self.path)) from error
        if found is None:
            return None
        return dict(zip([column[0] for column in cursor.description], found, strict=True))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
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

    @contextmanager
    def reading_of(self, thread: str | None) -> Iterator[None]:
        """What stands in the store is data, and may be anything: StoreDamaged says of which
        thread it cannot be read."""
        try:
            yield
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise _unreadable(self.path, thread, error) from error

    def is_driven(self, row: int, owner: str | None) -> bool:
        """Whether a thread that is stored as running has an owner that lives."""
        return is_driven(self.locks, self.path, row, owner)

    def was_left(self, row: int, epoch: int) -> bool:
        """Whether a thread that was read as running, and whose lock was found free after that,
        was left by its owner. An owner that comes to an end says so before it lets go."""
        return self.one(queries.STILL_RUNNING, (row, epoch)) is not None


def is_driven(locks: LockFile | None, path: Path, row: int, owner: str | None) -> bool:
    """Whether a thread that is stored as running has an owner that lives; ``locks`` is not the
    file that this process holds the thread with."""
    if locks is not None and locks.thread_is_held(row):
        # By the owner; or, if that is gone, by a program which it has left behind.
        return owner is None or not is_gone(json.loads(owner))
    # Its lock file may have been removed under it, and another be there by now.
    return owner is not None and still_drives("running", json.loads(owner), held_files(path))


def _unreadable(path: Path, thread: str | None, error: Exception) -> StoreDamaged:
    whose = "" if thread is None else f" of thread {thread!r}"
    return StoreDamaged(
        f"the store {path} holds what cannot be read{whose}: {type(error).__name__}: {error}",
        hint=f"restore a copy of {os.path.basename(path)}; other threads may be whole",
    )
