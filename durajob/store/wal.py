"""The store's write-ahead log: whoever writes keeps it short, and knows when it is on the disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from durajob.store.driver import BUSY, LOCKED, primary_code, sqlite

_KEPT = 3_500_000  # bytes that are written over, rather than given back, when it begins anew
_LONG = _KEPT + 500_000  # bytes from where on it is shortened
_MORE = 1_000_000  # bytes after which that is tried again, where a reader stood in the way


def take_over(connection: Any) -> None:
    """Leave it to ``Log`` to keep the log short: SQLite ignores what goes wrong there."""
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(f"PRAGMA journal_size_limit = {_KEPT}")


class Log:
    """The log of one connection's store."""

    def __init__(self, connection: Any, path: Path) -> None:
        self._connection = connection
        self._path = f"{path}-wal"
        self._seen = 0
        self._limit = _LONG

    def shorten_if_long(self) -> None:
        """Shorten it once for each of its lengths.

        Its file keeps its length while it is written over, and is cut when it begins anew: it
        is too long only beyond what is kept, and began anew when it has become shorter.

        Raises:
            sqlite.Error: see ``shorten``.
        """
        try:
            size = os.stat(self._path).st_size
        except OSError:
            return  # the next transaction will meet whatever is wrong there
        if size < self._seen:
            self._limit = _LONG
        self._seen = size
        if size > self._limit:
            self.shorten()
            self._limit = size + _MORE

    def shorten(self) -> None:
        """Move the log's pages into the store, so that the log can begin anew.

        That syncs the log first. If it fails, commits of this connection that were not synced
        yet are gone from the kernel's memory without a trace, and a later sync would succeed
        over the hole that they left: nothing may follow.

        Raises:
            sqlite.Error: when that failed, but for another process being at it.
        """
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite.Error as error:
            if primary_code(error) not in (BUSY, LOCKED):
                raise

    def sync(self) -> None:
        """Have all that was committed on the disk, without holding others up meanwhile.

        SQLite locks other files than this one, so that it may be closed without losing a lock.

        Raises:
            OSError: when that failed; nothing that was committed since the last sync is certain.
        """
        fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
