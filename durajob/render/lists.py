"""Many threads on a page: in a list, by what they ask of people, and all of a store at a glance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from durajob.model import Approvals, Overview, Thread, ThreadList
from durajob.render import marks
from durajob.render.pages import (
    Block,
    Cell,
    Column,
    Fields,
    Grid,
    blame_text,
    names_text,
    progress_text,
    status_cell,
    time_text,
    value_text,
)
from durajob.render.text import age, one_line

if TYPE_CHECKING:
    from durajob.recovery import Recovery


def thread_list(result: ThreadList, now: int, terminal: bool) -> list[Block]:
    """A row for each thread."""
    return [_grid(result.threads, now, terminal)] if result.threads else []


def recovery(result: Recovery, now: int, terminal: bool) -> list[Block]:
    """A row for each thread; those that were waited for have been told of one by one."""
    listed = result.threads if result.outcomes is None else ()
    return [_grid(listed, now, terminal)] if listed else []


def approvals(result: Approvals, now: int, terminal: bool) -> list[Block]:
    """A row for each question."""
    columns = (
        Column(title="thread", least=31),
        Column(title="question"),
        Column(title="step", least=8),
        Column(title="expires", right=True),
        Column(title="what", least=12),
    )
    rows = [
        [
            Cell(text=one_line(thread.thread), style=marks.TITLE),
            Cell(text=one_line(asked.id)),
            Cell(text=one_line(asked.step)),
            Cell(text=_expiry(asked.expires_at, now, terminal)),
            Cell(text=value_text(asked.prompt), style="magenta"),
        ]
        for thread in result.threads
        for asked in thread.waiting_for
    ]
    return [Grid(columns=columns, rows=rows)] if result.threads else []


def overview(result: Overview, now: int, terminal: bool) -> list[Block]:
    """How many threads there are, what needs a person, what wakes, what has ended."""
    rows = []
    for status, look in marks.THREAD.items():
        if count := result.counts.get(status, 0):
            rows.append((status.value, Cell(text=str(count), mark=look.mark, style=look.style)))
    groups = (
        [line for each in result.attention for line in _needs(each, result.commands)],
        [(f"wakes {_due(t.wake_at, now, terminal)}", _named(t, "")) for t in result.sleepers],
        [(_ended_at(t, now, terminal), _named(t, _end(t))) for t in result.ended],
    )
    if (more := result.ended_count - len(result.ended)) > 0:
        groups[-1].append(("", Cell(text=f"and {more} more in the last day")))
    return [Fields(rows=group) for group in (rows, *groups) if group]


def _grid(threads: Sequence[Thread], now: int, terminal: bool) -> Grid:
    columns = (
        Column(title="thread", least=31),  # an id that durajob makes is whole on 80 columns
        Column(title="workflow", least=8),
        Column(title="status"),
        Column(title="steps", right=True),
        Column(title="updated", right=True),
        Column(title="what", least=4),
    )
    return Grid(columns=columns, rows=[_row(thread, now, terminal) for thread in threads])


def _row(thread: Thread, now: int, terminal: bool) -> list[Cell]:
    at = thread.updated_at
    updated = f"{age(at, now)} ago" if terminal else time_text(at, False)
    return [
        Cell(text=one_line(thread.thread), style=marks.TITLE),
        Cell(text=one_line(thread.workflow)),
        status_cell(thread.status),
        Cell(text=progress_text(thread)),
        Cell(text=updated),
        _what(thread),
    ]


def _expiry(at: int | None, now: int, terminal: bool) -> str:
    if at is None or not terminal:
        return time_text(at, False)
    return f"in {age(now, at)}" if at > now else "expired"


def _what(thread: Thread) -> Cell:
    if thread.error is not None:
        return Cell(text=blame_text(thread.error), style="red")
    if thread.waiting_for:
        first = thread.waiting_for[0]
        return Cell(text=one_line(f"{first.step}: {value_text(first.prompt)}"), style="magenta")
    if thread.next and not thread.is_final:
        return Cell(text=f"next: {names_text(thread.next)}", style=marks.LABEL)
    return Cell(text="")


def _needs(thread: Thread, commands: Mapping[str, str]) -> list[tuple[str, Cell]]:
    """What is the matter with a thread, and under it what to type."""
    look = marks.THREAD[thread.status]
    what = _what(thread).text
    text = f"{one_line(thread.thread)}: {what}" if what else one_line(thread.thread)
    return [
        (thread.status.value, Cell(text=text, mark=look.mark, style=look.style)),
        ("", Cell(text=commands[thread.thread], style=marks.HINT)),
    ]


def _named(thread: Thread, what: str) -> Cell:
    look = marks.THREAD[thread.status]
    text = f"{one_line(thread.thread)} ({one_line(thread.workflow)}){what}"
    return Cell(text=text, mark=look.mark, style=look.style)


def _end(thread: Thread) -> str:
    outcome = f", {thread.outcome}" if thread.outcome else ""
    error = f": {blame_text(thread.error)}" if thread.error is not None else ""
    return f" {thread.status.value}{outcome}{error}"


def _ended_at(thread: Thread, now: int, terminal: bool) -> str:
    at = thread.finished_at
    return f"{age(at, now)} ago" if terminal and at is not None else time_text(at, False)


def _due(at: int | None, now: int, terminal: bool) -> str:
    if at is None or not terminal:
        return time_text(at, False)
    return f"in {age(now, at)}" if at > now else "now"
