"""All that happened to a thread, in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from durajob.commands.ids import check_thread_id, whole_number
from durajob.commands.reading import reading
from durajob.config.settings import Settings
from durajob.history import Entry, History
from durajob.store.history import read_history
from durajob.store.read import Reader


def history(thread: str, *, settings: Settings, tail: str | None) -> History:
    """Every attempt, checkpoint and thing done by hand; with ``tail``, so many at the end.

    Raises:
        ThreadNotFound, AmbiguousThread: when ``thread`` names none, or several.
        UsageError: when ``tail`` is no number.
    """
    check_thread_id(thread)
    last = None if tail is None else whole_number("--tail", tail, what="number of entries")
    path = settings.store.path
    with reading(thread, settings) as (reader, name):
        found = reader.find(name)
    assert found is not None, "it was just resolved"
    entries = _entries(path, found.thread, last)
    return History(thread=found.thread, input=found.input, entries=entries)


def _entries(path: Path, thread: str, last: int | None) -> Iterator[Entry]:
    with Reader(path, known_before=True) as reader:
        yield from read_history(reader, thread, last=last)
