"""``[workflows.NAME.schedule]`` as a policy, and what makes no sense of it refused."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

from durajob.clock import to_datetime
from durajob.config.names import nearest
from durajob.config.specs import Defaults, WorkflowSpec
from durajob.config.threads import check_threads, tells_apart
from durajob.config.toml import Document
from durajob.cron import RULE, Cron, parse_cron, times
from durajob.policies import Schedule

_Key = tuple[str, ...]
_LOOKED_AT = 50  # slots of a schedule, where no rule says that each has a thread of its own
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
    is_clear = tells_apart(spec, cron) and (
        not schedule.jitter or schedule.jitter < least_gap(cron)
    )
    slots = list(islice(times(cron, zone, after=_SAMPLE), 1 if is_clear else _LOOKED_AT))
    if not slots:
        raise document.error((*key, "cron"), f"{said.cron!r} never comes", hint=RULE)
    closest = min((b - a for a, b in pairwise(slots)), default=None)
    if closest is not None and schedule.jitter >= closest:
        raise document.error(
            (*key, "jitter"), "is as long as the time between two slots", hint="give less"
        )
    check_threads(document, name, spec, [datetime.fromtimestamp(slot, zone) for slot in slots])


def least_gap(cron: Cron) -> int:
    """Seconds that any two slots are apart at least, on days when no clock is changed."""
    minutes, hours = cron.minutes, cron.hours
    apart = [(b - a) % 24 or 24 for a, b in zip(hours, (*hours[1:], hours[0]), strict=True)]
    gaps = [b - a for a, b in pairwise(minutes)]
    return 60 * min([*gaps, min(apart) * 60 + minutes[0] - minutes[-1]])


def _bound(value: Any, zone: ZoneInfo, *, whole_day: bool = False) -> int:
    """Microseconds of a date (its beginning, or its last instant), or of a date and time."""
    if isinstance(value, datetime):
        when = value if value.tzinfo is not None else value.replace(tzinfo=zone)
    else:
        day = value + timedelta(days=1) if whole_day else value
        when = datetime.combine(day, time(), tzinfo=zone)
    microseconds = (when - to_datetime(0)) // timedelta(microseconds=1)
    return microseconds - (whole_day and not isinstance(value, datetime))
