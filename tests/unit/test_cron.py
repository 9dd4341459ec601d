"""Cron expressions: what is refused, and the times they name, also when clocks are changed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest

from durajob.cron import Cron, parse_cron, times

OSLO, NEW_YORK, LORD_HOWE = "Europe/Oslo", "America/New_York", "Australia/Lord_Howe"
ZONES = (OSLO, NEW_YORK, LORD_HOWE, "America/Havana", "America/Sao_Paulo", "UTC")


def shown(expression: str, zone: str, after: str, count: int) -> list[str]:
    """The next times, as the clocks of the zone show them."""
    where = ZoneInfo(zone)
    start = int(datetime.fromisoformat(after).replace(tzinfo=where).timestamp())
    found = islice(times(parse_cron(expression), where, after=start), count)
    return [datetime.fromtimestamp(each, where).isoformat(timespec="minutes") for each in found]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is unknown"),
        ("* * * *", "has 4 fields, not 5"),
        ("0 * * * * *", "has 6 fields, not 5"),
        ("@reboot", "'@reboot' is unknown"),
        ("60 * * * *", "the minute '60' is not one of 0 to 59"),
        ("* 24 * * *", "the hour '24' is not one of 0 to 23"),
        ("* * 0 * *", "the day '0' is not one of 1 to 31"),
        ("* * * FOO *", "the month 'FOO' is not one of 1 to 12"),
        ("* * * * 8", "the weekday '8' is not one of 0 to 7"),
        ("٣ * * * *", "the minute"),
        ("1, * * * *", "the minute '' is not one of 0 to 59"),
        ("*/0 * * * *", "has no step of 1 or more after the /"),
        ("5/15 * * * *", "has a step but no range: write 5-59/15"),
        ("* * * * FRI-MON", "the weekday 'FRI-MON' runs backwards"),
        ("* * * * MON#6", "is no first to fifth of a month"),
        ("0 0 31 2 *", "never comes: there is no 31 Feb"),
        ("0 0 30,31 FEB MON", "never comes: there is no 30 Feb"),
        ("0 0 31 4,6,9,11 *", "never comes: there is no 31 Apr, Jun, Sep, Nov"),
    ],
)
def test_what_is_no_expression_is_refused_by_its_field(text: str, said: str) -> None:
    """The message names the field, what stands there, and the rule."""
    with pytest.raises(ValueError, match=r".") as refused:
        parse_cron(text)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        # What would be in the hour that is skipped is run right after it, once.
        ("30 2 * * *", OSLO, "2026-03-28T12:00",
         ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
        ("0,30 2 * * *", NEW_YORK, "2026-03-08T00:00",
         ["2026-03-08T03:00-04:00", "2026-03-09T02:00-04:00"]),
        ("15 2 * * *", LORD_HOWE, "2026-10-03T12:00",
         ["2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"]),
        ("30 0 * * *", "America/Havana", "2026-03-07T12:00",
         ["2026-03-08T01:00-04:00", "2026-03-09T00:30-04:00"]),
        # In an hour that is repeated it is run once, the first time.
        ("30 2 * * *", OSLO, "2026-10-24T12:00",
         ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
        ("45 1 * * *", LORD_HOWE, "2026-04-04T12:00",
         ["2026-04-05T01:45+11:00", "2026-04-06T01:45+10:30"]),
        # With a star, each real time counts: none in an hour that is skipped, both in a repeated
        # one.
        ("0 * * * *", OSLO, "2026-03-29T00:30",
         ["2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00"]),
        ("*/30 2 * * *", OSLO, "2026-10-25T00:00", [
            "2026-10-25T02:00+02:00", "2026-10-25T02:30+02:00",
            "2026-10-25T02:00+01:00", "2026-10-25T02:30+01:00",
        ]),
        ("*/10 3 * * *", LORD_HOWE, "2026-10-04T00:00",
         ["2026-10-04T03:00+11:00", "2026-10-04T03:10+11:00"]),
        ("0 6 * * *", "UTC", "2026-03-29T00:00", ["2026-03-29T06:00+00:00"]),
        # Beyond the days of a week.
        ("0 0 L * *", "UTC", "2028-01-31T00:00",
         ["2028-02-29T00:00+00:00", "2028-03-31T00:00+00:00"]),
        ("0 0 * * MON#2", "UTC", "2026-11-01T00:00", ["2026-11-09T00:00+00:00"]),
        ("0 0 * * FRIL", "UTC", "2026-11-01T00:00", ["2026-11-27T00:00+00:00"]),
        ("0 0 13 * FRI", "UTC", "2026-11-12T00:00",
         ["2026-11-13T00:00+00:00", "2026-11-20T00:00+00:00"]),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00", ["2028-02-29T00:00+00:00"]),
        ("0 0 * * 7", "UTC", "2026-11-20T00:00", ["2026-11-22T00:00+00:00"]),
    ],
)  # fmt: skip
def test_the_next_times(expression: str, zone: str, after: str, expected: list[str]) -> None:
    """As users of Debian's cron expect them."""
    assert expected == shown(expression, zone, after, len(expected))


