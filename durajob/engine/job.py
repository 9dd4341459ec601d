"""What is driven: a thread that this process owns, with all that its run needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from durajob.model import StepError
from durajob.record import Record
from durajob.registry import Definition
from durajob.store.door import Door
from durajob.store.logs import MAX_SIZE
from durajob.store.notifications import Announcer
from durajob.targets import Loaded


class Job(Record):
    """A claimed thread, and how it stood then."""

    thread: str
    workflow: str
    input: Mapping[str, Any]
    definition: Definition
    loaded: Loaded
    concurrency: int
    door: Door
    lock: int  # the descriptor that holds the thread's lock
    pointer: str | None  # the latest checkpoint, None before the first
    superstep: int
    next: tuple[str, ...]
    done: int
    total: int | None
    resumed: bool
    logs: Path
    max_crashes: int  # for steps that say nothing of their own
    folder: Path  # the thread's own, for its shell steps
    secrets: tuple[str, ...] = ()
    log_size: int = MAX_SIZE
    compensating: bool = False  # the graph runs no more, its compensations are due
    cause: StepError | None = None  # the failure that is compensated
    cancelling: bool = False  # a person wants it to end
    announcer: Announcer | None = None  # notes what somebody is to be told of
