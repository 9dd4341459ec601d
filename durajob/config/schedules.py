"""``[workflows.NAME.schedule]`` as a policy, and what makes no sense of it refused."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

from durajob.clock import to_datetime
from durajob.config.names import nearest
from durajob.config.specs import Defaults, WorkflowSpec
from durajob.config.template import DEFAULT_TEMPLATE, render_thread_id, template_fields
from durajob.config.toml import Document
from durajob.cron import RULE, parse_cron, times
from durajob.errors import ConfigError, DurajobError
from durajob.policies import Schedule

_Key = tuple[str, ...]
_LOOKED_AT = 50  # slots of a schedule, to see whether each has a thread of its own
_SAMPLE = 1_767_225_600  # the first second of 2026


def schedule_of(spec: WorkflowSpec, defaults: Defaults) -> Schedule | None:
    """The schedule of a workflow that was checked, over the defaults."""
    said = spec.schedule
    if said is None:
        return None
    timezone = said.timezone or defaults.timezone or local_timezone()
    zone = ZoneInfo(timezone)
    catchup = said.catchup or defaults.catchup
    return Schedule(
        cron=said.cron,
        timezone=timezone,
        start=None if said.start is None else _bound(said.start, zone),
        end=None if said.end is None else _bound(said.end, zone, whole_day=True),
        jitter=float(said.jitter or 0),
        missed=said.missed or defaults.missed,
        overlap=said.overlap or defaults.overlap,
        **({} if catchup is None else {"catchup": float(catchup)}),
    )


def local_timezone() -> str:
    """The name of the machine's own time zone, UTC where it has none."""
    named = os.environ.get("TZ", "").lstrip(":")
    linked = os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
    for name in (named, linked):
        with suppress(LookupError, ValueError, OSError):
            return ZoneInfo(name).key
    return "UTC"


def check_timezone(document: Document, key: _Key, name: str | None) -> None:
    """Refuse a time zone that this machine does not know."""
    if name is None:
        return
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:  # a folder of zones is an OSError
        from zoneinfo import available_timezones  # reads them all

        near = nearest(name, available_timezones())
        hint = f"did you mean {near!r}?" if near else "for example Europe/Oslo, or UTC"
        raise document.error(key, f"no time zone {name[:60]!r}", hint=hint) from error


def check_schedule(document: Document, name: str, spec: WorkflowSpec, defaults: Defaults) -> None:
    """Refuse a schedule that names no time, or that gives two slots one thread."""
    said, key = spec.schedule, ("workflows", name, "schedule")
    assert said is not None
    try:
        cron = parse_cron(said.cron)
    except ValueError as error:
        raise document.error((*key, "cron"), str(error), hint=RULE) from error
    check_timezone(document, (*key, "timezone"), said.timezone)
    for bound in ("start", "end"):
        value = getattr(said, bound)
        if value is not None and not isinstance(value, date):
            raise document.error(
                (*key, bound),
                "must be a date, or a date and time, without quotes",
                hint=f"for example {bound} = 2026-12-01T06:00:00+01:00",
            )
    schedule = schedule_of(spec, defaults)
    assert schedule is not None
    if schedule.start is not None and schedule.end is not None and schedule.end <= schedule.start:
        raise document.error((*key, "end"), "is not later than start", hint="mend one of them")
    zone = ZoneInfo(schedule.timezone)
    # Slots of the default template never have one thread: a thousand schedules are read sooner.
    looked_at = _LOOKED_AT if spec.thread is not None or schedule.jitter else 1
    slots = list(islice(times(cron, zone, after=_SAMPLE), looked_at))
    if not slots:
        raise document.error((*key, "cron"), f"{said.cron!r} never comes", hint=RULE)
    closest = min((b - a for a, b in pairwise(slots)), default=None)
    if closest is not None and schedule.jitter >= closest:
        raise document.error(
            (*key, "jitter"), "is as long as the time between two slots", hint="give less"
        )
    _check_threads(document, name, spec, [datetime.fromtimestamp(slot, zone) for slot in slots])


def check_templates(
    document: Document, workflows: Mapping[str, WorkflowSpec]
) -> dict[str, ConfigError]:
    """The workflows whose slots would have the threads of another one's."""
    problems: dict[str, ConfigError] = {}
    first: dict[str, str] = {}
    slot = datetime(2026, 11, 22, 16, 39, tzinfo=UTC)
    for name, spec in workflows.items():
        if spec.schedule is None or spec.thread is None:
            continue
        other = first.setdefault(_thread(name, spec, slot), name)
        if other != name:
            problems[name] = document.error(
                ("workflows", name, "thread"),
                f"gives the slots of workflow {name} the threads of workflow {other}",
                hint="begin it with {workflow}-",
            )
    return problems


def _check_threads(
    document: Document, name: str, spec: WorkflowSpec, slots: list[datetime]
) -> None:
    key = ("workflows", name, "thread")
    template = spec.thread or DEFAULT_TEMPLATE
    if "slot" not in template_fields(template):
        raise document.error(
            key,
            "has no {slot:…} in it, so that all slots of the schedule would have one thread",
            hint=f"for example {name}-{{slot:%Y-%m-%d}}",
        )
    seen: dict[str, datetime] = {}
    for slot in slots:
        try:
            thread = _thread(name, spec, slot)
        except DurajobError as error:
            raise document.error(key, error.message, hint=error.hint) from error
        before = seen.setdefault(thread, slot)
        if before is not slot:
            raise document.error(
                key,
                f"gives the slots {before:%Y-%m-%d %H:%M} and {slot:%Y-%m-%d %H:%M} one thread",
                hint=f"for example {name}-{{slot:%Y-%m-%dT%H%M}}",
            )


def _thread(name: str, spec: WorkflowSpec, slot: datetime) -> str:
    template = spec.thread or DEFAULT_TEMPLATE
    return render_thread_id(template, workflow=name, slot=slot, input=spec.input)


def _bound(value: Any, zone: ZoneInfo, *, whole_day: bool = False) -> int:
    """Microseconds of a date (its beginning, or its last instant), or of a date and time."""
    if isinstance(value, datetime):
        when = value if value.tzinfo is not None else value.replace(tzinfo=zone)
    else:
        day = value + timedelta(days=1) if whole_day else value
        when = datetime.combine(day, time(), tzinfo=zone)
    microseconds = (when - to_datetime(0)) // timedelta(microseconds=1)
    return microseconds - (whole_day and not isinstance(value, datetime))