@pytest.mark.parametrize("zone", ZONES)
def test_the_times_are_those_of_a_clock_that_is_watched(zone: str) -> None:
    """A clock that is looked at each minute through both changes of a year gives the same times,
    for expressions of all kinds."""
    dice = random.Random(zone)
    where = ZoneInfo(zone)
    for month, day in ((3, 7), (3, 28), (4, 4), (10, 3), (10, 24), (10, 31)):
        start = int(datetime(2026, month, day, tzinfo=where).timestamp())
        for _ in range(3):
            expression = _any_expression(dice)
            cron = parse_cron(expression)
            watched = list(_watched(cron, where, start, days=3))
            found = _until(cron, where, start, start + 3 * 86400 - 60)
            assert watched == found, (expression, zone, month, day)


def _until(cron: Cron, zone: ZoneInfo, after: int, last: int) -> list[int]:
    found = []
    for each in times(cron, zone, after=after):
        if each > last:
            break
        found.append(each)
    return found


def _any_expression(dice: random.Random) -> str:
    def field(least: int, most: int) -> str:
        kind = dice.randrange(3)
        if kind == 0:
            return f"*/{dice.randint(1, 9)}" if dice.randrange(2) else "*"
        if kind == 1:
            return ",".join(str(dice.randint(least, most)) for _ in range(2))
        first = dice.randint(least, most)
        return f"{first}-{dice.randint(first, most)}"

    return f"{field(0, 59)} {field(0, 4)} * * {dice.choice(('*', 'SUN'))}"


def _watched(cron: Cron, zone: ZoneInfo, start: int, *, days: int) -> Iterator[int]:
    """cron(8) in its own words: look at the clock each minute; when it has jumped ahead, run at
    once what has fixed times and was skipped; when it goes back, do not run that again."""
    seen = datetime.fromtimestamp(start, zone).replace(tzinfo=None)
    for now in range(start + 60, start + days * 86400, 60):
        local = datetime.fromtimestamp(now, zone).replace(tzinfo=None)
        if not cron.fixed:
            if _shows(cron, local):
                yield now
            continue
        ahead = (local - seen) // timedelta(minutes=1)
        skipped = [seen + timedelta(minutes=number) for number in range(1, ahead + 1)]
        if any(_shows(cron, each) for each in skipped):
            yield now
        seen = max(seen, local)


def _shows(cron: Cron, local: datetime) -> bool:
    days = local.day in cron.days, local.isoweekday() % 7 in cron.weekdays
    is_day = any(days) if cron.either else all(days)
    return (
        is_day
        and local.month in cron.months
        and local.hour in cron.hours
        and local.minute in cron.minutes
    )


def test_a_year_of_minutes_is_soon_counted() -> None:
    """What was missed for long is found without looking at each minute of a calendar."""
    start = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    year = list(islice(times(parse_cron("* * * * *"), ZoneInfo(OSLO), after=start), 525_600))
    assert [60] == sorted({b - a for a, b in pairwise(year)})
