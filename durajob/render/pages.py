"""What a person is shown of each result: blocks of cells, with no idea of how they are drawn.

``plain`` and ``tables`` draw the same blocks, so that a terminal and a log file tell the same
story. What grows without bound (branches of a fan-out, state, error messages) is cut here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from durajob import clock
from durajob.durations import format_duration
from durajob.model import (
    AttemptStatus,
    LockWait,
    Result,
    Step,
    StepError,
    Thread,
    ThreadResult,
    ThreadStatus,
)
from durajob.render import VIEWS, found, marks
from durajob.render.text import beginning, cut, error_text, json_text, moment, number, one_line

MANY_BRANCHES = 20
"""A step with more branches than this is shown as one row, and its failures."""

LONGEST_VALUE = 2_000
"""Characters of a value, or of a text, that a page shows."""
_LONGEST_DRAWN = 300
_BRANCH = re.compile(r"\[\d+\]")


class Cell(NamedTuple):
    """A piece of text with a mark before it and a style of ``marks``."""

    text: str
    mark: str = ""
    style: str = ""


class Column(NamedTuple):
    """A column of a grid. Where there is no room, it is cut to ``least``, the last column first."""

    title: str
    right: bool = False
    least: int | None = None  # None: never cut


class Fields(NamedTuple):
    """Labelled values, one a line."""

    rows: Sequence[tuple[str, Cell]]


class Grid(NamedTuple):
    """Rows under titles."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]


Block = Fields | Grid


def pages(result: Result, *, now: int, terminal: bool) -> list[Block]:
    """The blocks that show ``result``.

    On a terminal times are local and relative to ``now``; elsewhere they are RFC 3339.
    """
    page = VIEWS[type(result).__name__].page
    blocks: list[Block] = [] if page is None else found(page)(result, now, terminal)
    return blocks


def thread_page(
    result: ThreadResult, now: int, terminal: bool, *, full: bool = False
) -> list[Block]:
    """A thread, and a row for each of its steps; with ``full``, nothing is cut or gathered."""
    thread = result.thread
    blocks: list[Block] = [Fields(rows=_thread_fields(thread, terminal, full))]
    if thread.steps:
        blocks.append(_step_grid(thread.steps, thread.next, terminal, full))
    return blocks


def group_of(step: str) -> str:
    """The step that a branch of a fan-out belongs to: ``work[3]`` is one of ``work``."""
    return _BRANCH.sub("", step)


def status_cell(status: ThreadStatus) -> Cell:
    """A thread's status with its mark."""
    look = marks.THREAD[status]
    return Cell(text=status.value, mark=look.mark, style=look.style)


def progress_text(thread: Thread) -> str:
    """``2/3``, or ``2`` where the total is unknowable."""
    return f"{thread.done}" if thread.total is None else f"{thread.done}/{thread.total}"


def names_text(names: Sequence[str]) -> str:
    """The steps in a few words: branches of one step are counted."""
    counts = Counter(group_of(name) for name in names)
    first = {group_of(name): name for name in reversed(names)}
    told = [first[g] if n == 1 else f"{g} {marks.TIMES}{n}" for g, n in counts.items()]
    return one_line(", ".join(told[:10]) + (f" and {len(told) - 10} more" if told[10:] else ""))


def wait_texts(thread: Thread) -> list[str]:
    """What the thread asks of people, a question each."""
    return [
        f"{each.step}: {value_text(each.prompt)} (answer {each.id})" for each in thread.waiting_for
    ]


def lock_text(wait: LockWait) -> str:
    """``lock L: held by step s of thread t (process 1)``."""
    holders = [
        f"step {each.step} of thread {each.thread or '(pruned)'} (process {each.pid})"
        for each in wait.holders[:3]
    ]
    more = f" and {len(wait.holders) - 3} more" if len(wait.holders) > 3 else ""
    by = f"held by {', '.join(holders)}{more}" if holders else "others wait before it"
    return f"lock {wait.name}: {by}"


def blame_text(error: StepError, *, full: bool = False) -> str:
    """Which step failed, with what, and at which attempt."""
    step = f"{one_line(error.step)}: " if error.step else ""
    attempt = f" (attempt {error.attempt})" if error.attempt is not None else ""
    return f"{step}{error_text(error, full=full)}{attempt}"


def value_text(value: Any) -> str:
    """A value on one line; of one that is large, the beginning."""
    return cut(one_line(json_text(beginning(value, 2 * LONGEST_VALUE))), LONGEST_VALUE)


def time_text(at: int | None, terminal: bool) -> str:
    """A stored time, for a person or for a file."""
    return moment(at) if terminal else clock.to_rfc3339(at) or ""


