"""What ``logs`` shows: the lines of a thread's attempts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from durajob.model import Result


class LogLine(NamedTuple):
    """One line that was printed, logged, or added by durajob."""

    at: int
    thread: str
    step: str | None  # None for what no single step can be said to have printed
    visit: int | None
    attempt: int | None
    stream: str  # out, err, log or durajob
    level: str | None
    logger: str | None
    line: str


class Logs(Result):
    """The answer to ``logs``; when it is followed, ``lines`` goes on until the thread ends."""

    thread: str
    lines: Iterable[LogLine]
