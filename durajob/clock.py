"""The only place that asks what time it is.

Wall-clock time is for people and is kept as whole microseconds since the epoch, in UTC.
It may jump; nothing is ordered by it. Durations come from the monotonic clock.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> int:
    """The wall-clock time, in microseconds since the epoch."""
    return time.time_ns() // 1000


def monotonic() -> float:
    """Seconds on a clock that never goes back; only differences mean anything."""
    return time.monotonic()


def processor() -> float:
    """Seconds of processor time that this process has taken; only differences mean anything."""
    return time.process_time()


def to_datetime(microseconds: int) -> datetime:
    """The aware UTC datetime of a stored time."""
    return _EPOCH + timedelta(microseconds=microseconds)


def to_rfc3339(microseconds: int | None) -> str | None:
    """A stored time as RFC 3339 with an offset, as every JSON output shows it."""
    if microseconds is None:
        return None
    return to_datetime(microseconds).isoformat(timespec="milliseconds")
