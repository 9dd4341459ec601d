"""Slots as they enter the ledger, each once, whoever comes to them and however often.

A tick writes a slot's row, admits its thread and moves the schedule's watermark in one
transaction. One that dies before it has committed has done nothing; one that comes after finds
the row. So ticks may overlap, be late, or never come.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, NamedTuple

from durajob import clock
from durajob.config.template import DEFAULT_TEMPLATE, render_thread_id
from durajob.engine import environment
from durajob.errors import DurajobError
from durajob.model import ThreadStatus
from durajob.registry import Definition
from durajob.schedule.policy import CHANGED, REMOVED, Decision, decide, missed, overlap
from durajob.schedule.times import Timetable, timetable_of
from durajob.slots import Slot
from durajob.store.desk import Desk, Kept, at_desk
from durajob.store.processes import user_name
from durajob.store.write import Writer

_MINUTE = 60_000_000
_NO_SHAPE = environment.dumps({"steps": []})
_TOGETHER = 100
"""Schedules that are looked at in one transaction: others must not wait long for theirs."""


class Scheduled(NamedTuple):
    """A workflow that has a schedule."""

    definition: Definition
    timetable: Timetable

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self.definition.name


def scheduled(definitions: Iterable[Definition]) -> dict[str, Scheduled]:
    """Those of the workflows that have a schedule, by name."""
    return {
        each.name: Scheduled(each, Timetable(each.name, each.schedule))
        for each in definitions
        if each.schedule is not None
    }


def thread_of(definition: Definition, slot: datetime) -> str:
    """The thread id of a slot, which is in the time zone of its schedule."""
    return render_thread_id(
        definition.thread or DEFAULT_TEMPLATE,
        workflow=definition.name,
        slot=slot,
        input=definition.input,
    )


def book(
    writer: Writer,
    workflows: Mapping[str, Scheduled],
    *,
    file: str,
    stamp: str | None,
    whole: bool = True,
    now: int,
) -> list[Slot]:
    """Enter every slot that is due, and those of schedules that were changed or removed.

    ``stamp`` is what the file was when ``workflows`` were read, None where something was wrong
    in it. Unless they are the ``whole`` of it, nothing is entered where another tick has
    meanwhile read another file.
    """
    booked: list[Slot] = []
    every = list(workflows.values())
    for start in range(0, len(every), _TOGETHER):
        part = every[start : start + _TOGETHER]
        look = partial(_book, part=part, file=file, stamp=stamp, whole=whole, now=now)
        booked += at_desk(writer, look, among=[each.name for each in part])
    if whole and stamp is not None:
        booked += at_desk(writer, partial(_forget, left=workflows, file=file, stamp=stamp, now=now))
    return booked


def start_queued(
    writer: Writer, workflows: Mapping[str, Scheduled], *, file: str, now: int
) -> list[Slot]:
    """Start the slots whose turn it is: one of each workflow that has no thread which goes on."""

    def start(desk: Desk) -> list[Slot]:
        started: list[Slot] = []
        for queued in desk.queued(file):
            entry = _Entry(desk, file, queued.workflow, queued.slot, queued.shown, queued.due_at)
            entry = entry._replace(now=now, by=queued.handled_by, asked_by=queued.asked_by)
            each = workflows.get(queued.workflow)
            if each is None:
                started.append(entry.write("skipped", "its workflow has no schedule any more"))
            elif desk.active(each.name, recover=each.definition.recover) is None:
                started.append(_start(entry, each))
        return started

    return at_desk(writer, start)


def queue(
    writer: Writer, each: Scheduled, slots: Sequence[int], *, file: str, now: int
) -> list[Slot]:
    """Queue slots of the past that were not run, to be run one after the other."""

    user = user_name()

    def enter(desk: Desk) -> list[Slot]:
        known = desk.outcomes(each.name, slots[0], slots[-1]) if slots else {}
        return [
            _entry(desk, each, slot, file, now, "backfill")._replace(asked_by=user).write("queued")
            for slot in slots
            if known.get(slot) not in ("queued", "started")
        ]

    return at_desk(writer, enter)


def admit_by_hand(
    writer: Writer,
    row: Mapping[str, Any],
    each: Scheduled | None,
    *,
    when: datetime,
    file: str | None,
) -> bool:
    """Admit the thread of a slot that a person has named; False when the thread id is taken."""
    slot = round(when.timestamp()) * 1_000_000

    def admit(desk: Desk) -> bool:
        if not desk.admit(row):
            return False
        due_at = slot if each is None else each.timetable.due_at(slot)
        entry = _Entry(desk, file, row["workflow"], slot, row["slot"], due_at)
        entry = entry._replace(now=clock.now(), by="hand")
        entry.write("started", thread=row["thread"])
        return True

    return at_desk(writer, admit)


class _Entry(NamedTuple):
    """A slot that is about to enter the ledger."""

    desk: Desk
    file: str | None
    workflow: str
    slot: int
    shown: str
    due_at: int
    now: int = 0
    by: str = "tick"
    asked_by: str | None = None  # of a backfill

    def write(
        self,
        outcome: str,
        reason: str | None = None,
        *,
        thread: str | None = None,
        slots: int = 1,
        until: int | None = None,
    ) -> Slot:
        self.desk.record(
            self.workflow,
            self.slot,
            file=self.file,
            shown=self.shown,
            due_at=self.due_at,
            outcome=outcome,
            reason=reason,
            thread=thread,
            handled_at=self.now,
            handled_by=self.by,
            asked_by=self.asked_by,
            slots=slots,
            until=until,
        )
        return Slot(
            workflow=self.workflow,
            slot=self.shown,
            due_at=self.due_at,
            outcome=outcome,
            reason=reason,
            thread=thread,
            status=ThreadStatus.PENDING if outcome == "started" else None,
            handled_at=self.now,
            handled_by=self.by,
            slots=slots,
            until=until,
        )


def _entry(desk: Desk, each: Scheduled, slot: int, file: str, now: int, by: str) -> _Entry:
    table = each.timetable
    return _Entry(
        desk, file, each.name, slot, table.shown(slot), table.due_at(slot), now=now, by=by
    )


def _book(
    desk: Desk, *, part: Sequence[Scheduled], file: str, stamp: str | None, whole: bool, now: int
) -> list[Slot]:
    kept = desk.kept(file)
    every = stamp is not None and desk.stamp(file) != stamp
    if every and not whole:
        return []
    booked: list[Slot] = []
    for each in part:
        before = kept.get(each.name)
        if before is not None and before.times == each.timetable.key:
            is_due = before.due_at is not None and before.due_at <= now
            if not every and not is_due and before.watermark <= now:
                continue
        booked += _book_one(desk, each, before, file, now)
    return booked


def _book_one(desk: Desk, each: Scheduled, before: Kept | None, file: str, now: int) -> list[Slot]:
    table, booked = each.timetable, list[Slot]()
    this_minute = now - now % _MINUTE - 1
    # A schedule is followed from the minute in which a tick first meets it, and so it is anew
    # where the clock was set back: what the ledger has is not run again.
    watermark = this_minute
    if before is not None and before.times != table.key:
        watermark = max(this_minute, min(before.watermark, now))
        booked += _drop(desk, before, file, until=watermark, now=now, why=CHANGED)
    elif before is not None and before.watermark <= now:
        watermark = before.watermark
    elif before is not None:
        desk.take_back(each.name, now, table.after)
    due: list[int] = []
    coming: int | None = None
    for slot in table.after(watermark):
        if table.due_at(slot) > now:
            coming = slot
            break
        due.append(slot)
    if due:
        handled = desk.handled(each.name, due[0], due[-1])
        decisions = decide(table.schedule, due, now=now, due_at=table.due_at, handled=handled)
        booked += _enter(desk, each, decisions, file, now)
        watermark = due[-1]
    due_at = None if coming is None else table.due_at(coming)
    kept = Kept(workflow=each.name, times=table.key, watermark=watermark, due_at=due_at)
    if kept != before:
        desk.keep(file, kept)
    return booked


def _enter(
    desk: Desk, each: Scheduled, decisions: Sequence[Decision], file: str, now: int
) -> list[Slot]:
    schedule = each.timetable.schedule
    runs = sum(decision.missed is None for decision in decisions)
    entered: list[Slot] = []
    for slot, why, slots, until in decisions:
        entry = _entry(desk, each, slot, file, now, "tick")
        if why is not None:
            entered.append(entry.write("missed", why, slots=slots, until=until))
            _announce_missed(entry, each.definition, why)
            continue
        after = overlap(
            schedule,
            active=desk.active(each.name, recover=each.definition.recover),
            queued=desk.is_queued(each.name),
            together=schedule.missed == "all" and runs > 1,
        )
        if after.outcome == "started":
            entered.append(_start(entry, each))
        else:
            entered.append(entry.write(after.outcome, after.reason))
    return entered


def _announce_missed(entry: _Entry, definition: Definition, why: str) -> None:
    if definition.notify is not None:
        entry.desk.announce_missed(
            definition.notify,
            definition.name,
            definition=_definition(definition, entry.file),
            slot=entry.shown,
            reason=why,
        )


def _definition(definition: Definition, file: str | None) -> str:
    """Where the workflow was defined, as the row of a thread has it."""
    return environment.dumps({"name": definition.name, "file": file})


def _start(entry: _Entry, each: Scheduled) -> Slot:
    """Admit the slot's thread. It is resumed by a process of its own, which loads the workflow;
    what that is like stands in the thread's row once it was."""
    definition, desk = each.definition, entry.desk
    try:
        thread = thread_of(definition, each.timetable.local(entry.slot))
    except DurajobError as error:
        return entry.write("skipped", error.message)
    row = {
        "thread": thread,
        "workflow": definition.name,
        "input": environment.dumps(dict(definition.input)),
        "next": "[]",
        "total": None,
        "slot": entry.shown,
        "definition": _definition(definition, entry.file),
        "shape": _NO_SHAPE,
        "fingerprint": "",
        "environment": _environment(entry.file, os.environ.get("PATH")),
    }
    if desk.admit(row):
        if entry.asked_by is not None:
            said = {"user": entry.asked_by, "verb": entry.by, "slot": entry.shown}
            desk.intervene(thread, now=entry.now, **said)
        return entry.write("started", thread=thread)
    found = desk.thread(thread)
    assert found is not None, "a thread id that is taken is a thread's"
    workflow, slot, status = found
    if workflow == definition.name and slot in (None, entry.shown):
        return entry.write("started", f"its thread was there, {status}", thread=thread)
    whose = f"workflow {workflow}" if slot is None else f"slot {slot} of workflow {workflow}"
    return entry.write("skipped", f"its thread {thread} is that of {whose}")


