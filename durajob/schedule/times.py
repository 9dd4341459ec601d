"""The slots of a schedule: when they are, and when each is due."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from zlib import crc32
from zoneinfo import ZoneInfo

from durajob.clock import to_datetime
from durajob.cron import parse_cron, times
from durajob.policies import Schedule

SECOND = 1_000_000


class Timetable:
    """The slots of one workflow, in microseconds since the epoch."""

    def __init__(self, workflow: str, schedule: Schedule) -> None:
        self.schedule = schedule
        self.zone = ZoneInfo(schedule.timezone)
        self._workflow = workflow
        self._cron = parse_cron(schedule.cron)

    @cached_property
    def key(self) -> str:
        """What the slots follow from: a schedule with another key is another one."""
        said = self.schedule
        return json.dumps([said.cron, said.timezone, said.start, said.end])

    def after(self, time: int) -> Iterator[int]:
        """The slots later than ``time``, in order."""
        start, end = self.schedule.start, self.schedule.end
        if start is not None:
            time = max(time, start - 1)
        for seconds in times(self._cron, self.zone, after=time // SECOND):
            slot = seconds * SECOND
            if end is not None and slot > end:
                return
            yield slot

    def due_at(self, slot: int) -> int:
        """When a slot is due: the jitter of a slot is always the same."""
        if not self.schedule.jitter:
            return slot
        share = crc32(f"{self._workflow}\0{slot}".encode()) / 2**32
        return slot + round(share * self.schedule.jitter) * SECOND

    def local(self, slot: int) -> datetime:
        """The slot as its time zone's clocks show it."""
        return to_datetime(slot).astimezone(self.zone)

    def shown(self, slot: int) -> str:
        """The slot as it is written: ``2026-11-22T06:00+01:00``."""
        return self.local(slot).isoformat(timespec="minutes")


def timetable_of(workflow: str, key: str) -> Timetable:
    """The slots of a schedule that was kept by its key."""
    cron, timezone, start, end = json.loads(key)
    schedule = Schedule(cron=cron, timezone=timezone, start=start, end=end)
    return Timetable(workflow, schedule)
