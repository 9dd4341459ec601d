"""Which SQLite library talks to the store, and what its errors mean.

SQLite 3.7.0 to 3.51.2 can corrupt a file in WAL mode that several processes write to and
checkpoint (the WAL-reset bug, https://sqlite.org/wal.html#walresetbug). The wheel
``pysqlite3`` brings a library without it where the interpreter's own is older. Driver and
error classes must come from one module: the wheel has classes of its own.
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

from durajob.errors import (
    DiskFull,
    DurajobError,
    InternalError,
    SqliteTooOld,
    StorageError,
    StoreDamaged,
    StoreError,
    StoreReadOnly,
)

MINIMUM = (3, 51, 3)


def _pick() -> ModuleType:
    try:
        from pysqlite3 import dbapi2
    except ImportError:
        import sqlite3

        return sqlite3
    module: ModuleType = dbapi2
    return module


sqlite: Any = _pick()
"""The DB-API module in use. Any: the two candidates share an interface, not a type."""


def require_sound_library() -> None:
    """Refuse a SQLite library that can corrupt the store.

    Raises:
        SqliteTooOld: when it is older than MINIMUM.
    """
    if sqlite.sqlite_version_info < MINIMUM:
        raise SqliteTooOld(
            f"SQLite {sqlite.sqlite_version} can corrupt a store that several processes "
            f"write to; {'.'.join(map(str, MINIMUM))} or newer is needed",
            hint="pip install pysqlite3, or use a Python whose sqlite3 is new enough",
        )


FAILURES = (sqlite.Error, UnicodeDecodeError)
"""What statements raise: the names of columns come from the file, too, and may be no text."""

_FULL = 13
BUSY = 5
LOCKED = 6
_READONLY = 8
_IOERR = 10
_CORRUPT = 11
_CANTOPEN = 14
_NOTADB = 26
_TOOBIG = 18


_BROKEN = (
    *("no such table", "no such column", "unsupported file format"),
    "Could not decode to UTF-8",
)
"""Beginnings of what is said of a broken file under no code of its own."""


def primary_code(error: BaseException) -> int:
    """SQLite's primary result code of a driver error, 0 where it has none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def translate(error: BaseException, path: str) -> DurajobError:
    """The durajob error for a driver or file error met at ``path``."""
    if isinstance(error, DurajobError):
        return error
    if isinstance(error, OSError):
        return _translate_os(error, path)
    code, text = primary_code(error), str(error)
    broken = text.startswith(_BROKEN) or isinstance(error, UnicodeDecodeError)
    if code in (_CORRUPT, _NOTADB) or broken:
        return StoreDamaged(
            f"the store {path} is damaged or is not a durajob store: {text[:300]}",
            hint="nothing was changed; restore a copy, or name another store with --store",
        )
    # SQLite says no more than "disk I/O error" where its shared memory finds no room.
    if code == _FULL or (code == _IOERR and _is_full(path)):
        return DiskFull(f"no space left for the store {path}", hint="free some space, then resume")
    if code == _READONLY:
        return StoreReadOnly(
            f"the store {path} cannot be written: {text}",
            hint="make the file and its folder writable, then resume",
        )
    if code == _IOERR:
        return StorageError(
            f"input/output error on the store {path}: {text}",
            hint="check the disk, then resume; nothing that finished is lost",
        )
    if code in (BUSY, LOCKED):
        return StorageError(
            f"the store {path} stayed locked by another program: {text}",
            hint="find out who holds it open (a backup, an sqlite3 shell), then resume",
        )
    if code == _CANTOPEN:
        return StoreError(
            f"the store {path} cannot be opened: {text}",
            hint="check that it is a file in a folder that you may read and write",
        )
    if code == _TOOBIG:
        return StorageError(
            "a value is larger than the store can hold",
            hint="keep large data in files and put their paths into the state",
        )
    return InternalError(f"unexpected answer from SQLite on {path}: {text}")


def _is_full(path: str) -> bool:
    try:
        status = os.statvfs(os.path.dirname(path))
    except OSError:
        return False
    return status.f_bavail * status.f_frsize < _ROOM


_ROOM = 65_536  # bytes: SQLite's shared memory grows by half of that


def _translate_os(error: OSError, path: str) -> DurajobError:
    import errno

    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"no space left for the store {path}", hint="free some space, then resume")
    if error.errno == errno.EROFS:
        return StoreReadOnly(
            f"the store {path} cannot be written: {reason}",
            hint="make its file system writable, then resume",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        from durajob.errors import UnsafePermissions

        return UnsafePermissions(
            f"the store {path} may not be used: {reason}",
            hint="check its owner and mode, or name another store with --store",
        )
    if error.errno == errno.EIO:
        return StorageError(
            f"input/output error on the store {path}: {reason}",
            hint="check the disk, then resume; nothing that finished is lost",
        )
    return StoreError(
        f"the store {path} cannot be reached: {reason}",
        hint="check the path, or name another store with --store",
    )
