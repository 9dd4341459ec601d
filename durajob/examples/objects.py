"""Files by their contents: ``objects/ab/cdef…`` is named by the SHA-256 of what it holds.

An object appears whole or not at all: it is written under ``partial/``, fsynced, then renamed.
Who writes there holds a shared lock on that folder; what is found there with nobody holding
one was left by a crash, and is swept.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from durajob.examples.tree import Unreadable, error_name

PIECE = 256 * 1024
_ZEROS = bytes(PIECE)

Report = Callable[[int], None]
"""Told how many bytes were read."""


def prepare(target: bytes) -> None:
    """Make the folders of a store; nobody else may read what is kept there."""
    if not os.path.isdir(target):
        os.makedirs(target, mode=0o700, exist_ok=True)
        _sync_folder(os.path.dirname(target))
    for name in (b"objects", b"partial"):
        os.makedirs(os.path.join(target, name), mode=0o700, exist_ok=True)
    _sync_folder(target)


def object_path(target: bytes, sha256: str) -> bytes:
    """Where the object of this digest stands."""
    return os.path.join(target, b"objects", sha256[:2].encode(), sha256[2:].encode())


def keep(
    source: int, target: bytes, *, report: Report = lambda count: None, again: bool = False
) -> tuple[str, int]:
    """Keep what the open file ``source`` holds; returns its digest and size.

    It is read once to know its name and, unless that object is there already with the right
    size, once more to copy it. ``again`` copies it in any case.

    Raises:
        Unreadable: when the source cannot be read.
        OSError: when the object cannot be written.
    """
    sha256, size = digest(source, report=report)
    path = object_path(target, sha256)
    if again or not _is_there(path, size):
        with partial(target) as (descriptor, name):
            # The digest of this reading counts: the file may have changed since the first.
            sha256, size = copy(source, descriptor, report=report)
            path = object_path(target, sha256)
            if not os.path.isdir(os.path.dirname(path)):
                os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
                _sync_folder(os.path.join(target, b"objects"))
            os.rename(name, path)
    # Also when it was there: the process that renamed it may have died before this.
    _sync_folder(os.path.dirname(path))
    return sha256, size


def is_whole(target: bytes, sha256: str, size: int) -> bool:
    """Whether the object reads back as what its name says."""
    try:
        descriptor = os.open(object_path(target, sha256), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        if hasattr(os, "posix_fadvise"):  # read the disk, not what the kernel remembers of it
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        return digest(descriptor) == (sha256, size)
    except Unreadable:
        return False
    finally:
        os.close(descriptor)


def digest(source: int, *, report: Report = lambda count: None) -> tuple[str, int]:
    """The SHA-256 and the size of an open file, from its beginning."""
    sha256, size = hashlib.sha256(), 0
    for piece in _pieces(source, report):
        sha256.update(piece)
        size += len(piece)
    return sha256.hexdigest(), size


def copy(source: int, to: int, *, report: Report = lambda count: None) -> tuple[str, int]:
    """Copy the open file ``source`` into the empty file ``to``, fsynced; its digest and size.

    Long runs of zeros become holes, so that a sparse file stays one.
    """
    sha256, size = hashlib.sha256(), 0
    for piece in _pieces(source, report):
        sha256.update(piece)
        size += len(piece)
        if piece == _ZEROS:
            os.lseek(to, len(piece), os.SEEK_CUR)
            continue
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(to, rest) :]
    os.ftruncate(to, size)
    os.fsync(to)
    return sha256.hexdigest(), size


def write_whole(target: bytes, name: bytes, data: bytes) -> None:
    """Write a file of the store so that it is there whole or not at all, and to stay."""
    with partial(target) as (descriptor, temporary):
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(data)
        os.fsync(descriptor)
        os.rename(temporary, os.path.join(target, name))
    _sync_folder(target)


@contextmanager
def partial(target: bytes) -> Iterator[tuple[int, bytes]]:
    """A new file to write, and its name to rename it by; gone afterwards if still there."""
    folder = os.path.join(target, b"partial")
    guard = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(guard, fcntl.LOCK_SH)
        name = os.path.join(folder, secrets.token_hex(16).encode())
        descriptor = os.open(
            name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        try:
            yield descriptor, name
        finally:
            os.close(descriptor)
            with suppress(FileNotFoundError):
                os.unlink(name)
    finally:
        os.close(guard)


def sweep(target: bytes) -> None:
    """Remove what crashes left under ``partial/``, unless somebody is writing there."""
    folder = os.path.join(target, b"partial")
    guard = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(BlockingIOError):
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for name in os.listdir(folder):
                os.unlink(os.path.join(folder, name))
    finally:
        os.close(guard)


def _pieces(source: int, report: Report) -> Iterator[bytes]:
    # Up to the size that it has now: a file may grow for as long as one reads.
    rest = os.fstat(source).st_size
    os.lseek(source, 0, os.SEEK_SET)
    while rest > 0:
        try:
            piece = os.read(source, min(PIECE, rest))
        except OSError as error:
            raise Unreadable(error_name(error)) from error
        if not piece:
            return
        rest -= len(piece)
        report(len(piece))
        yield piece


def _is_there(path: bytes, size: int) -> bool:
    try:
        return os.lstat(path).st_size == size
    except FileNotFoundError:
        return False


def _sync_folder(path: bytes) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot; then it is theirs to keep
            raise
    finally:
        os.close(descriptor)
