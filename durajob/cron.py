"""Cron expressions: five fields of time, as Debian's cron reads them, and the times they name.

Borrowed from cron(8) is what happens when clocks are changed. A job at fixed times runs once,
whatever the clock does: right after a change that skips its time, and not again when an hour is
repeated. One with a ``*`` in its minutes or hours runs whenever the clock shows a time of it.
Beyond cron, ``L`` is the last day of the month, ``MON#2`` the second Monday, ``FRIL`` the last
Friday. Written here because cronsim 2.8, the best library found, is wrong where clocks change
by half an hour (Lord Howe), may name one time twice, and does not say what it refuses.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

RULE = "minute hour day month weekday, for example 30 6 * * MON-FRI"
ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_LONGEST_MONTH = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_YEARS = 41
"""How far to look for the next time: a 29 February of one weekday may be forty years away."""


class Cron(NamedTuple):
    """An expression, understood."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    last_day: bool  # of the month
    nth: frozenset[tuple[int, int]]  # weekday, and which of the month; -1 is the last
    either: bool  # the day or the weekday will do, since neither begins with a star
    fixed: bool  # neither minutes nor hours begin with a star


class _Field(NamedTuple):
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()


_MINUTE, _HOUR = _Field("minute", 0, 59), _Field("hour", 0, 23)
_DAY, _MONTH = _Field("day", 1, 31), _Field("month", 1, 12, ("", *_MONTHS))
_WEEKDAY = _Field("weekday", 0, 7, tuple(_WEEKDAYS))


@lru_cache(maxsize=256)
def parse_cron(text: str) -> Cron:
    """Understand an expression.

    Raises:
        ValueError: when it is none, or names no time that ever comes; the message says why.
    """
    said = ALIASES.get(text.strip().lower(), text).upper().split()
    if len(said) != 5:
        what = f"has {len(said)} fields, not 5" if said[:1] and said[0][0] != "@" else "is unknown"
        raise ValueError(f"{text[:60]!r} {what}: {RULE}")
    minute, hour, day, month, weekday = said
    days = day.split(",")
    weekdays = weekday.split(",")
    numbered = [each for each in weekdays if not _is_nth(each)]
    cron = Cron(
        minutes=tuple(sorted(_numbers(_MINUTE, minute.split(",")))),
        hours=tuple(sorted(_numbers(_HOUR, hour.split(",")))),
        days=_numbers(_DAY, [each for each in days if each != "L"]),
        months=_numbers(_MONTH, month.split(",")),
        weekdays=frozenset(number % 7 for number in _numbers(_WEEKDAY, numbered)),
        last_day="L" in days,
        nth=frozenset(_nth(each) for each in weekdays if _is_nth(each)),
        either=not day.startswith("*") and not weekday.startswith("*"),
        fixed=not minute.startswith("*") and not hour.startswith("*"),
    )
    longest = max(_LONGEST_MONTH[number] for number in cron.months)
    if cron.days and not cron.last_day and min(cron.days) > longest:
        shown = ", ".join(_MONTHS[number - 1].title() for number in sorted(cron.months))
        raise ValueError(f"{text[:60]!r} never comes: there is no {min(cron.days)} {shown}")
    return cron


def times(cron: Cron, zone: tzinfo, *, after: int) -> Iterator[int]:
    """The times of ``cron`` in ``zone`` later than ``after``, in order; seconds since the epoch."""
    day = datetime.fromtimestamp(after, zone).date() - timedelta(days=1)
    last_year = min(day.year + _YEARS, 9998)
    last = after
    while day.year <= last_year:
        if day.month not in cron.months:
            day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
            continue
        if _is_day(cron, day):
            for time in _times_of(cron, zone, day, last):
                if time > last:
                    last = time
                    yield time
        day += timedelta(days=1)


