"""What becomes of slots that are due: missed, caught up, overlapping."""

from __future__ import annotations

import pytest

from durajob.policies import Schedule
from durajob.schedule.policy import decide, overlap
from durajob.schedule.times import SECOND, Timetable
from durajob.store.desk import Active

HOUR = 3600 * SECOND
NONE, LATER, OLD = (
    "missed = none",
    "a later slot is due, too (missed = latest)",
    "later than catchup (3h00m)",
)


def decided(missed: str, *, due: int, late: int, handled: int = 0) -> list[str | None]:
    """Hourly slots, of which ``due`` are due, the last by ``late`` seconds: why each was missed."""
    slots = [number * HOUR for number in range(1, due + 1)]
    schedule = Schedule(cron="0 * * * *", timezone="UTC", catchup=3 * 3600.0, missed=missed)
    decisions = decide(
        schedule,
        slots,
        now=slots[-1] + late * SECOND,
        due_at=lambda slot: slot,
        handled=lambda slot: slot <= handled * HOUR,
    )
    return [decision.missed for decision in decisions]


@pytest.mark.parametrize(
    ("missed", "due", "late", "expected"),
    [
        ("none", 1, 300, [None]),
        ("none", 1, 301, [NONE]),
        ("none", 3, 0, [NONE, NONE, None]),
        ("latest", 3, 1800, [LATER, LATER, None]),
        ("all", 3, 1800, [None, None, None]),
        ("all", 5, 1800, [OLD, OLD, None, None, None]),
        ("latest", 1, 10801, [OLD]),
    ],
)
def test_what_is_run_of_slots_that_were_missed(
    missed: str, due: int, late: int, expected: list[str | None]
) -> None:
    """Five minutes are no delay; beyond that catchup bounds, and missed chooses."""
    assert expected == decided(missed, due=due, late=late)


def test_what_is_in_the_ledger_is_not_decided_again() -> None:
    """A clock that was set back brings slots a second time."""
    assert [None] == decided("all", due=3, late=0, handled=2)
    assert [] == decided("all", due=3, late=0, handled=3)


def test_many_that_were_missed_are_one_row() -> None:
    """A year of minutes must not fill the ledger."""
    slots = [number * 60 * SECOND for number in range(1, 10_001)]
    schedule = Schedule(cron="* * * * *", timezone="UTC", catchup=60.0)
    decisions = decide(
        schedule, slots, now=slots[-1], due_at=lambda slot: slot, handled=lambda slot: False
    )
    assert [(slots[0], 9_994, slots[9_993])] == [(d.slot, d.slots, d.until) for d in decisions[:1]]
    assert 10_000 == sum(decision.slots for decision in decisions)


@pytest.mark.parametrize(
    ("said", "active", "queued", "together", "expected"),
    [
        ("skip", None, False, False, "started"),
        ("skip", Active("t", "running", False), False, False, "skipped"),
        ("skip", Active("t", "running", True), False, False, "queued"),
        ("skip", None, True, False, "skipped"),
        ("skip", Active("t", "running", False), False, True, "queued"),
        ("queue", None, False, False, "started"),
        ("queue", Active("t", "running", False), False, False, "queued"),
        ("queue", None, True, False, "queued"),
    ],
)
def test_overlap(
    said: str, active: Active | None, queued: bool, together: bool, expected: str
) -> None:
    """A slot never runs beside another of its workflow; it is skipped, or has its turn."""
    schedule = Schedule(cron="0 * * * *", timezone="UTC", overlap=said)
    assert expected == overlap(schedule, active=active, queued=queued, together=together).outcome


def test_jitter_is_the_same_whoever_asks() -> None:
    """It depends on the workflow and the slot, spreads over its range, and moves no slot."""
    schedule = Schedule(cron="0 * * * *", timezone="UTC", jitter=600.0)
    first, second = Timetable("a", schedule), Timetable("b", schedule)
    slots = [number * HOUR for number in range(1, 200)]
    delays = [first.due_at(slot) - slot for slot in slots]
    assert delays == [Timetable("a", schedule).due_at(slot) - slot for slot in slots]
    assert delays != [second.due_at(slot) - slot for slot in slots]
    assert 0 <= min(delays) < 60 * SECOND
    assert 540 * SECOND < max(delays) <= 600 * SECOND
