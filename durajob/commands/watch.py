"""A thread as it goes on, seen from another process. Only reads, and seldom."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from durajob import clock
from durajob.commands.ids import check_thread_id
from durajob.commands.reading import reading
from durajob.commands.status import status
from durajob.config.settings import Settings
from durajob.model import ThreadResult, ThreadStatus
from durajob.store.watch import Watcher
from durajob.watching import Change, Watching

_ENDED = (ThreadStatus.COMPLETED, ThreadStatus.CANCELLED, ThreadStatus.FAILED)

_SOONEST = 0.1
"""Seconds between two looks."""

_SHARE = 0.01
"""Of a core, that looking and drawing may take; the pauses are longer where they take more."""


def watch(thread: str, *, settings: Settings) -> Watching:
    """The changes of the thread, until it has completed, failed or been cancelled.

    Raises:
        ThreadNotFound, AmbiguousThread: when ``thread`` names none, or several.
    """
    check_thread_id(thread)
    path = settings.store.path
    with reading(thread, settings) as (_, found):
        pass
    return Watching(
        thread=found,
        changes=_changes(path, found),
        end=lambda: cast(ThreadResult, status(found, settings=settings)),
    )


def _changes(path: Path, thread: str) -> Iterator[Change | None]:
    with Watcher(path, thread) as watcher:
        while True:
            before = clock.processor()
            change = watcher.look()
            yield change  # and it is drawn
            if change is not None and change.thread.status in _ENDED:
                return
            time.sleep(max(_SOONEST, (clock.processor() - before) / _SHARE))
