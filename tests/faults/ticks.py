"""A year of minute ticks over ten schedules: ticks that die, hours without any, clocks that jump.

The time is made up and the ledger is real: a tick is what ``durajob tick`` does with it, in this
process. One that dies does so before or after the commit of a transaction. The judge asks the
calendar which slots there were, and the ledger what became of each.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from durajob.policies import Schedule
from durajob.registry import Definition
from durajob.schedule.booking import Scheduled, book, scheduled, start_queued
from durajob.store.agenda import Agenda
from durajob.store.driver import sqlite
from durajob.store.write import Writer

FILE, STAMP = "/srv/jobs/workflows.toml", "1"
MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
SCHEDULES = (
    ("often", "*/7 * * * *", "UTC", "none", "skip"),
    ("hourly", "0 * * * *", "Europe/Oslo", "latest", "skip"),
    ("quarter", "*/15 * * * *", "Australia/Lord_Howe", "all", "queue"),
    ("early", "30 2 * * *", "Europe/Oslo", "latest", "skip"),
    ("night", "15,45 1,2 * * *", "America/New_York", "all", "skip"),
    ("island", "50 1 * * *", "Australia/Lord_Howe", "latest", "queue"),
    ("week", "0 6 * * MON-FRI", "Europe/Oslo", "all", "queue"),
    ("month", "0 0 L * *", "America/Havana", "latest", "skip"),
    ("busy", "5-55/10 8-17 * * *", "America/Sao_Paulo", "none", "queue"),
    ("late", "59 23 * * *", "Asia/Tokyo", "latest", "skip"),
)


class Died(BaseException):
    """A tick was killed."""


def simulate(folder: Path, *, first: date, days: int, seed: int) -> Counter[str]:
    """Let ``days`` pass; what became of how many slots.

    Raises:
        AssertionError: when a slot is in the ledger twice, or not at all.
    """
    dice = random.Random(seed)
    workflows = _workflows(dice)
    path = folder / "d.db"
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    begin = now = int(midnight.timestamp()) * 1_000_000 + 5_000_000
    end, highest = begin + days * DAY, begin
    counts: Counter[str] = Counter()
    writer = Writer(path, create=True)
    mortal = _Mortal(writer, dice)
    _tick(writer, workflows, now, counts)  # from here on the schedules are followed
    while now < end:
        with suppress(Died):
            _tick(mortal, workflows, now, counts)
        if not dice.randrange(4):
            _end_threads(path)
        highest = max(highest, now)
        now = _next(path, now, dice)
    mortal.dies = 0
    _tick(mortal, workflows, highest + MINUTE, counts)
    writer.close()
    _judge(path, workflows, begin, highest + MINUTE, counts)
    return counts


def _workflows(dice: random.Random) -> dict[str, Scheduled]:
    return scheduled(
        Definition(
            name=name,
            source=FILE,
            target="x:y",
            schedule=Schedule(
                cron=cron,
                timezone=zone,
                missed=missed,
                overlap=overlap,
                catchup=dice.choice((1800.0, 3600.0, 86400.0)),
                jitter=dice.choice((0.0, 120.0)),
            ),
        )
        for name, cron, zone, missed, overlap in SCHEDULES
    )


class _Mortal(Writer):
    """A store's writer whose tick may die at any transaction, before or after its commit."""

    dies = 12  # one in so many transactions

    def __init__(self, writer: Writer, dice: random.Random) -> None:
        self.__dict__ = writer.__dict__
        self._dice = dice

    def together(self, operation: Callable[[Any], Any]) -> Any:
        deed = self._dice.randrange(self.dies * 2) if self.dies else -1

        def run(cursor: Any) -> Any:
            value = operation(cursor)
            if deed == 0:
                raise Died
            return value

        value = super().together(run)
        if deed == 1:
            raise Died
        return value


def _tick(writer: Writer, workflows: dict[str, Scheduled], now: int, counts: Counter[str]) -> None:
    counts["ticks"] += 1
    with Agenda(writer.path, known_before=True) as agenda:
        queued = agenda.has_queued(FILE)
        if agenda.schedules_due(FILE, STAMP, now) == () and not queued:
            return
    if queued:
        start_queued(writer, workflows, file=FILE, now=now)
    book(writer, workflows, file=FILE, stamp=STAMP, now=now)


def _next(path: Path, now: int, dice: random.Random) -> int:
    """When the next tick comes: soon after something is due, since those before it find nothing
    to do; or after a time without ticks, or on a clock that was changed."""
    deed = dice.randrange(400)
    if deed == 0:
        return now + dice.randint(1, 80) * HOUR
    if deed == 1:
        return now - dice.randint(1, 5) * HOUR
    if deed < 20:
        return now + dice.randint(2, 200) * MINUTE
    connection = sqlite.connect(path)
    (due,) = connection.execute("SELECT min(due_at) FROM schedules").fetchone()
    connection.close()
    ahead = max(1, -(-((due or now) - now) // MINUTE))
    return now + (ahead if dice.randrange(10) else 1) * MINUTE


def _end_threads(path: Path) -> None:
    with sqlite.connect(path) as connection:
        connection.execute("UPDATE threads SET status = 'completed' WHERE status <> 'completed'")
    connection.close()


def _judge(
    path: Path, workflows: dict[str, Scheduled], begin: int, end: int, counts: Counter[str]
) -> None:
    connection = sqlite.connect(path)
    for name, each in workflows.items():
        wanted = set()
        for slot in each.timetable.after(begin - begin % MINUTE - 1):
            if each.timetable.due_at(slot) > end:
                break
            wanted.add(slot)
        rows = connection.execute(
            "SELECT slot, until, slots, outcome, thread FROM slots WHERE workflow = ?", (name,)
        ).fetchall()
        found = Counter[int]()
        ordered = sorted(wanted)
        single = {slot for slot, until, *_ in rows if until is None}
        for slot, until, number, outcome, thread in rows:
            counts[outcome] += number
            within = {slot}
            if until is not None:
                within = set(ordered[bisect_left(ordered, slot) : bisect_right(ordered, until)])
                within -= single
            assert number == len(within), (name, slot, until, number, len(within))
            found.update(within)
            assert (outcome == "started") == (thread is not None), (name, slot)
        assert wanted == set(found), (name, sorted(wanted ^ set(found))[:5])
        assert [] == [slot for slot, times in found.items() if times != 1], name
    threads = connection.execute("SELECT count(*) FROM threads").fetchone()[0]
    assert counts["started"] == threads
    connection.close()


def main(argv: list[str]) -> int:
    """Let a year pass from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults ticks", description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(argv)
    # Ticks die here with this process, not with the machine: nothing rests on what a sync costs.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        counts = simulate(Path(folder), first=date(2026, 1, 1), days=given.days, seed=given.seed)
    told = ", ".join(f"{count:,} {what}" for what, count in counts.items())
    print(f"{told}; each slot accounted for once")  # noqa: T201 - it is a command
    return 0
