"""What ``watch`` returns: a thread as it changes.

Apart from ``model``, so that other commands do not pay for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from durajob.model import Result, Step, Thread, ThreadResult


class Change(NamedTuple):
    """What was different at a look at the thread."""

    at: int  # when it was noticed
    thread: Thread  # without its state and steps
    steps: tuple[Step, ...]  # that are new or look different; at the first look all


class Watching(Result):
    """The answer to ``watch``: gone through while the thread is watched."""

    thread: str
    changes: Iterator[Change | None]  # None at each look that shows nothing new
    end: Callable[[], ThreadResult]  # the thread whole, once it has ended
