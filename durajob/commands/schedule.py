"""Slots as people look at them: what became of them, which are to come, past ones run after all."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice, takewhile

from durajob import clock
from durajob.commands.ids import whole_number
from durajob.config.settings import Settings, store_in
from durajob.durations import counted
from durajob.errors import ConfigError, NoStore, UsageError, WorkflowNotFound
from durajob.model import Result
from durajob.record import Record
from durajob.schedule.booking import Scheduled, queue, thread_of
from durajob.schedule.workflows import Workflows
from durajob.slots import Coming, ComingSlots, Installation, SlotList
from durajob.store.agenda import Agenda

MOST = 10_000
"""Slots that one backfill may run."""


class Choice(Record):
    """What was asked for, as it was typed."""

    action: str | None
    of: str | None
    workflow: str | None
    limit: str
    first: str | None
    last: str | None
    yes: bool
    cron: bool
    systemd: bool


def schedule(choice: Choice, *, settings: Settings) -> Result:
    """Show the ledger of slots, or do what ``choice`` says.

    Raises:
        UsageError: when it makes no sense.
        WorkflowNotFound: when a workflow is named that has no schedule.
        ConfigError: when the workflows.toml is not right.
    """
    if choice.action == "backfill":
        return _backfill(choice, settings)
    if choice.of is not None:
        raise UsageError(
            f"durajob schedule {choice.action} takes no {choice.of[:40]!r}",
            hint="choose a workflow with --workflow",
        )
    if choice.action is None:
        return _ledger(choice, settings)
    if choice.action == "next":
        return _coming(choice, settings)
    if choice.action == "install":
        return _installation(choice, settings)
    raise UsageError(
        f"durajob schedule cannot {choice.action[:40]!r}",
        hint="it takes next, backfill and install, and alone it shows what became of slots",
    )


def _ledger(choice: Choice, settings: Settings) -> SlotList:
    most, url = _most(choice.limit), settings.store.url
    try:
        with Agenda(settings.store.path) as agenda:
            found = list(agenda.slots(workflow=choice.workflow, limit=most + 1))
    except NoStore:
        return SlotList(slots=(), store=url)
    return SlotList(slots=tuple(found[:most]), store=url, more=len(found) > most)


def _coming(choice: Choice, settings: Settings) -> ComingSlots:
    now, most = clock.now(), _most(choice.limit)
    chosen = _scheduled(settings, choice.workflow)
    coming = [
        _coming_slot(each, slot)
        for each in chosen
        for slot in islice(each.timetable.after(now), most)
    ]
    coming.sort(key=lambda each: (each.due_at, each.workflow))
    return ComingSlots(slots=tuple(coming[:most]))


def _backfill(choice: Choice, settings: Settings) -> ComingSlots:
    if choice.of is None or choice.first is None or choice.last is None:
        raise UsageError(
            "a backfill needs a workflow, --from and --to",
            hint="durajob schedule backfill nightly --from 2026-11-01 --to 2026-11-22",
        )
    (each,) = _scheduled(settings, choice.of)
    first = _time("--from", choice.first, each, late=False)
    last = min(_time("--to", choice.last, each, late=True), clock.now())
    within = [*islice(_until(each, first, last), MOST + 1)]
    if len(within) > MOST:
        raise UsageError(
            f"more than {MOST:,} slots of {each.name} lie between --from and --to",
            hint="backfill a shorter time",
        )
    known, until = _known(settings, each, within)
    gone = sum(slot <= until and slot not in known for slot in within)
    left = [
        slot
        for slot in within
        if (slot in known or slot > until) and known.get(slot) not in ("started", "queued")
    ]
    plan = tuple(_coming_slot(each, slot, known.get(slot)) for slot in left)
    if not choice.yes:
        again = f"durajob schedule backfill {each.name} --from {choice.first} --to {choice.last}"
        told = f"{counted(len(plan), 'slot')} would be run, one after the other"
        return ComingSlots(
            slots=plan,
            notes=(told, *_of_forgotten(gone, each)),
            next_command=f"{again} --yes" if plan else None,
        )
    return _queued(plan, left, each, settings)


def _queued(
    plan: Sequence[Coming], slots: Sequence[int], each: Scheduled, settings: Settings
) -> ComingSlots:
    from durajob.commands.conductor import begin_conductor, has_conductor
    from durajob.store.write import Writer

    file = str(settings.file)
    writer = Writer(settings.store.path, create=True)
    try:
        queued = queue(writer, each, slots, file=file, now=clock.now())
    finally:
        writer.close()
    if queued and not has_conductor(settings):
        begin_conductor(settings)
    return ComingSlots(
        slots=tuple(plan),
        recorded=len(queued),
        notes=(f"{counted(len(queued), 'slot')} queued, to be run one after the other",),
        next_command=f"durajob schedule --workflow {each.name}",
    )


def _installation(choice: Choice, settings: Settings) -> Installation:
    if choice.cron == choice.systemd:
        raise UsageError(
            "durajob schedule install must be told what to print",
            hint="durajob schedule install --cron, or --systemd",
        )
    command = [_program()]
    command += [] if settings.file is None else ["--file", str(settings.file)]
    if settings.file is None or store_in(settings.file).url != settings.store.url:
        command += ["--store", settings.store.url]
    if choice.systemd:
        from durajob.commands.units import enabling, units

        note = f"put each part into its file, then: {enabling(settings)}"
        return Installation(text=units(command, settings), notes=(note,))
    # To cron a percent sign ends the command, unless a backslash stands before it.
    line = shlex.join([*command, "tick", "--quiet"]).replace("%", r"\%")
    return Installation(
        text=f"# Each minute what is due is begun; cron mails what went wrong.\n* * * * * {line}\n",
        notes=("add these lines with: crontab -e",),
    )


def _program() -> str:
    beside = os.path.join(os.path.dirname(sys.executable), "durajob")
    return beside if os.access(beside, os.X_OK) else os.path.abspath(sys.argv[0])


def _scheduled(settings: Settings, workflow: str | None) -> list[Scheduled]:
    workflows = Workflows(settings.file)
    for problem in workflows.problems.values():
        raise problem
    if workflow is None:
        if not workflows.scheduled:
            raise ConfigError(
                "no workflow has a schedule", hint='[workflows.NAME.schedule], then cron = "…"'
            )
        return list(workflows.scheduled.values())
    if workflow not in workflows.scheduled:
        names = ", ".join(workflows.scheduled) or "none has"
        raise WorkflowNotFound(
            f"no workflow {workflow[:200]!r} with a schedule", hint=f"with a schedule: {names}"
        )
    return [workflows.scheduled[workflow]]


def _coming_slot(each: Scheduled, slot: int, outcome: str | None = None) -> Coming:
    table = each.timetable
    return Coming(
        workflow=each.name,
        slot=table.shown(slot),
        due_at=table.due_at(slot),
        thread=thread_of(each.definition, table.local(slot)),
        outcome=outcome,
    )


def _until(each: Scheduled, first: int, last: int) -> Iterator[int]:
    return takewhile(lambda slot: slot <= last, each.timetable.after(first - 1))


def _known(settings: Settings, each: Scheduled, slots: Sequence[int]) -> tuple[dict[int, str], int]:
    """What the ledger has of the slots, and up to where it may have had others."""
    if not slots:
        return {}, -1
    try:
        with Agenda(settings.store.path) as agenda:
            outcomes = agenda.outcomes(each.name, slots[0], slots[-1])
            return outcomes, agenda.forgotten_until(each.name)
    except NoStore:
        return {}, -1


def _of_forgotten(number: int, each: Scheduled) -> tuple[str, ...]:
    if not number:
        return ()
    one = f"durajob start {each.name} --slot TIME"
    text = f"{counted(number, 'slot')} may have run, and went from the ledger with retention"
    return (f"{text}: one by one with {one}",)


def _time(option: str, text: str, each: Scheduled, *, late: bool) -> int:
    """A time that was typed; a day alone is its beginning, or its end if ``late``."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{option} {text[:60]!r} is not a time", hint="write it like 2026-11-22T06:00+01:00"
        ) from error
    if late and len(text) <= len("2026-11-22"):
        when = datetime.combine(when.date(), datetime.max.time())
    if when.tzinfo is None:
        when = when.replace(tzinfo=each.timetable.zone)
    return (when - clock.to_datetime(0)) // timedelta(microseconds=1)


def _most(limit: str) -> int:
    hint = "write a whole number"
    return whole_number("-n", limit, what="number of slots", most=1_000_000, hint=hint)
