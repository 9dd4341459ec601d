"""How far a step has come, said by the step itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

from durajob import clock
from durajob.model import StepProgress
from durajob.steps.context import current

T = TypeVar("T")

_TURNS_APART = 0.02  # seconds; a sign of life for all but the shortest idle timeout


def progress(done: float, total: float | None = None, note: str | None = None) -> None:
    """Say how much of this step is done; shown live and by ``durajob status``.

    Cheap enough for every turn of a loop: what is shown and stored is throttled. Outside of
    a running step it does nothing, so that the function can be tested alone.

    Args:
        done: how much is done, in any unit.
        total: how much there is in all, in the same unit; None when that is unknown.
        note: a short text about what is being done.

    Raises:
        ValueError: when a number is negative or not finite; TypeError: when it is none.
    """
    _check("done", done)
    _check("total", total)
    context = current.get()
    if context is not None:
        how_far = (_number(done), None if total is None else _number(total))
        context.report(StepProgress(*how_far, None if note is None else str(note)))


def track(
    items: Iterable[T],
    total: float | None = None,
    note: str | Callable[[T], str] | None = None,
) -> Iterator[T]:
    """The items, one by one; how many of them are done is said as the step's progress.

    An item is done when the next one is asked for. Cheap enough for loops of millions of
    turns. Outside of a running step the items are given, and nothing else is done.

    Args:
        items: what the loop goes over; it is not read ahead.
        total: how many there are; unless said, ``len(items)`` where that is known.
        note: a text about what is being done, or a function that tells it of the item.

    Raises:
        ValueError: when ``total`` is negative or not finite.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    _check("total", total)
    return _tracked(items, total, note)


def _tracked(
    items: Iterable[T], total: float | None, note: str | Callable[[T], str] | None
) -> Iterator[T]:
    done, told = 0, -math.inf
    for item in items:
        now = clock.monotonic()
        if now - told >= _TURNS_APART:
            told = now
            progress(done, total, note(item) if callable(note) else note)
        yield item
        done += 1
    progress(done, total)


def _check(name: str, value: float | None) -> None:
    try:
        right = value is None or (math.isfinite(value) and value >= 0)
    except TypeError as error:
        raise TypeError(f"progress: {name} is {value!r:.60}, not a number") from error
    if not right:
        raise ValueError(f"progress: {name} is {value}, it must be 0 or more")


def _number(value: float) -> float:
    # What counts like a number need not be one that JSON can hold: numpy's, a Decimal.
    return value if type(value) in (int, float) else float(value)
