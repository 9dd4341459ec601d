"""Liveness as the kernel sees it: open-file-description locks on bytes of one lock file.

An owner holds the byte of its thread for as long as it drives it, and the kernel lets go
at death, whatever the cause (Linux, ``F_OFD_SETLK``, fcntl(2)). Bytes beyond the file's end
can be locked, so the file stays small. It also keeps the commit counter (``files`` says what
for), twice: as version 1 wrote it, and a copy that has a checksum.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from contextlib import suppress
from zlib import crc32

from durajob.errors import StoreDamaged, StoreError, UnsafePermissions

_MAGIC = b"durajob\x01"
_HEADER = struct.Struct("<8s32sQ")  # magic, store id, commits
_COPY = struct.Struct("<48sI")  # the header again, its checksum
_HEX = frozenset(b"0123456789abcdefABCDEF")
_MIGRATION = 1 << 20
_CONDUCTOR = _MIGRATION + 1
_SEATS = 1 << 21
_THREADS = 1 << 32
_RECOVERIES = 1 << 40
_NOTIFICATIONS = 1 << 44
_TURNS = 1 << 48  # of the queues of all named locks
_NAMED = 1 << 56
_EACH = 1024  # bytes for the seats of one named lock
_FLOCK = struct.Struct("hhqqi4x")  # l_type, l_whence, l_start, l_len, l_pid


def thread_byte(row: int) -> int:
    """The byte of the lock file that the owner of a thread locks."""
    return _THREADS + row


class LockFile:
    """The lock file of a store, opened once a process."""

    def __init__(self, path: str, *, create: bool) -> None:
        """Open it; with ``create`` for writing, made 0600 where it is missing.

        Raises:
            FileNotFoundError: when it is missing and is not to be made.
            UnsafePermissions: when it is a link, a foreign file or no plain file.
        """
        self.path = path
        flags = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a planted pipe would hang us
        flags |= (os.O_RDWR | os.O_CREAT) if create else os.O_RDONLY
        try:
            self.fd = os.open(path, flags, 0o600)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise UnsafePermissions(
                    f"{path} is a symbolic link",
                    hint="remove the link; the lock file must lie beside its store",
                ) from error
            if error.errno in (errno.EISDIR, errno.EACCES, errno.EPERM, errno.ENXIO):
                raise _not_ours(path) from error
            raise
        status = os.fstat(self.fd)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            os.close(self.fd)
            raise _not_ours(path)

    def close(self) -> None:
        """Let go of every lock taken through this object.

        A program that a step has left running may have the descriptor, too: only an owner
        that dies leaves the lock to it.
        """
        self._unlock_all()
        os.close(self.fd)

    def try_thread(self, row: int) -> bool:
        """Take the lock of a thread, if nobody holds it."""
        return self._try(_THREADS + row)

    def release_thread(self, row: int) -> None:
        """Let go of the lock of a thread."""
        self._lock(fcntl.F_OFD_SETLK, fcntl.F_UNLCK, _THREADS + row)

    def thread_is_held(self, row: int) -> bool:
        """Whether another open file holds the lock of a thread."""
        return self._conflict(_THREADS + row, 1) is not None

    def try_recovery(self, row: int) -> bool:
        """Take it upon oneself to have a thread resumed, if nobody else has. This guards
        nothing: it spares those who would come too late their work."""
        return self._try(_RECOVERIES + row)

    def end_recovery(self, row: int) -> None:
        """Whoever has it resumed has seen its end."""
        self._lock(fcntl.F_OFD_SETLK, fcntl.F_UNLCK, _RECOVERIES + row)

    def try_notification(self, number: int) -> bool:
        """Take it upon oneself to deliver a notification, if nobody else is at it."""
        return self._try(_NOTIFICATIONS + number)

    def end_notification(self, number: int) -> None:
        """It was tried, and what came of it is in the store."""
        self._lock(fcntl.F_OFD_SETLK, fcntl.F_UNLCK, _NOTIFICATIONS + number)

    def try_seat(self, seats: int) -> int | None:
        """Take one of the first ``seats`` seats for running threads; None when all are taken."""
        for seat in range(seats):
            if self._try(_SEATS + seat):
                return seat
        return None

    def count_seats(self, seats: int) -> int:
        """How many of the first ``seats`` seats for running threads other open files hold."""
        return self._count(_SEATS, _SEATS + seats)

    def try_conductor(self) -> bool:
        """Take it upon oneself to drive what ticks find due, if no other process does."""
        return self._try(_CONDUCTOR)

    def has_conductor(self) -> bool:
        """Whether another process does."""
        return self._conflict(_CONDUCTOR, 1) is not None

    def end_conductor(self) -> None:
        """Others may."""
        self._lock(fcntl.F_OFD_SETLK, fcntl.F_UNLCK, _CONDUCTOR)

    def try_turn(self, turn: int) -> bool:
        """Say that a turn in the queue of a named lock is waited for."""
        return self._try(_TURNS + turn)

    def turn_is_waited_for(self, turn: int) -> bool:
        """Whether another open file does so still."""
        return self._conflict(_TURNS + turn, 1) is not None

    def try_named(self, number: int, seat: int) -> bool:
        """Take a seat of a named lock."""
        return self._try(_NAMED + number * _EACH + seat)

    def named_is_held(self, number: int, seat: int) -> bool:
        """Whether another open file holds that seat."""
        return self._conflict(_NAMED + number * _EACH + seat, 1) is not None

    def count_named(self, number: int) -> int:
        """How many seats of a named lock other open files hold."""
        start = _NAMED + number * _EACH
        return self._count(start, start + _EACH)

    def unlock_all(self) -> None:
        """Let go of every lock of this open file, even where a forked child shares it."""
        self._lock(fcntl.F_OFD_SETLK, fcntl.F_UNLCK, 0, 0)

    def unlock_turn(self, turn: int) -> None:
        """A turn is no longer waited for."""
        self._lock(fcntl.F_OFD_SETLK, fcntl.F_UNLCK, _TURNS + turn)

    def lock_migration(self) -> None:
        """Wait until this process alone may create or migrate the store."""
        self._lock(fcntl.F_OFD_SETLKW, fcntl.F_WRLCK, _MIGRATION)

    def unlock_migration(self) -> None:
        """Let others in."""
        self._lock(fcntl.F_OFD_SETLK, fcntl.F_UNLCK, _MIGRATION)

    def read_commits(self) -> tuple[str, int] | None:
        """The store id and the number of its last known durable commit; None when none is known.

        Raises:
            StoreDamaged: when what stands there was never written.
        """
        kept = os.pread(self.fd, _HEADER.size + _COPY.size, 0)
        header, copy = _counter(kept[: _HEADER.size]), _counter_of_copy(kept[_HEADER.size :])
        if header is not None and copy is not None:
            # An older durajob counts in the header alone.
            return header if header[0] == copy[0] and header[1] > copy[1] else copy
        # After a power cut the file may be there without what was written to it.
        if header is None and copy is None and any(kept):
            raise StoreDamaged(
                f"the lock file {self.path} is damaged: it no longer says what was committed last",
                hint="if the store is the newest that there is, remove that file while no job runs",
            )
        return copy or header

    def write_commits(self, store_id: str, commits: int) -> None:
        """Remember a durable commit; called after it returned, never before."""
        header = _HEADER.pack(_MAGIC, store_id.encode("ascii"), commits)
        os.pwrite(self.fd, header + _COPY.pack(header, crc32(header)), 0)

    def forget_commits(self) -> None:
        """A new store begins."""
        os.pwrite(self.fd, bytes(_HEADER.size + _COPY.size), 0)

    def _unlock_all(self) -> None:
        with suppress(OSError):
            everything = _FLOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, 0, 0, 0)
            fcntl.fcntl(self.fd, fcntl.F_OFD_SETLK, everything)

    def _try(self, byte: int) -> bool:
        try:
            self._lock(fcntl.F_OFD_SETLK, fcntl.F_WRLCK, byte)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            if error.errno in (errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP):
                raise StoreError(
                    f"the file system of {self.path} does not lock files",
                    hint="put the store on a local file system",
                ) from error
            raise
        return True

    def _count(self, start: int, end: int) -> int:
        # The kernel tells of any conflict in a range, not of the first.
        count, ranges = 0, [(start, end)]
        while ranges:
            start, end = ranges.pop()
            found = None if start >= end else self._conflict(start, end - start)
            if found is not None:
                first, last = max(found[0], start), min(found[1], end)
                count += last - first
                ranges += [(start, first), (last, end)]
        return count

    def _conflict(self, start: int, length: int) -> tuple[int, int] | None:
        """Where another open file holds a lock within a range."""
        answer = self._lock(fcntl.F_OFD_GETLK, fcntl.F_WRLCK, start, length)
        kind, _, start, length, _ = _FLOCK.unpack(answer)
        return None if kind == fcntl.F_UNLCK else (start, start + length)

    def _lock(self, command: int, kind: int, byte: int, length: int = 1) -> bytes:
        return fcntl.fcntl(self.fd, command, _FLOCK.pack(kind, os.SEEK_SET, byte, length, 0))


def _counter(header: bytes) -> tuple[str, int] | None:
    if len(header) < _HEADER.size or not header.startswith(_MAGIC):
        return None
    _, store_id, commits = _HEADER.unpack(header)
    return (store_id.decode("ascii"), commits) if _HEX.issuperset(store_id) else None


def _counter_of_copy(copy: bytes) -> tuple[str, int] | None:
    if len(copy) < _COPY.size:
        return None
    header, crc = _COPY.unpack(copy)
    return _counter(header) if crc == crc32(header) else None


def _not_ours(path: str) -> UnsafePermissions:
    return UnsafePermissions(
        f"{path} is not a plain file of yours",
        hint="remove it while no job runs, or run as its owner",
    )
