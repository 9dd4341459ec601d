"""Threads, newest first."""

from __future__ import annotations

from collections.abc import Sequence

from durajob import clock
from durajob.config.settings import Settings
from durajob.durations import parse_duration
from durajob.errors import NoStore, UsageError
from durajob.model import ThreadList, ThreadStatus
from durajob.store.read import Reader


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
    statuses = tuple(_status(text) for text in status)
    after = _since(since)
    most = _limit(limit)
    url = settings.store.url
    try:
        with Reader(settings.store.path) as reader:
            found = list(
                reader.threads(statuses=statuses, workflow=workflow, since=after, limit=most + 1)
            )
    except NoStore:
        return ThreadList(threads=(), store=url, exists=False)
    return ThreadList(threads=tuple(found[:most]), store=url, more=len(found) > most)


def _status(text: str) -> ThreadStatus:
    try:
        return ThreadStatus(text)
    except ValueError as error:
        choices = ", ".join(each.value for each in ThreadStatus)
        raise UsageError(f"no status {text[:40]!r}", hint=f"--status takes {choices}") from error


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 1_000_000_000:
        return int(text)
    raise UsageError(
        f"--limit {text[:40]!r} is no number of threads", hint="write a whole number, 1 or more"
    )


def _since(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return clock.now() - round(parse_duration(text) * 1_000_000)
    except ValueError as error:
        raise UsageError(f"--since: {error}", hint="for example --since 2d") from error
