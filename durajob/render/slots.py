"""Slots as JSON and as pages: what ``tick`` and ``schedule`` show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durajob import clock
from durajob.durations import format_duration
from durajob.render.objects import outcome_objects, thread_objects
from durajob.render.pages import Block, Cell, Column, Grid, status_cell
from durajob.render.text import one_line

if TYPE_CHECKING:
    from durajob.slots import Alert, Coming, ComingSlots, Installation, Slot, SlotList, Ticked


def ticked_data(result: Ticked) -> dict[str, Any]:
    """What was due, and what came of it."""
    return {
        "slots": [_slot(each) for each in result.slots],
        "threads": thread_objects(result.threads),
        "alerts": [_alert(each) for each in result.alerts],
        "outcomes": outcome_objects(result.outcomes),
        "store": result.store,
    }


def slots_data(result: SlotList) -> dict[str, Any]:
    """What became of slots."""
    slots = [_slot(each) for each in result.slots]
    return {"slots": slots, "store": result.store, "more": result.more}


def coming_data(result: ComingSlots) -> dict[str, Any]:
    """Slots to come, or to be run after all."""
    coming = [_coming(each) for each in result.slots]
    return {"coming": coming, "queued": result.recorded}


def installation_data(result: Installation) -> dict[str, Any]:
    """What is to be installed."""
    return {"text": result.text}


def slots_page(result: Ticked | SlotList, now: int, terminal: bool) -> list[Block]:
    """A row for each slot."""
    columns = (
        *(Column("workflow", least=8), Column("slot"), Column("outcome"), Column("late", True)),
        *(Column("thread", least=12), Column("status"), Column("what", least=12)),
    )
    rows = [_slot_row(slot) for slot in result.slots]
    return [Grid(columns=columns, rows=rows)] if rows else []


def coming_page(result: ComingSlots, now: int, terminal: bool) -> list[Block]:
    """A row for each slot; where some have been met before, what became of them."""
    columns = [Column("workflow", least=8), Column("slot"), Column("thread", least=12)]
    rows = [
        [Cell(text=slot.workflow), Cell(text=slot.slot), Cell(text=slot.thread)]
        for slot in result.slots
    ]
    if any(slot.outcome for slot in result.slots):
        columns.append(Column("until now"))
        for row, slot in zip(rows, result.slots, strict=True):
            row.append(Cell(text=slot.outcome or ""))
    return [Grid(columns=columns, rows=rows)] if rows else []


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
