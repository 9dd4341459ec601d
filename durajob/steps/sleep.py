"""Durable sleep: a time to wait for that outlives the process."""

from __future__ import annotations

import time
from datetime import datetime

from durajob import clock
from durajob.durations import MAX_SECONDS, to_seconds
from durajob.steps.context import current


def sleep(duration: str | float | None = None, *, until: datetime | str | None = None) -> None:
    """Sleep for a time, or until one; a crash does not begin it anew.

    When it is to end is stored when it is first called, and holds from then on. Up to 10 s are
    waited for in the process. A longer sleep ends the process: the thread is ``sleeping``, and
    when it is resumed after that time the step runs again from its top, and this returns at
    once. So sleep at the beginning of a step, or let the step have a ``delay``.

    Sleeps are told apart by their order within the step: the first, the second. Outside of a
    running step it just waits.

    Args:
        duration: "2h", or seconds.
        until: a moment with an offset: an aware datetime, or RFC 3339 text.

    Raises:
        ValueError: when neither or both are given, or one breaks its rule.
    """
    if (duration is None) == (until is None):
        raise ValueError("sleep: give a duration, or until, and not both")
    seconds = moment = None
    if duration is not None:
        try:
            seconds = to_seconds(duration, least=0)
        except ValueError as error:
            raise ValueError(f"sleep: {error}") from error
    else:
        moment = _moment(until)
    context = current.get()
    if context is not None:
        context.sleep(seconds, moment)
    else:
        left = seconds if moment is None else (moment - clock.now()) / 1e6
        time.sleep(max(0.0, left or 0.0))


def _moment(until: datetime | str | None) -> int:
    given = until
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given)
        except ValueError as error:
            raise ValueError(f"sleep: until is {until!r}, not a time like {_EXAMPLE}") from error
    if not isinstance(given, datetime) or given.tzinfo is None:
        raise ValueError(f"sleep: until is {until!r}, not a time with an offset, like {_EXAMPLE}")
    moment = round(given.timestamp() * 1_000_000)
    if moment - clock.now() > MAX_SECONDS * 1_000_000:
        raise ValueError(f"sleep: until is {until!r}, more than 366 days from now")
    return moment


_EXAMPLE = "2026-11-22T06:00:00+01:00"