def _thread_fields(thread: Thread, terminal: bool, full: bool) -> list[tuple[str, Cell]]:
    rows = [
        ("thread", Cell(text=one_line(thread.thread), style=marks.TITLE)),
        ("workflow", Cell(text=one_line(thread.workflow))),
        ("status", status_cell(thread.status)),
        ("steps done", Cell(text=progress_text(thread))),
    ]
    if thread.outcome is not None:
        rows.insert(3, ("outcome", Cell(text=one_line(thread.outcome), style=marks.TITLE)))
    optional: list[tuple[str, str]] = [
        ("next", names_text(thread.next)),
        ("owner", f"pid {thread.owner.pid} on {thread.owner.host}" if thread.owner else ""),
        ("slot", thread.slot or ""),
        ("parent", thread.parent or ""),
        ("created", time_text(thread.created_at, terminal)),
        ("started", time_text(thread.started_at, terminal)),
        ("updated", time_text(thread.updated_at, terminal)),
        ("finished", time_text(thread.finished_at, terminal)),
        ("wakes", time_text(thread.wake_at, terminal)),
    ]
    rows += [(label, Cell(text=one_line(text))) for label, text in optional if text]
    waits = [*wait_texts(thread)]
    waits += [f"{wait.step}: {lock_text(wait)}" for wait in thread.waiting_for_locks]
    rows += [("waits for", Cell(text=one_line(text), style="magenta")) for text in waits]
    if thread.error is not None:
        rows.append(("error", Cell(text=blame_text(thread.error, full=full), style="red")))
        if thread.error.log:
            rows.append(("log", Cell(text=one_line(thread.error.log))))
    if thread.cause is not None and thread.cause != thread.error:
        rows.append(("cause", Cell(text=blame_text(thread.cause, full=full), style="red")))
    longest = _LONGEST_DRAWN if terminal else LONGEST_VALUE
    for label, value in (("input", thread.input), ("state", thread.state)):
        if value is not None:
            text = one_line(json_text(value)) if full else cut(value_text(value), longest)
            rows.append((label, Cell(text=text)))
    return rows


def _step_grid(steps: Sequence[Step], coming: Sequence[str], terminal: bool, full: bool) -> Grid:
    columns = (
        Column(title="step", least=16),
        Column(title="status"),
        Column(title="attempts", right=True),
        Column(title="time", right=True),
        Column(title="what", least=12),
    )
    sizes = Counter(group_of(step.step) for step in steps)
    rows: list[list[Cell]] = []
    shown: Counter[str] = Counter()
    for step in steps:
        group = group_of(step.step)
        if full or group == step.step or sizes[group] <= MANY_BRANCHES:
            rows.append(_step_row(step, terminal, full=full))
            continue
        if shown[group] == 0:
            branches = [s for s in steps if group_of(s.step) == group]
            begun = {s.step for s in branches}
            left = sum(group_of(name) == group and name not in begun for name in coming)
            rows.append(_group_row(group, branches, left))
            shown[group] = 1
        if step.status is not AttemptStatus.SUCCEEDED and shown[group] <= MANY_BRANCHES:
            rows.append(_step_row(step, terminal))
            shown[group] += 1
    return Grid(columns=columns, rows=rows)


def _step_row(step: Step, terminal: bool, *, full: bool = False) -> list[Cell]:
    look = marks.ATTEMPT[step.status]
    visit = f" visit {step.visit}" if step.visit > 1 else ""
    attempts, what = str(step.attempts), ""
    if step.max_attempts is not None and step.status is not AttemptStatus.SUCCEEDED:
        attempts += f"/{step.max_attempts}"
    if step.error is not None:
        due = "" if step.due_at is None else f"again at {time_text(step.due_at, terminal)}: "
        what = due + error_text(step.error, full=full)
    elif step.progress is not None:
        total = "" if step.progress.total is None else f"/{number(step.progress.total)}"
        note = one_line(step.progress.note or "")
        what = f"{number(step.progress.done)}{total} {note}".rstrip()
    return [
        Cell(text=one_line(step.step) + visit),
        Cell(text=step.status.value, mark=look.mark, style=look.style),
        Cell(text=attempts),
        Cell(text="" if step.seconds is None else format_duration(step.seconds)),
        Cell(text=what, style="red" if step.error else ""),
    ]


_WORST_FIRST = (
    AttemptStatus.FAILED,
    AttemptStatus.TIMED_OUT,
    AttemptStatus.RUNNING,
    AttemptStatus.ABANDONED,
)


def _group_row(group: str, steps: Sequence[Step], left: int) -> list[Cell]:
    """A fan-out as one row; ``left`` is how many branches have not begun."""
    counts = Counter(step.status for step in steps)
    told = ", ".join(f"{counts[s]} {s.value}" for s in AttemptStatus if counts[s])
    told += f", {left} to come" if left else ""
    worst = next((s for s in _WORST_FIRST if counts[s]), AttemptStatus.SUCCEEDED)
    look = marks.ATTEMPT[worst]
    return [
        Cell(text=f"{one_line(group)} {marks.TIMES}{len(steps) + left}"),
        Cell(text=worst.value, mark=look.mark, style=look.style),
        Cell(text=str(sum(step.attempts for step in steps))),
        Cell(text=""),
        Cell(text=told),
    ]
