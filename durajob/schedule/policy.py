"""What becomes of slots: which of those that are due are run, and what overlap does. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from durajob.durations import format_duration
from durajob.policies import GRACE, Schedule
from durajob.schedule.times import SECOND
from durajob.store.desk import Active

CHANGED = "the schedule was changed before a tick came to it"
REMOVED = "the schedule was removed before a tick came to it"
_MANY = 100
"""Slots that were missed for one reason and are not kept one by one any more."""


class Decision(NamedTuple):
    """What becomes of a slot, or of several in a row that were missed."""

    slot: int
    missed: str | None  # why it is not run; None where it is
    slots: int = 1
    until: int | None = None


class Overlap(NamedTuple):
    """What becomes of a slot that is to be run."""

    outcome: str  # started, queued, skipped
    reason: str | None = None


def decide(
    schedule: Schedule,
    due: Sequence[int],
    *,
    now: int,
    due_at: Callable[[int], int],
    handled: Callable[[int], bool],
) -> list[Decision]:
    """What becomes of the slots that are ``due`` and not ``handled`` yet, in order."""
    last = due[-1] if due else 0
    decisions = [
        Decision(slot, _why_missed(schedule, now - due_at(slot), slot == last))
        for slot in due
        if not handled(slot)
    ]
    return list(_condensed(decisions))


def missed(slots: Sequence[int], why: str) -> list[Decision]:
    """Slots of a schedule that is no more."""
    return list(_condensed([Decision(slot, why) for slot in slots]))


def overlap(schedule: Schedule, *, active: Active | None, queued: bool, together: bool) -> Overlap:
    """Whether a slot is run now.

    ``active`` is a thread of another slot that goes on, ``queued`` says whether a slot waits
    already, ``together`` whether this one is due with others that are all to be run.
    """
    if active is None and not queued:
        return Overlap("started")
    # A backfill takes long: what is due meanwhile has its turn after the slot that runs.
    behind_backfill = active is not None and active.backfill and not queued
    if schedule.overlap == "queue" or together or behind_backfill:
        return Overlap("queued")
    if active is None:
        return Overlap("skipped", "a slot before it waits for its turn")
    return Overlap("skipped", f"thread {active.thread} of a slot before it is {active.status}")


def _why_missed(schedule: Schedule, age: int, is_last: bool) -> str | None:
    if is_last and age <= GRACE * SECOND:
        return None
    if age > max(schedule.catchup, GRACE) * SECOND:
        return f"later than catchup ({format_duration(schedule.catchup)})"
    if schedule.missed == "none":
        return "missed = none"
    if schedule.missed == "latest" and not is_last:
        return "a later slot is due, too (missed = latest)"
    return None


def _condensed(decisions: Sequence[Decision]) -> Iterator[Decision]:
    """Where hundreds in a row were missed for one reason, one decision for all of them."""
    start = 0
    while start < len(decisions):
        end = start + 1
        why = decisions[start].missed
        while end < len(decisions) and why is not None and decisions[end].missed == why:
            end += 1
        if end - start > _MANY:
            first, last = decisions[start], decisions[end - 1]
            yield Decision(first.slot, why, end - start, last.slot)
        else:
            yield from decisions[start:end]
        start = end
