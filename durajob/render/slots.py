"""Slots as JSON and as pages: what ``tick`` and ``schedule`` show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from durajob import clock
from durajob.durations import format_duration
from durajob.model import Result, Thread
from durajob.recovery import Recovered
from durajob.render.pages import Block, Cell, Column, Grid, status_cell
from durajob.render.text import one_line
from durajob.slots import Alert, Coming, ComingSlots, Installation, Slot, SlotList, Ticked


def slot_data(
    result: Result,
    *,
    thread: Callable[[Thread], Any],
    outcome: Callable[[Recovered], Any],
) -> dict[str, Any]:
    """What stands under ``data`` of these commands' envelopes."""
    if isinstance(result, Ticked):
        waited = result.outcomes
        return {
            "slots": [_slot(each) for each in result.slots],
            "threads": [thread(each) for each in result.threads],
            "alerts": [_alert(each) for each in result.alerts],
            "outcomes": None if waited is None else [outcome(each) for each in waited],
            "store": result.store,
        }
    if isinstance(result, SlotList):
        slots = [_slot(each) for each in result.slots]
        return {"slots": slots, "store": result.store, "more": result.more}
    if isinstance(result, ComingSlots):
        coming = [_coming(each) for each in result.slots]
        return {"coming": coming, "queued": result.recorded}
    if isinstance(result, Installation):
        return {"text": result.text}
    return {}


def slot_pages(result: Result, now: int, terminal: bool) -> list[Block]:
    """The blocks that show these results."""
    if isinstance(result, (Ticked, SlotList)):
        return [_slot_grid(result.slots)] if result.slots else []
    if isinstance(result, ComingSlots):
        return [_coming_grid(result.slots)] if result.slots else []
    return []


def _slot(slot: Slot) -> dict[str, Any]:
    return {
        "workflow": slot.workflow,
        "slot": slot.slot,
        "due_at": clock.to_rfc3339(slot.due_at),
        "outcome": slot.outcome,
        "reason": slot.reason,
        "thread": slot.thread,
        "status": None if slot.status is None else slot.status.value,
        "handled_at": clock.to_rfc3339(slot.handled_at),
        "handled_by": slot.handled_by,
        "late_seconds": slot.late,
        "slots": slot.slots,
        "until": clock.to_rfc3339(slot.until),
    }


def _coming(slot: Coming) -> dict[str, Any]:
    return {
        "workflow": slot.workflow,
        "slot": slot.slot,
        "due_at": clock.to_rfc3339(slot.due_at),
        "thread": slot.thread,
        "outcome": slot.outcome,
    }


def _alert(alert: Alert) -> dict[str, Any]:
    return {**alert.error._asdict(), "log": alert.log, "tail": list(alert.tail)}


def _slot_grid(slots: Sequence[Slot]) -> Grid:
    columns = (
        *(Column("workflow", least=8), Column("slot"), Column("outcome"), Column("late", True)),
        *(Column("thread", least=12), Column("status"), Column("what", least=12)),
    )
    return Grid(columns=columns, rows=[_slot_row(slot) for slot in slots])


def _slot_row(slot: Slot) -> tuple[Cell, ...]:
    several = f"{slot.slots} slots; " if slot.slots > 1 else ""
    return (
        Cell(text=slot.workflow),
        Cell(text=slot.slot),
        Cell(text=slot.outcome),
        Cell(text=format_duration(slot.late) if slot.outcome == "started" else ""),
        Cell(text=slot.thread or ""),
        Cell(text="") if slot.status is None else status_cell(slot.status),
        Cell(text=several + one_line(slot.reason or _by(slot))),
    )


def _by(slot: Slot) -> str:
    return {"hand": "started by hand", "backfill": "backfilled"}.get(slot.handled_by, "")


def _coming_grid(slots: Sequence[Coming]) -> Grid:
    columns = [Column("workflow", least=8), Column("slot"), Column("thread", least=12)]
    rows = [
        [Cell(text=slot.workflow), Cell(text=slot.slot), Cell(text=slot.thread)] for slot in slots
    ]
    if any(slot.outcome for slot in slots):
        columns.append(Column("until now"))
        for row, slot in zip(rows, slots, strict=True):
            row.append(Cell(text=slot.outcome or ""))
    return Grid(columns=columns, rows=rows)
