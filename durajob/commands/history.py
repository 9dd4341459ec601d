"""All that happened to a thread, in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from durajob.commands.ids import check_thread_id
from durajob.config.settings import Settings
from durajob.errors import NoStore, ThreadNotFound, UsageError
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
    last = _number(tail)
    path = settings.store.path
    try:
        with Reader(path) as reader:
            found = reader.find(reader.resolve(thread))
    except NoStore as error:
        raise ThreadNotFound(f"no thread {thread!r}: {error}", hint="durajob list") from error
    assert found is not None, "it was just resolved"
    entries = _entries(path, found.thread, last)
    return History(thread=found.thread, input=found.input, entries=entries)


def _entries(path: Path, thread: str, last: int | None) -> Iterator[Entry]:
    with Reader(path, known_before=True) as reader:
        yield from read_history(reader, thread, last=last)


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 1_000_000_000:
        return int(text)
    raise UsageError(
        f"--tail {text[:40]!r} is no number of entries", hint="write a whole number, 1 or more"
    )
