"""Folders as a backup must see them: names are bytes, nothing is followed, no path is too long.

Every file is reached folder by folder from an open one, refusing symbolic links on the way.
So a folder that is swapped for a link in the middle of a backup leads nowhere, and trees
deeper than the system's longest path are walked like any other.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, TypedDict
from urllib.parse import unquote_to_bytes

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A file may have become a pipe since it was seen; opening that would wait for a writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Unreadable(Exception):
    """A file could not be read; the message is the system's name of the error."""


class Entry(TypedDict, total=False):
    """One thing in a tree, as it stands in a manifest."""

    type: Literal["file", "folder", "link", "skipped"]
    path: str  # from the top, encoded; "." is the top itself
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    size: int
    sha256: str
    target: str  # of a link, encoded
    kind: str  # what was skipped
    changed: bool  # it changed all the while it was copied
    error: str  # why it could not be read: the system's name for it, as EACCES


def encode(name: bytes) -> str:
    """A name as text that can be stored, shown on one line, and decoded to the same bytes.

    Readable UTF-8 stays as it is; other bytes, control characters and % become %XX.
    """
    text = name.decode("utf-8", "surrogateescape")
    if text.isascii() and text.isprintable() and "%" not in text:
        return text
    return "".join(
        char
        if char.isprintable() and char != "%"
        else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
        for char in text
    )


def decode(text: str) -> bytes:
    """The bytes that ``encode`` was given."""
    return unquote_to_bytes(text)


def parts_of(path: str) -> tuple[bytes, ...]:
    """The names along an encoded path.

    Raises:
        ValueError: when the path could lead out of the tree.
    """
    if path == ".":
        return ()
    parts = tuple(decode(path).split(b"/"))
    if any(part in (b"", b".", b"..") or b"\0" in part for part in parts):
        raise ValueError(f"{path!r} is not a path within the tree")
    return parts


@contextmanager
def open_top(path: bytes) -> Iterator[int]:
    """The folder that a tree begins with; here alone a symbolic link is followed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def open_folder(top: int, parts: Sequence[bytes]) -> Iterator[int]:
    """The folder at ``parts`` below the open folder ``top``."""
    descriptor = os.open(".", _FOLDER, dir_fd=top)
    try:
        for part in parts:
            below = os.open(part, _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def open_file(top: int, parts: Sequence[bytes]) -> Iterator[int]:
    """The regular file at ``parts``, for reading.

    Raises:
        Unreadable: when it is not there, is no regular file any more, or may not be read.
    """
    try:
        with open_folder(top, parts[:-1]) as folder:
            descriptor = os.open(parts[-1], _FILE, dir_fd=folder)
    except OSError as error:
        raise Unreadable(error_name(error)) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unreadable("ESTALE")
        yield descriptor
    finally:
        os.close(descriptor)


def walk(top: int, *, leave_out: tuple[int, int]) -> Iterator[Entry]:
    """Everything in the tree, without the folder whose device and inode are ``leave_out``."""
    todo: list[tuple[tuple[bytes, ...], os.stat_result]] = [((), os.fstat(top))]
    while todo:
        parts, about = todo.pop()
        entry = describe(parts, about)
        try:
            with open_folder(top, parts) as folder:
                # Python gives text for an open folder; fsencode has back the very bytes.
                names = [os.fsencode(name) for name in os.listdir(folder)]
                yield entry
                for name in names:
                    below = (*parts, name)
                    try:
                        about = os.stat(name, dir_fd=folder, follow_symlinks=False)
                        if not stat.S_ISDIR(about.st_mode):
                            yield describe(below, about, folder)
                        elif (about.st_dev, about.st_ino) != leave_out:
                            todo.append((below, about))
                    except OSError as error:
                        yield {"type": "file", "path": joined(below), "error": error_name(error)}
        except OSError as error:
            yield {**entry, "error": error_name(error)}


def describe(parts: Sequence[bytes], about: os.stat_result, folder: int | None = None) -> Entry:
    """The entry of one thing; ``folder`` is the open folder that holds it, if it is a link."""
    mode = about.st_mode
    entry: Entry = {
        "type": "file",
        "path": joined(parts),
        "mode": stat.S_IMODE(mode),
        "uid": about.st_uid,
        "gid": about.st_gid,
        "mtime_ns": about.st_mtime_ns,
    }
    if stat.S_ISDIR(mode):
        entry["type"] = "folder"
    elif stat.S_ISREG(mode):
        entry["size"] = about.st_size
    elif stat.S_ISLNK(mode):
        entry["type"] = "link"
        entry["target"] = encode(os.readlink(parts[-1], dir_fd=folder))
    else:
        entry["type"] = "skipped"
        entry["kind"] = _KINDS.get(stat.S_IFMT(mode), "unknown")
    return entry


def joined(parts: Sequence[bytes]) -> str:
    """The encoded path of ``parts``."""
    return encode(b"/".join(parts)) if parts else "."


def error_name(error: OSError) -> str:
    """The system's name of an error, the same in every language."""
    return errno.errorcode.get(error.errno or 0, type(error).__name__)


_KINDS = {
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "block device",
    stat.S_IFCHR: "character device",
}
