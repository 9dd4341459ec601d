"""What ``export`` and ``import`` return."""

from __future__ import annotations

from collections.abc import Sequence

from durajob.model import Result


class Exports(Result):
    """The answer to ``export``."""

    threads: Sequence[str]
    driven: Sequence[str]  # those that a process was driving
    file: str | None  # None: standard output
    bytes: int
    store: str  # its URL


class Imports(Result):
    """The answer to ``import``."""

    threads: Sequence[str]
    skipped: Sequence[str]  # whose ids were taken
    file: str
    store: str  # its URL