@lru_cache(maxsize=4)
def _environment(file: str | None, path: str | None) -> str:
    """What a slot's thread runs under: the folder is its workflows.toml's, wherever cron is."""
    described = {**environment.describe(file), "path": path}
    return environment.dumps(
        described if file is None else {**described, "cwd": os.path.dirname(file)}
    )


def _forget(desk: Desk, *, left: Collection[str], file: str, stamp: str, now: int) -> list[Slot]:
    """Let go of schedules that the file no longer has, and remember that this was done."""
    dropped: list[Slot] = []
    for name, kept in desk.kept(file).items():
        if name not in left:
            dropped += _drop(desk, kept, file, until=now, now=now, why=REMOVED)
            desk.forget(file, name)
    desk.set_stamp(file, stamp)
    return dropped


def _drop(desk: Desk, kept: Kept, file: str, *, until: int, now: int, why: str) -> list[Slot]:
    """Enter the slots of a schedule that is no more, which were due before it went."""
    table = timetable_of(kept.workflow, kept.times)
    slots: list[int] = []
    for slot in table.after(kept.watermark):
        if slot > until:
            break
        slots.append(slot)
    if not slots:
        return []
    handled = desk.handled(kept.workflow, slots[0], slots[-1])
    dropped = []
    for slot, reason, number, last in missed([each for each in slots if not handled(each)], why):
        entry = _Entry(desk, file, kept.workflow, slot, table.shown(slot), table.due_at(slot))
        entry = entry._replace(now=now)
        dropped.append(entry.write("missed", reason, slots=number, until=last))
    return dropped
