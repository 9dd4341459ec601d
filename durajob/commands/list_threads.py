"""Threads, newest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from durajob import clock
from durajob.commands.ids import whole_number
from durajob.config.settings import Settings
from durajob.durations import parse_duration
from durajob.errors import NoStore, UsageError
from durajob.model import Thread, ThreadList, ThreadStatus
from durajob.store.read import Reader

_FEW = 1_000


def list_threads(
    *,
    settings: Settings,
    status: Sequence[str],
    workflow: str | None,
    since: str | None,
    limit: str,
) -> ThreadList:
    """The newest ``limit`` threads that match; none, and said so, where there is no store.

    Raises:
        UsageError: when a status, a duration or the limit is not one.
    """
    wanted = _wanted(status, workflow, since, limit)
    url = settings.store.url
    try:
        with Reader(settings.store.path) as reader:
            found = list(_threads(reader, wanted._replace(limit=wanted.limit + 1)))
    except NoStore:
        return ThreadList(threads=(), store=url, exists=False)
    return ThreadList(threads=found[: wanted.limit], store=url, more=len(found) > wanted.limit)


def each_thread(
    *,
    settings: Settings,
    status: Sequence[str],
    workflow: str | None,
    since: str | None,
    limit: str,
) -> Iterator[Thread]:
    """The same, read as they are asked for: of a hundred thousand, few are in memory at once."""
    wanted = _wanted(status, workflow, since, limit)
    return _each(settings, wanted)


def long_list(
    *,
    settings: Settings,
    status: Sequence[str],
    workflow: str | None,
    since: str | None,
    limit: str,
) -> tuple[Iterator[Thread], int] | None:
    """The same with one more, where there are more, and how many are to be shown; None where so
    few are asked for that they may as well be read at once."""
    wanted = _wanted(status, workflow, since, limit)
    if wanted.limit <= _FEW:
        return None
    try:
        reader = Reader(settings.store.path)
    except NoStore:
        return None
    return _read(reader, wanted._replace(limit=wanted.limit + 1)), wanted.limit


def _each(settings: Settings, wanted: _Wanted) -> Iterator[Thread]:
    try:
        yield from _read(Reader(settings.store.path), wanted)
    except NoStore:
        return


def _read(reader: Reader, wanted: _Wanted) -> Iterator[Thread]:
    with reader:
        yield from _threads(reader, wanted)


class _Wanted(NamedTuple):
    """Which threads are asked for."""

    statuses: tuple[ThreadStatus, ...]  # empty: all
    workflow: str | None
    since: int | None
    limit: int


def _wanted(status: Sequence[str], workflow: str | None, since: str | None, limit: str) -> _Wanted:
    statuses = tuple(_status(text) for text in status)
    after = _since(since)
    most = whole_number("--limit", limit, what="number of threads")
    return _Wanted(statuses, workflow, after, most)


def _threads(reader: Reader, wanted: _Wanted) -> Iterator[Thread]:
    return reader.threads(
        statuses=wanted.statuses, workflow=wanted.workflow, since=wanted.since, limit=wanted.limit
    )


def _status(text: str) -> ThreadStatus:
    try:
        return ThreadStatus(text)
    except ValueError as error:
        choices = ", ".join(each.value for each in ThreadStatus)
        raise UsageError(f"no status {text[:40]!r}", hint=f"--status takes {choices}") from error


def _since(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return clock.now() - round(parse_duration(text) * 1_000_000)
    except ValueError as error:
        raise UsageError(f"--since: {error}", hint="for example --since 2d") from error
