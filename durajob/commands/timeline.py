"""When each attempt of a thread ran."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from durajob import clock
from durajob.commands.ids import check_thread_id
from durajob.commands.reading import reading
from durajob.commands.whole_file import whole_file
from durajob.config.settings import Settings
from durajob.errors import StorageError, UnsafePermissions, UsageError
from durajob.history import Claimed, Entry, Stored, Tried
from durajob.model import AttemptStatus
from durajob.store.history import read_history
from durajob.timeline import Bar, Timeline

MADE_BY = "<!doctype html><!-- durajob timeline -->"
"""How a page begins: only what begins so is written over."""


def timeline(thread: str, *, settings: Settings, page: str | None = None) -> Timeline:
    """The attempts of the thread; ``page`` is the file that they are to be drawn in.

    Raises:
        ThreadNotFound, AmbiguousThread: when ``thread`` names none, or several.
        UsageError: when ``page`` is something that durajob did not write.
    """
    check_thread_id(thread)
    if page is not None:
        _check_page(Path(page))
    with reading(thread, settings) as (reader, name):
        found = reader.find(name)
        assert found is not None, "it was just resolved"
        entries = read_history(reader, found.thread, last=None)
        tried, seen = _tried(entries)
    now = clock.now()
    if found.owner is not None:
        seen[found.epoch] = now
    bars = tuple(_bar(each, seen[each.epoch]) for each in tried)
    notes = () if bars else ("nothing of it has run",)
    return Timeline(thread=found, bars=bars, now=now, page=page, notes=notes)


def write_page(path: Path, text: str) -> None:
    """Write the page whole or not at all, readable by its owner alone.

    Raises:
        StorageError: when it cannot be written.
        UsageError: when something that durajob did not write stands there.
    """
    _check_page(path)
    refusal, hint = f"the page {path} could not be written", "name another file with --html"
    with whole_file(path, refusal=refusal, hint=hint, errors="backslashreplace") as file:
        file.write(text)


def _check_page(path: Path) -> None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}", hint="name another file") from error
    if stat.S_ISLNK(status.st_mode) or status.st_uid != os.geteuid():
        raise UnsafePermissions(
            f"{path} is a symbolic link, or belongs to another user",
            hint="name another file with --html",
        )
    if not stat.S_ISREG(status.st_mode) or (status.st_size and not _is_ours(path)):
        raise UsageError(
            f"{path} is there already, and no page of durajob's",
            hint="name another file with --html, or remove it",
        )


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(MADE_BY)) == MADE_BY.encode()
    except OSError:
        return False


def _tried(entries: Iterable[Entry]) -> tuple[list[Tried], dict[int, int]]:
    """The attempts, and when each owner was last seen alive: nobody notes when one dies."""
    tried: list[Tried] = []
    seen: dict[int, int] = {}
    epoch = 0
    for entry in entries:
        if isinstance(entry, Claimed):
            epoch = entry.epoch
            seen[epoch] = entry.at
        elif isinstance(entry, Tried):
            tried.append(entry)
            died = entry.status is AttemptStatus.ABANDONED
            at = entry.at if died or entry.finished_at is None else entry.finished_at
            seen[entry.epoch] = max(seen.get(entry.epoch, at), at)
        elif isinstance(entry, Stored) and entry.at is not None:
            seen[epoch] = max(seen.get(epoch, entry.at), entry.at)
    return tried, seen


def _bar(tried: Tried, last: int) -> Bar:
    end = None if tried.status is AttemptStatus.ABANDONED else tried.finished_at
    return Bar(
        step=tried.step,
        visit=tried.visit,
        attempt=tried.attempt,
        status=tried.status,
        started_at=tried.at,
        finished_at=max(tried.at, last if end is None else end),
        ended=end is not None,
        seconds=tried.seconds,
        error=tried.error,
    )
