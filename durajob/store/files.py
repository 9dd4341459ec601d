"""The files of a SQLite store: where they lie, who may touch them, how they come to be."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

from durajob.errors import (
    NoStore,
    StoreDamaged,
    StoreError,
    StoreNewer,
    StoreWentBack,
    UnsafePermissions,
)
from durajob.store import read_queries as queries
from durajob.store import schema, wal
from durajob.store.driver import FAILURES, require_sound_library, sqlite, translate
from durajob.store.locks import LockFile

BUSY_SECONDS = 120.0
"""How long a statement waits for another writer. Our own hold the store for milliseconds."""


def lock_path(path: Path) -> str:
    """The lock file of the store at ``path``."""
    return f"{path}-lock"


def held_files(path: Path) -> tuple[str, str]:
    """What an owner of a thread of the store at ``path`` has open."""
    return str(path), lock_path(path)


def log_folder(path: Path) -> Path:
    """The folder of the logs of the store at ``path``."""
    return Path(f"{path}-logs")


def work_folder(path: Path) -> Path:
    """The folder in which each thread of the store at ``path`` has one for its shell steps."""
    return Path(f"{path}-work")


def open_log(path: Path) -> BinaryIO:
    """A log file to append to, made 0600 in folders that are made 0700."""
    make_folder(path.parent)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.fdopen(os.open(path, flags, 0o600), "ab")


def open_for_reading(path: Path, *, known_before: bool = False) -> Any:
    """A connection that cannot write.

    ``known_before``: this process has found the store to be of its own version before. If a
    newer durajob has migrated it since, all that this one reads is still there.

    Raises:
        NoStore: when there is none.
        StoreError: when it cannot be used; see ``driver.translate``.
    """
    require_sound_library()
    if not check_file(path):
        raise _no_store(path)
    try:
        connection = _connect(path, "mode=ro")
        try:
            version = _check_version(connection, path, known_before)
        except sqlite.Error:
            connection.close()
            if not _is_frozen(path):
                raise
            connection = _connect(path, "mode=ro&immutable=1")
            version = _check_version(connection, path, known_before)
        if version == 0:
            connection.close()
            raise _no_store(path)
        if version < schema.VERSION:
            connection.close()
            connection, lock = open_for_writing(path, create=False)
            lock.close()
        _check_counter(connection, path)
    except (*FAILURES, OSError) as error:
        raise translate(error, str(path)) from error
    return connection


def open_for_writing(path: Path, *, create: bool) -> tuple[Any, LockFile]:
    """A connection in autocommit mode and the store's lock file; migrated where needed.

    Raises:
        NoStore: when there is none and ``create`` is false.
        StoreError: when it cannot be used; see ``driver.translate``.
    """
    require_sound_library()
    exists = check_file(path)
    if not exists and not create:
        raise _no_store(path)
    try:
        if not exists:
            make_folder(path.parent)
            check_folder(path.parent)
        lock = LockFile(lock_path(path), create=True)
        try:
            connection = _open_or_create(path, lock)
            wal.take_over(connection)
            _check_counter(connection, path)
        except BaseException:
            lock.close()
            raise
    except (*FAILURES, OSError) as error:
        raise translate(error, str(path)) from error
    return connection, lock


def check_file(path: Path) -> bool:
    """Whether the store's file is there, once it is known to be safe to open."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise translate(error, str(path)) from error
    if stat.S_ISLNK(status.st_mode):
        raise UnsafePermissions(
            f"the store {path} is a symbolic link",
            hint=f"name the file itself: --store {os.path.realpath(path)}",
        )
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(
            f"the store {path} is not a file", hint="name a file with --store, or remove it"
        )
    if status.st_uid != os.geteuid():
        raise UnsafePermissions(
            f"the store {path} belongs to another user (uid {status.st_uid})",
            hint="run durajob as that user",
        )
    if status.st_mode & 0o022:
        raise UnsafePermissions(
            f"the store {path} can be changed by others (mode {status.st_mode & 0o777:04o})",
            hint=f"chmod 600 {path}",
        )
    check_folder(path.parent)
    log = _check_beside(path)
    if status.st_size == 0:
        # Asked before SQLite is: it removes the log of a file that is empty. Looked at once
        # more, since another process may just have filled it; it does so before it commits.
        if (log or _known_commits(path)) and os.lstat(path).st_size == 0:
            raise StoreDamaged(
                f"the store {path} is empty, but work was committed to it",
                hint="nothing was changed; put a copy of the store back",
            )
    elif status.st_size % _SMALLEST_PAGE and not log:
        raise StoreDamaged(
            f"the store {path} is cut off after {status.st_size:,} bytes",
            hint="nothing was changed; put a copy of the store back",
        )
    return True


