"""A word that an owner leaves when it ends without having settled its thread.

Such an end (a second Ctrl-C, a full disk, a takeover) looks like a crash to the next owner,
but no step has caused it. The word is an empty file beside the thread's logs, named by the
epoch: it can be left where the store cannot be written, and from a signal handler. One that
cannot be left is no harm: the end then counts as a crash.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from durajob.store.files import make_folder


def leave_word(logs: Path, epoch: int) -> None:
    """Say that the owner of this epoch was not killed by a step; ``logs`` is the thread's."""
    with suppress(Exception):
        make_folder(logs)
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        os.close(os.open(_path(logs, epoch), flags, 0o600))


def has_left_word(logs: Path, epoch: int) -> bool:
    """Whether the owner of this epoch has left word."""
    return os.path.lexists(_path(logs, epoch))


def clear_word(logs: Path, epoch: int) -> None:
    """Another owner has come, and knows."""
    with suppress(OSError):
        os.unlink(_path(logs, epoch))


def _path(logs: Path, epoch: int) -> Path:
    return logs / f"ended.{epoch}"
