"""Durations and counts as people write them: ``30s``, ``1h30m``, ``500ms``; ``2 steps``."""

from __future__ import annotations

import re

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")
MAX_SECONDS = 366 * 86400.0
"""The longest duration taken: a year. What is longer is a slip of the pen."""

RULE = "a duration reads like 30s, 5m, 2h, 1d or 1h30m, from 1ms to 366d"


def parse_duration(text: str) -> float:
    """Seconds in ``text``.

    Raises:
        ValueError: when the text is no duration, is zero or is longer than a year;
            the message states the rule.
    """
    order = list(_UNITS)
    position, seconds, rank = 0, 0.0, -1
    while position < len(text):
        part = _PART.match(text, position)
        if part is None or order.index(part[2]) <= rank:
            raise ValueError(f"{text[:60]!r} is not a duration: {RULE}")
        rank = order.index(part[2])
        seconds += float(part[1]) * _UNITS[part[2]]
        position = part.end()
    if not 0.001 <= seconds <= MAX_SECONDS:
        raise ValueError(f"{text[:60]!r} is not a duration: {RULE}")
    return seconds


def to_seconds(value: object, *, least: float = 0.001) -> float:
    """Seconds in a duration as code gives it: a text like ``"30s"``, or seconds as a number.

    Raises:
        ValueError: when it is neither, below ``least`` or longer than a year.
    """
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{value!r} is not a duration: {RULE}, or is seconds")
    if not least <= value <= MAX_SECONDS:  # nor is NaN
        raise ValueError(
            f"{value!r} is not a duration: from {least:g} to {MAX_SECONDS:.0f} seconds"
        )
    return float(value)


def format_duration(seconds: float) -> str:
    """A short text for people: ``412ms``, ``4.1s``, ``3m05s``, ``2h07m``, ``3d04h``."""
    if seconds < 0.9995:
        return f"{round(seconds * 1000)}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"


def counted(number: int, what: str, *, grouped: bool = False) -> str:
    """``1 thread``, ``2 threads``; where large numbers are common, ``1,000 threads``."""
    if number == 1:
        return f"1 {what}"
    return f"{number:,} {what}s" if grouped else f"{number} {what}s"