def check_folder(folder: Path) -> None:
    """Refuse a folder in which anyone else could replace the store."""
    status = os.stat(folder)
    if status.st_uid not in (0, os.geteuid()):
        raise UnsafePermissions(
            f"the folder {folder} belongs to another user (uid {status.st_uid})",
            hint="run durajob as that user, or name a store in a folder of yours with --store",
        )
    if status.st_mode & 0o002 and not status.st_mode & stat.S_ISVTX:
        raise UnsafePermissions(
            f"anyone may change the folder {folder} (mode {status.st_mode & 0o777:04o})",
            hint=f"chmod o-w {folder}",
        )


def make_folder(folder: Path) -> None:
    """With those above it: ``mkdir(parents=True)`` leaves theirs to the umask."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


_SMALLEST_PAGE = 512


def _check_beside(path: Path) -> int:
    """The size of the write-ahead log, once what SQLite keeps beside the file is known to be
    ours: in a folder that is shared (/tmp) somebody else may have put it there."""
    log = 0
    for suffix in ("-wal", "-shm", "-journal"):
        try:
            status = os.lstat(f"{path}{suffix}")
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise UnsafePermissions(
                f"{path}{suffix} is not a plain file of yours",
                hint="nothing was changed; find out who put it there",
            )
        if suffix == "-wal":
            log = status.st_size
    return log


def _no_store(path: Path) -> NoStore:
    return NoStore(f"no store at {path}", hint="durajob start creates it")


def _open_or_create(path: Path, lock: LockFile) -> Any:
    # A fresh file is switched to WAL and filled by one process alone: that switch
    # ignores the busy timeout.
    if check_file(path):
        connection = _connect(path, "mode=rw")
        if _check_version(connection, path) == schema.VERSION:
            return connection
        connection.close()
    lock.lock_migration()
    try:
        if not check_file(path):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            _sync_folder(path.parent)
            lock.forget_commits()  # of a store that was here before
        connection = _connect(path, "mode=rw")
        _check_version(connection, path)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # if new: what is pruned goes back
        connection.execute("PRAGMA journal_mode = WAL")
        schema.migrate(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        lock.unlock_migration()
    return connection


def _connect(path: Path, mode: str) -> Any:
    from urllib.parse import quote

    return sqlite.connect(
        f"file:{quote(str(path))}?{mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )


def _check_version(connection: Any, path: Path, known_before: bool = False) -> int:
    """The schema version; 0 for an empty file that is yet to be filled."""
    # Read before the file: whoever fills it counts a commit only afterwards.
    known = _known_commits(path)
    # In one transaction: another process may be filling it between two looks.
    connection.execute("BEGIN")
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        kind = int(connection.execute("PRAGMA application_id").fetchone()[0])
        tables = connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    if version > schema.VERSION and kind == schema.APPLICATION_ID and not known_before:
        raise StoreNewer(
            f"the store {path} has version {version}; this durajob knows {schema.VERSION}",
            hint="use the durajob that wrote it, or a newer one: pip install -U durajob",
        )
    if kind == schema.APPLICATION_ID:
        return version
    if version or tables:
        raise StoreDamaged(
            f"{path} is a SQLite file, but not a durajob store",
            hint="nothing was changed; name another file with --store",
        )
    if known:
        raise StoreDamaged(
            f"the store {path} is empty, but work was committed to it",
            hint="nothing was changed; put its -wal file or a copy of the store back",
        )
    return 0


def _known_commits(path: Path) -> tuple[str, int] | None:
    """What the lock file says of the last durable commit."""
    try:
        lock = LockFile(lock_path(path), create=False)
    except FileNotFoundError:
        return None
    try:
        return lock.read_commits()
    finally:
        lock.close()


def _check_counter(connection: Any, path: Path) -> None:
    """Notice a store that went back in time: an old copy, or a lost write-ahead log.

    The lock file's counter is raised after each durable commit has returned, so it is
    never ahead of a store that is whole. It is read first: the store may move on between.
    """
    known = _known_commits(path)
    store_id, commits = connection.execute(queries.IDENTITY).fetchone()
    if not isinstance(store_id, str) or not isinstance(commits, int):
        raise StoreDamaged(
            f"the store {path} does not say which one it is",
            hint="nothing was changed; put a copy of the store back",
        )
    if known is not None and known[0] != store_id:
        raise StoreDamaged(
            f"the store {path} is not the one that its lock file belongs to",
            hint="nothing was changed; if its -wal file is that of another store, put the right "
            f"one back; if the store is meant, remove {lock_path(path)} while no job runs",
        )
    if known is not None and known[1] > commits:
        raise StoreWentBack(
            f"the store {path} is older than the work that was committed to it "
            f"(commit {commits}, last known {known[1]})",
            hint="put its -wal file or the newest copy back; if the older copy is meant, "
            f"remove {lock_path(path)} while no job runs",
        )


def _is_frozen(path: Path) -> bool:
    """Whether no log has to be read: nobody writes here, or nobody can."""
    try:
        return os.path.getsize(f"{path}-wal") == 0
    except OSError:
        return True


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
