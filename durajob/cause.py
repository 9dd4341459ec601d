"""What ``why`` answers: why a thread stands where it stands, and the command that moves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from durajob.model import Result, ThreadStatus
from durajob.record import NOTHING


class Cause(NamedTuple):
    """One reason, in one sentence."""

    reason: str  # a word for scripts
    sentence: str
    command: str | None = None  # that moves the thread on; None where nothing need be done
    look: str | None = None  # a command that shows more
    details: Mapping[str, Any] = {}


class Why(Result):
    """The answer to ``why``."""

    thread: str
    status: ThreadStatus
    cause: Cause
    input: Mapping[str, Any] = NOTHING  # what is secret in it is not shown
