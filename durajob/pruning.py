"""What ``prune`` returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from durajob.model import Result


class Left(NamedTuple):
    """A thread that was named by its status, and stays."""

    thread: str
    reason: str


class Pruned(Result):
    """The answer to ``prune``: what went, or with ``dry_run`` what would go."""

    threads: int
    statuses: Mapping[str, int]  # of these threads
    checkpoints: int  # spent ones, of threads that stay
    folders: int  # of logs and of work, that belonged to no thread
    bytes: int  # of all that, about, logs and work folders included
    freed: int  # by which the store's file is shorter now
    left: Sequence[Left]
    store: str  # its URL
    dry_run: bool = False