def _times_of(cron: Cron, zone: tzinfo, day: date, after: int) -> Iterator[int]:
    """Those of a day, but for hours that are over by ``after``."""
    start = _start_of_even_day(zone, day)
    if start is not None:
        if start + 86400 <= after:
            return
        for hour in cron.hours:
            begin = start + hour * 3600
            if begin + 3600 > after:
                for minute in cron.minutes:
                    yield begin + minute * 60
        return
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    found: set[int] = set()
    for hour in cron.hours:
        for minute in cron.minutes:
            found.update(_around_change(midnight.replace(hour=hour, minute=minute), cron.fixed))
    yield from sorted(found)


@lru_cache(maxsize=256)
def _start_of_even_day(zone: tzinfo, day: date) -> int | None:
    """When a day begins; None for one on which the clocks are changed."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    if midnight.utcoffset() == (midnight + timedelta(days=1)).utcoffset():
        return round(midnight.timestamp())
    return None


def _around_change(local: datetime, fixed: bool) -> tuple[int, ...]:
    """When a clock that is changed on this day shows ``local``: once, twice, or never."""
    first, second = _utc(local, 0), _utc(local, 1)
    if first <= second:
        return (first,) if fixed or first == second else (first, second)
    if not fixed:
        return ()
    while first > second:  # right after the change is the first minute that comes
        local += timedelta(minutes=1)
        first, second = _utc(local, 0), _utc(local, 1)
    return (first,)


def _utc(local: datetime, fold: int) -> int:
    return round(local.replace(fold=fold).astimezone(UTC).timestamp())


def _is_day(cron: Cron, day: date) -> bool:
    in_month = day.day in cron.days or (cron.last_day and day.day == _length(day))
    weekday = day.isoweekday() % 7
    in_week = weekday in cron.weekdays or (bool(cron.nth) and _is_nth_day(cron, day, weekday))
    return (in_month or in_week) if cron.either else (in_month and in_week)


def _is_nth_day(cron: Cron, day: date, weekday: int) -> bool:
    is_last = day.day + 7 > _length(day)
    return (weekday, (day.day + 6) // 7) in cron.nth or (is_last and (weekday, -1) in cron.nth)


def _length(day: date) -> int:
    return monthrange(day.year, day.month)[1]


def _is_nth(text: str) -> bool:
    return "#" in text or (text.endswith("L") and text != "L")


def _nth(text: str) -> tuple[int, int]:
    name, hash, which = text.partition("#")
    if not hash:
        return _number(_WEEKDAY, text[:-1]) % 7, -1
    if which not in ("1", "2", "3", "4", "5"):
        raise ValueError(f"the weekday {text[:20]!r} is no first to fifth of a month")
    return _number(_WEEKDAY, name) % 7, int(which)


def _numbers(field: _Field, parts: list[str]) -> frozenset[int]:
    found: set[int] = set()
    for part in parts:
        base, slash, step = part.partition("/")
        first, dash, last = base.partition("-")
        low, high = field.least, field.most
        if base != "*":
            low = _number(field, first)
            high = _number(field, last) if dash else low
        if slash and not (re.fullmatch(r"[0-9]{1,3}", step) and int(step)):
            raise ValueError(f"the {field.name} {part[:20]!r} has no step of 1 or more after the /")
        if slash and base != "*" and not dash:
            hint = f"{base}-{field.most}/{step}"
            raise ValueError(
                f"the {field.name} {part[:20]!r} has a step but no range: write {hint}"
            )
        if high < low:
            raise ValueError(f"the {field.name} {part[:20]!r} runs backwards")
        found.update(range(low, high + 1, int(step) if slash else 1))
    return frozenset(found)


def _number(field: _Field, text: str) -> int:
    if text in field.names and text:
        return field.names.index(text)
    if not re.fullmatch(r"[0-9]{1,4}", text) or not field.least <= int(text) <= field.most:
        raise ValueError(
            f"the {field.name} {text[:20]!r} is not one of {field.least} to {field.most}"
        )
    return int(text)
