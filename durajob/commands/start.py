"""Admit a thread and drive it to its end; or find that it exists and do what policy says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from durajob import clock
from durajob.commands import running
from durajob.commands.ids import check_thread_id
from durajob.commands.inputs import read_input
from durajob.commands.running import Options
from durajob.config.settings import Settings
from durajob.errors import InputDiffers, NoStore, ThreadExists, UsageError
from durajob.model import ThreadResult
from durajob.record import Record
from durajob.store.read import Reader

if TYPE_CHECKING:
    from durajob.engine.graph import Shape
    from durajob.events import Observer
    from durajob.registry import Definition
    from durajob.store.write import Writer

EXISTS_CHOICES = ("fail", "resume", "skip")


def start(
    workflow: str,
    *,
    settings: Settings,
    thread: str | None,
    input_pairs: Sequence[str],
    input_file: str | None,
    on_exists: str | None,
    on_busy: str | None,
    timeout: str | None,
    slot: str | None,
    detach: bool,
    observer: Observer,
) -> ThreadResult:
    """Start ``workflow`` as a new thread, or resume the thread that it is.

    Raises:
        ThreadExists: when the thread exists and ``on_exists`` is ``fail``.
        InputDiffers: when input was given, and it was started with other input.
        DurajobError: see the modules that are called.
    """
    from durajob.registry import Registry

    running.check_choice("--on-exists", on_exists, EXISTS_CHOICES)
    running.check_choice("--on-busy", on_busy, running.BUSY_CHOICES)
    seconds = running.check_timeout(timeout)
    if thread is not None:
        check_thread_id(thread)
    definition = Registry(settings.file).get(workflow)
    when = _slot(slot, definition)
    given = read_input(definition.input, input_file, input_pairs)
    name, templated = _thread_id(definition, thread, when, given)
    request = _Request(
        name=name,
        definition=definition,
        input=given,
        input_was_said=input_file is not None or bool(input_pairs),
        slot=when,
        on_exists=on_exists or ("resume" if templated else "fail"),
        detach=detach,
        settings=settings,
        options=Options(on_busy=on_busy or definition.on_busy, timeout=seconds),
        observer=observer,
    )
    row = _find(request)
    return _new(request) if row is None else _existing(request, row)


class _Request(Record):
    """What was asked for, understood and checked."""

    name: str
    definition: Definition
    input: Mapping[str, Any]
    input_was_said: bool  # by whoever calls, beyond what workflows.toml says
    slot: datetime | None
    on_exists: str
    detach: bool
    settings: Settings
    options: Options
    observer: Observer


def _new(request: _Request) -> ThreadResult:
    from durajob.engine.graph import describe
    from durajob.engine.signals import Drain, watch
    from durajob.targets import load

    # Users' code may take long to import. Until the thread exists, a signal just ends it all.
    loaded = load(request.definition)
    prepared = loaded, describe(loaded.builder, loaded.policies)
    drain = Drain()
    with watch(drain):
        writer = _admit(request, prepared[1])
        if writer is None:
            row = _find(request)
            assert row is not None, "another process has just taken the thread id"
            return _existing(request, row)
        if request.detach:
            writer.close()
            return _detached(request)
        return running.run(
            request.name,
            request.definition,
            settings=request.settings,
            options=request.options,
            observer=request.observer,
            drain=drain,
            prepared=prepared,
            writer=writer,
        )


def _admit(request: _Request, shape: Shape) -> Writer | None:
    """Make the thread durable; None when another process was first.

    The store stays open for whoever drives the thread: when a connection is closed, SQLite moves
    its log's pages, and says nothing if that fails. So it is closed when all is written.
    """
    from durajob.engine.admit import thread_row
    from durajob.store.write import Writer

    row = thread_row(
        request.name,
        definition=request.definition,
        shape=shape,
        input=request.input,
        file=running.definition_file(request.definition, request.settings),
        slot=None if request.slot is None else request.slot.isoformat(timespec="minutes"),
    )
    writer = Writer(request.settings.store.path, create=True)
    admitted = False
    try:
        admitted = writer.admit(row) if request.slot is None else _admit_slot(request, writer, row)
    finally:
        if not admitted:
            writer.close()
    return writer if admitted else None


def _admit_slot(request: _Request, writer: Writer, row: Mapping[str, Any]) -> bool:
    """A slot that is named by hand enters the ledger as one that a tick comes to."""
    from durajob.schedule.booking import admit_by_hand, scheduled

    assert request.slot is not None
    definition = request.definition
    return admit_by_hand(
        writer,
        row,
        scheduled([definition]).get(definition.name),
        when=request.slot,
        file=running.definition_file(definition, request.settings),
    )


def _detached(request: _Request) -> ThreadResult:
    from durajob.commands.detach import drive_detached

    return drive_detached(request.name, request.options, request.settings)


def _existing(request: _Request, row: Mapping[str, Any]) -> ThreadResult:
    name, settings = request.name, request.settings
    ended = running.has_ended(row)
    if request.on_exists == "fail":
        way_on = "durajob status" if ended else "durajob resume"
        raise ThreadExists(
            f"thread {name} exists already ({row['status']})",
            hint=f"{way_on} {name}; or start it under another id with -t",
        )
    if row["workflow"] != request.definition.name:
        raise ThreadExists(
            f"thread {name} belongs to workflow {row['workflow']}, not {request.definition.name}",
            hint="start it under another id with -t, or change the workflow's thread template",
        )
    # A cron line that says nothing of input means the thread as it was started.
    if request.input_was_said and json.loads(row["input"]) != json.loads(json.dumps(request.input)):
        raise InputDiffers(
            f"thread {name} was started with other input",
            hint=f"durajob status {name} --json shows it; resume without input, or use another id",
        )
    if ended:
        return running.shown(name, settings, notes=("nothing to do",))
    if request.on_exists == "skip":
        found = running.shown(name, settings)
        return ThreadResult(thread=found.thread, notes=(f"thread {name} exists; left alone",))
    if request.detach:
        return _detached(request)
    from durajob.engine.signals import Drain, watch

    drain = Drain()
    with watch(drain):
        return running.run_existing(
            row,
            settings=settings,
            options=request.options,
            observer=request.observer,
            drain=drain,
        )


def _find(request: _Request) -> Mapping[str, Any] | None:
    try:
        with Reader(request.settings.store.path) as reader:
            return reader.row(request.name)
    except NoStore:
        return None


def _thread_id(
    definition: Definition,
    thread: str | None,
    slot: datetime | None,
    given: Mapping[str, Any],
) -> tuple[str, bool]:
    """The thread id, and whether the workflow's template gave it."""
    if thread is not None:
        return thread, False
    if definition.thread is not None or (slot is not None and definition.schedule is not None):
        from durajob.config.template import DEFAULT_TEMPLATE, render_thread_id

        when = slot or _in_zone(_this_minute(), definition)
        template = definition.thread or DEFAULT_TEMPLATE
        text = render_thread_id(template, workflow=definition.name, slot=when, input=given)
        return text, True
    import secrets

    now = clock.to_datetime(clock.now()).astimezone()
    random = "".join(secrets.choice("abcdefghijkmnpqrstuvwxyz23456789") for _ in range(4))
    return f"{definition.name[:100]}-{now:%Y%m%dT%H%M%S}-{random}", False


def _slot(text: str | None, definition: Definition) -> datetime | None:
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"--slot {text[:60]!r} is not a time", hint="write it like 2026-11-22T06:00+01:00"
        ) from error
    return _in_zone(when, definition)


def _this_minute() -> datetime:
    return clock.to_datetime(clock.now()).astimezone().replace(second=0, microsecond=0)


def _in_zone(when: datetime, definition: Definition) -> datetime:
    """The time as the clocks of the workflow's schedule show it, so that one slot has one thread
    wherever it is named; without a schedule, as it was given, or in local time."""
    if definition.schedule is None:
        return when if when.tzinfo is not None else when.astimezone()
    from zoneinfo import ZoneInfo

    zone = ZoneInfo(definition.schedule.timezone)
    return when.astimezone(zone) if when.tzinfo is not None else when.replace(tzinfo=zone)
