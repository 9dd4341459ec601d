"""A year of minute ticks over ten schedules: ticks that die, hours without any, clocks that jump.

The time is made up and the ledger is real. Most ticks are what ``durajob tick`` does with it, in
this process, and die before or after the commit of a transaction. Some are processes of their
own, one or several at once, killed at any system call that changes something. The judge asks the
calendar which slots there were, and the ledger what became of each.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from durajob.schedule.booking import Scheduled, book, start_queued
from durajob.schedule.workflows import Workflows
from durajob.store.agenda import Agenda
from durajob.store.driver import sqlite
from durajob.store.files import lock_path
from durajob.store.locks import LockFile
from durajob.store.write import Writer
from tests.faults.crowd_ticks import Crowd

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


def simulate(
    folder: Path, *, first: date, days: int, seed: int, processes: float = 0
) -> Counter[str]:
    """Let ``days`` pass; what became of how many slots.

    ``processes``: the share of times at which ticks are processes of their own.

    Raises:
        AssertionError: when a slot is in the ledger twice, or not at all.
    """
    dice = random.Random(seed)
    file = _write(folder / "workflows.toml", dice)
    path = folder / "d.db"
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    begin = now = int(midnight.timestamp()) * 1_000_000 + 5_000_000
    end, highest = begin + days * DAY, begin
    counts: Counter[str] = Counter()
    writer = Writer(path, create=True)
    # What is admitted is not driven: its thread ends when the dice say so.
    locks = LockFile(lock_path(path), create=True)
    assert locks.try_conductor()
    mortal = _Mortal(writer, dice, counts)
    _tick(writer, file, now, counts)  # from here on the schedules are followed
    crowd = Crowd(folder, path) if processes else None
    try:
        while now < end:
            if crowd is not None and dice.random() < processes:
                counts.update(crowd.tick(now, dice))
            else:
                with suppress(Died):
                    _tick(mortal, file, now, counts)
            if not dice.randrange(4):
                _end_threads(path)
            if not dice.randrange(40):
                os.utime(file)  # it has to be read anew as a whole
            highest = max(highest, now)
            now = _next(path, now, dice)
    finally:
        if crowd is not None:
            crowd.close()
    mortal.dies = 0
    _tick(mortal, file, highest + MINUTE, counts)
    writer.close()
    locks.close()
    _judge(path, Workflows(file).scheduled, begin, highest + MINUTE, counts)
    return counts


def _write(path: Path, dice: random.Random) -> Path:
    text = ""
    for name, cron, zone, missed, overlap in SCHEDULES:
        text += f'[workflows.{name}]\ngraph = "x:y"\n[workflows.{name}.schedule]\n'
        text += f'cron = "{cron}"\ntimezone = "{zone}"\nmissed = "{missed}"\n'
        text += f'overlap = "{overlap}"\ncatchup = "{dice.choice(("30m", "1h", "1d"))}"\n'
        text += dice.choice(("", 'jitter = "2m"\n'))
    path.write_text(text)
    return path


class _Mortal(Writer):
    """A store's writer whose tick may die at any transaction, before or after its commit."""

    dies = 12  # one in so many transactions

    def __init__(self, writer: Writer, dice: random.Random, counts: Counter[str]) -> None:
        self.__dict__ = writer.__dict__
        self._dice = dice
        self._counts = counts

    def together(self, operation: Callable[[Any], Any]) -> Any:
        deed = self._dice.randrange(self.dies * 2) if self.dies else -1

        def run(cursor: Any) -> Any:
            value = operation(cursor)
            if deed == 0:
                self._counts["died"] += 1
                raise Died
            return value

        value = super().together(run)
        if deed == 1:
            self._counts["died"] += 1
            raise Died
        return value


def _tick(writer: Writer, path: Path, now: int, counts: Counter[str]) -> None:
    counts["ticks"] += 1
    workflows, file = _read(path, path.stat().st_mtime_ns), str(path)
    with Agenda(writer.path, known_before=True) as agenda:
        queued = agenda.has_queued(file)
        if agenda.schedules_due(file, workflows.stamp, now) == () and not queued:
            return
    if queued:
        start_queued(writer, workflows.scheduled, file=file, now=now)
    book(writer, workflows.scheduled, file=file, stamp=workflows.stamp, now=now)


@lru_cache(maxsize=1)
def _read(path: Path, changed: int) -> Workflows:
    """The file as it is since a time; reading it anew each time would be most of a year."""
    return Workflows(path)


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
    path: Path, workflows: Mapping[str, Scheduled], begin: int, end: int, counts: Counter[str]
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
    parser.add_argument("--first", type=date.fromisoformat, default=date(2026, 1, 1))
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=float, default=0.1, help="the share of times")
    given = parser.parse_args(argv)
    # Ticks die here with this process, not with the machine: nothing rests on what a sync costs.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        counts = simulate(
            Path(folder),
            first=given.first,
            days=given.days,
            seed=given.seed,
            processes=given.processes,
        )
    told = ", ".join(f"{count:,} {what}" for what, count in counts.items())
    print(f"{told}; each slot accounted for once")  # noqa: T201 - it is a command
    return 0
