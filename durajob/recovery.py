"""What ``recover`` returns, and tells on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from durajob.model import ErrorInfo, Result, Thread


class Recovered(NamedTuple):
    """What became of one thread: how it stands, and how the process that resumed it ended."""

    thread: Thread
    exit_status: int  # 128 and the signal's number, where it was killed
    error: ErrorInfo | None


class Recovery(Result):
    """The answer to ``recover``."""

    threads: Sequence[Thread]  # in the order in which they are resumed
    store: str  # its URL
    outcomes: Sequence[Recovered] | None = None  # None where nobody waited for them
    exists: bool = True  # False when there is no store yet
