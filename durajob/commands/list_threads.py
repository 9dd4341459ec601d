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
    limit: int,
) -> ThreadList:
    """The newest ``limit`` threads that match; none, and said so, where there is no store.

    Raises:
        UsageError: when a status, a duration or the limit is not one.
    """
    statuses = tuple(_status(text) for text in status)
    after = _since(since)
    if limit < 1:
        raise UsageError(f"--limit {limit}: it is 1 or more")
    url = settings.store.url
    try:
        with Reader(settings.store.path) as reader:
            found = list(
                reader.list(statuses=statuses, workflow=workflow, since=after, limit=limit + 1)
            )
    except NoStore:
        return ThreadList(threads=(), store=url, exists=False)
    return ThreadList(threads=tuple(found[:limit]), store=url, more=len(found) > limit)


def _status(text: str) -> ThreadStatus:
    try:
        return ThreadStatus(text)
    except ValueError as error:
        choices = ", ".join(each.value for each in ThreadStatus)
        raise UsageError(f"--status {text!r}: it is one of {choices}") from error


def _since(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return clock.now() - round(parse_duration(text) * 1_000_000)
    except ValueError as error:
        raise UsageError(f"--since: {error}", hint="for example --since 2d") from error
