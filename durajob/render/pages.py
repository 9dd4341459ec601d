"""What a person is shown of each result: blocks of cells, with no idea of how they are drawn.

``plain`` and ``tables`` draw the same blocks, so that a terminal and a log file tell the same
story. What grows without bound (branches of a fan-out, state, error messages) is cut here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from durajob import clock
from durajob.durations import counted, format_duration
from durajob.model import (
    Approvals,
    AttemptStatus,
    LockWait,
    Overview,
    Plan,
    Result,
    Step,
    StepError,
    Thread,
    ThreadList,
    ThreadResult,
    ThreadStatus,
)
from durajob.render import marks
from durajob.render.envelope import json_text
from durajob.render.text import age, beginning, cut, moment, number, one_line

if TYPE_CHECKING:
    from durajob.catalogue import Finding, WorkflowInfo

MANY_BRANCHES = 20
"""A step with more branches than this is shown as one row, and its failures."""

_LONGEST_VALUE, _LONGEST_DRAWN = 2_000, 300
_LONGEST_ERROR = 500
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
    if isinstance(result, ThreadResult):
        return _thread(result.thread, terminal)
    if isinstance(result, Plan):
        return [_plan_fields(result)]
    if isinstance(result, ThreadList):
        return [_thread_grid(result.threads, now, terminal)] if result.threads else []
    if isinstance(result, Overview):
        return _overview(result, now, terminal)
    if isinstance(result, Approvals):
        return [_question_grid(result.threads, now, terminal)] if result.threads else []
    from durajob.catalogue import Health, Initialised, Workflows
    from durajob.recovery import Recovery

    if isinstance(result, Recovery):
        # Those that were waited for have been told of one by one.
        listed = result.threads if result.outcomes is None else ()
        return [_thread_grid(listed, now, terminal)] if listed else []
    if isinstance(result, Workflows):
        return [_workflow_grid(result.workflows)] if result.workflows else []
    if isinstance(result, Health):
        return [_finding_fields(result.findings)]
    if isinstance(result, Initialised):
        return [Fields(rows=[("created", Cell(text=one_line(path))) for path in result.created])]
    from durajob.pruning import Pruned

    if isinstance(result, Pruned):
        from durajob.render.keeping import pruned

        return [pruned(result)]
    from durajob.timeline import Timeline

    if isinstance(result, Timeline):
        if result.page is not None:
            return [Fields(rows=[("page", Cell(text=one_line(result.page)))])]
        from durajob.render.bars import attempt_grid

        return [attempt_grid(result.bars, terminal)] if result.bars else []
    from durajob.render.slots import slot_pages

    return slot_pages(result, now, terminal)


def group_of(step: str) -> str:
    """The step that a branch of a fan-out belongs to: ``work[3]`` is one of ``work``."""
    return _BRANCH.sub("", step)


def error_text(error: StepError) -> str:
    """``ConnectionError: refused``, on one line."""
    message = one_line(error.message)
    return cut(f"{error.type}: {message}" if message else error.type, _LONGEST_ERROR)


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


def _thread(thread: Thread, terminal: bool) -> list[Block]:
    blocks: list[Block] = [Fields(rows=_thread_fields(thread, terminal))]
    if thread.steps:
        blocks.append(_step_grid(thread.steps, thread.next, terminal))
    return blocks


def _thread_fields(thread: Thread, terminal: bool) -> list[tuple[str, Cell]]:
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
        ("created", _time(thread.created_at, terminal)),
        ("started", _time(thread.started_at, terminal)),
        ("updated", _time(thread.updated_at, terminal)),
        ("finished", _time(thread.finished_at, terminal)),
        ("wakes", _time(thread.wake_at, terminal)),
    ]
    rows += [(label, Cell(text=one_line(text))) for label, text in optional if text]
    waits = [*wait_texts(thread)]
    waits += [f"{wait.step}: {lock_text(wait)}" for wait in thread.waiting_for_locks]
    rows += [("waits for", Cell(text=one_line(text), style="magenta")) for text in waits]
    if thread.error is not None:
        rows.append(("error", Cell(text=_blame(thread.error), style="red")))
        if thread.error.log:
            rows.append(("log", Cell(text=one_line(thread.error.log))))
    if thread.cause is not None and thread.cause != thread.error:
        rows.append(("cause", Cell(text=_blame(thread.cause), style="red")))
    longest = _LONGEST_DRAWN if terminal else _LONGEST_VALUE
    rows.append(("input", Cell(text=cut(_value(thread.input), longest))))
    if thread.state is not None:
        rows.append(("state", Cell(text=cut(_value(thread.state), longest))))
    return rows


def wait_texts(thread: Thread) -> list[str]:
    """What the thread asks of people, a question each."""
    return [f"{each.step}: {_value(each.prompt)} (answer {each.id})" for each in thread.waiting_for]


def lock_text(wait: LockWait) -> str:
    """``lock L: held by step s of thread t (process 1)``."""
    holders = [
        f"step {each.step} of thread {each.thread or '(pruned)'} (process {each.pid})"
        for each in wait.holders[:3]
    ]
    more = f" and {len(wait.holders) - 3} more" if len(wait.holders) > 3 else ""
    by = f"held by {', '.join(holders)}{more}" if holders else "others wait before it"
    return f"lock {wait.name}: {by}"


def _step_grid(steps: Sequence[Step], coming: Sequence[str], terminal: bool) -> Grid:
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
        if group == step.step or sizes[group] <= MANY_BRANCHES:
            rows.append(_step_row(step, terminal))
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


def _step_row(step: Step, terminal: bool) -> list[Cell]:
    look = marks.ATTEMPT[step.status]
    visit = f" visit {step.visit}" if step.visit > 1 else ""
    attempts, what = str(step.attempts), ""
    if step.max_attempts is not None and step.status is not AttemptStatus.SUCCEEDED:
        attempts += f"/{step.max_attempts}"
    if step.error is not None:
        due = "" if step.due_at is None else f"again at {_time(step.due_at, terminal)}: "
        what = due + error_text(step.error)
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


def _thread_grid(threads: Sequence[Thread], now: int, terminal: bool) -> Grid:
    columns = (
        Column(title="thread", least=31),  # an id that durajob makes is whole on 80 columns
        Column(title="workflow", least=8),
        Column(title="status"),
        Column(title="steps", right=True),
        Column(title="updated", right=True),
        Column(title="what", least=4),
    )
    return Grid(columns=columns, rows=[_thread_row(thread, now, terminal) for thread in threads])


def _thread_row(thread: Thread, now: int, terminal: bool) -> list[Cell]:
    updated = f"{age(thread.updated_at, now)} ago" if terminal else _time(thread.updated_at, False)
    return [
        Cell(text=one_line(thread.thread), style=marks.TITLE),
        Cell(text=one_line(thread.workflow)),
        status_cell(thread.status),
        Cell(text=progress_text(thread)),
        Cell(text=updated),
        _what(thread),
    ]


def _question_grid(threads: Sequence[Thread], now: int, terminal: bool) -> Grid:
    columns = (
        Column(title="thread", least=31),
        Column(title="question"),
        Column(title="step", least=8),
        Column(title="expires", right=True),
        Column(title="what", least=12),
    )
    return Grid(
        columns=columns,
        rows=[
            [
                Cell(text=one_line(thread.thread), style=marks.TITLE),
                Cell(text=one_line(asked.id)),
                Cell(text=one_line(asked.step)),
                Cell(text=_expiry(asked.expires_at, now, terminal)),
                Cell(text=_value(asked.prompt), style="magenta"),
            ]
            for thread in threads
            for asked in thread.waiting_for
        ],
    )


def _expiry(at: int | None, now: int, terminal: bool) -> str:
    if at is None or not terminal:
        return _time(at, False)
    return f"in {age(now, at)}" if at > now else "expired"


def _what(thread: Thread) -> Cell:
    if thread.error is not None:
        return Cell(text=_blame(thread.error), style="red")
    if thread.waiting_for:
        first = thread.waiting_for[0]
        return Cell(text=one_line(f"{first.step}: {_value(first.prompt)}"), style="magenta")
    if thread.next and not thread.is_final:
        return Cell(text=f"next: {names_text(thread.next)}", style=marks.LABEL)
    return Cell(text="")


_VERDICTS = {
    "runs": "it goes on",
    "compensates": "it undoes what it has done",
    "waits": "it waits for an answer, and nothing is run",
    "sleeps": "it sleeps on, and nothing is run",
    "refused": "it is refused",
    "nothing": "it has ended, and nothing is run",
}


def _plan_fields(plan: Plan) -> Fields:
    thread = plan.thread
    rows = [
        ("thread", Cell(text=one_line(thread.thread), style=marks.TITLE)),
        ("status", status_cell(thread.status)),
        ("resume", Cell(text=_VERDICTS[plan.verdict])),
    ]
    for each in plan.refused:
        rows.append(("refused", Cell(text=one_line(each.message), style="red")))
        if each.hint:
            rows.append(("", Cell(text=one_line(each.hint), style=marks.HINT)))
    for step in plan.again[:MANY_BRANCHES]:
        done = f": {step.status.value} at attempt {step.attempts}" if step.status else ""
        visit = f" visit {step.visit}" if step.visit and step.visit > 1 else ""
        rows.append(("runs", Cell(text=one_line(step.step) + visit + done)))
    if left := plan.again[MANY_BRANCHES:]:
        names = names_text([step.step for step in left])
        rows.append(("runs", Cell(text=f"and {len(left)} more: {names}")))
    if plan.compensations:
        rows.append(("compensates", Cell(text=one_line(", ".join(plan.compensations)))))
    for source in ("ledger", "checkpoint"):
        if reused := [step.step for step in plan.reused if step.source == source]:
            text = f"{counted(len(reused), 'step')} from the {source}: {names_text(reused)}"
            rows.append(("reused", Cell(text=text)))
    return Fields(rows=rows)


def _overview(overview: Overview, now: int, terminal: bool) -> list[Block]:
    rows = []
    for status, look in marks.THREAD.items():
        if count := overview.counts.get(status, 0):
            rows.append((status.value, Cell(text=str(count), mark=look.mark, style=look.style)))
    groups = (
        [line for each in overview.attention for line in _needs(each, overview.commands)],
        [(f"wakes {_due(t.wake_at, now, terminal)}", _named(t, "")) for t in overview.sleepers],
        [(_ended_at(t, now, terminal), _named(t, _end(t))) for t in overview.ended],
    )
    if (more := overview.ended_count - len(overview.ended)) > 0:
        groups[-1].append(("", Cell(text=f"and {more} more in the last day")))
    return [Fields(rows=group) for group in (rows, *groups) if group]


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
    error = f": {_blame(thread.error)}" if thread.error is not None else ""
    return f" {thread.status.value}{outcome}{error}"


def _ended_at(thread: Thread, now: int, terminal: bool) -> str:
    at = thread.finished_at
    return f"{age(at, now)} ago" if terminal and at is not None else _time(at, False)


def _due(at: int | None, now: int, terminal: bool) -> str:
    if at is None or not terminal:
        return _time(at, False)
    return f"in {age(now, at)}" if at > now else "now"


def _workflow_grid(workflows: Sequence[WorkflowInfo]) -> Grid:
    columns = (
        Column(title="workflow"),
        Column(title="description", least=30),
        Column(title="target", least=12),
        Column(title="from", least=8),
    )
    return Grid(columns=columns, rows=[_workflow_row(workflow) for workflow in workflows])


def _workflow_row(workflow: WorkflowInfo) -> list[Cell]:
    problem = workflow.problem
    look = marks.PROBLEM if problem else marks.FINE if workflow.steps else None
    hint = f"; {problem.hint}" if problem and problem.hint else ""
    said = one_line(problem.message + hint if problem else workflow.description)
    return [
        Cell(
            text=one_line(workflow.name),
            mark=look.mark if look else "",
            style=look.style if look else marks.TITLE,
        ),
        Cell(text=said, style="red" if problem else ""),
        Cell(text=one_line(workflow.target)),
        Cell(text=one_line(workflow.source), style=marks.LABEL),
    ]


_LEVELS = {"ok": marks.FINE, "warning": marks.WARNING, "error": marks.PROBLEM}


def _finding_fields(findings: Sequence[Finding]) -> Fields:
    """What ``doctor`` found: whole, however long, for a cure is typed as it stands."""
    rows = []
    for finding in findings:
        look = _LEVELS[finding.level]
        head = "" if finding.level == "ok" else f"{finding.level}: "
        text = cut(one_line(head + finding.message), _LONGEST_VALUE)
        rows.append((finding.check, Cell(text=text, mark=look.mark, style=look.style)))
        if finding.hint:
            rows.append(("", Cell(text=f"cure: {one_line(finding.hint)}", style=marks.HINT)))
    return Fields(rows=rows)


def _blame(error: StepError) -> str:
    step = f"{one_line(error.step)}: " if error.step else ""
    attempt = f" (attempt {error.attempt})" if error.attempt is not None else ""
    return f"{step}{error_text(error)}{attempt}"


def _value(value: Mapping[str, Any] | Any) -> str:
    return cut(one_line(json_text(beginning(value, 2 * _LONGEST_VALUE))), _LONGEST_VALUE)


def _time(at: int | None, terminal: bool) -> str:
    return moment(at) if terminal else clock.to_rfc3339(at) or ""
