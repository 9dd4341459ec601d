"""Resume every thread whose owner is gone: the interrupted, and those that nobody ever claimed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from durajob import clock
from durajob.commands.detach import drive_in_background
from durajob.commands.ids import whole_number
from durajob.config.settings import Settings
from durajob.durations import counted
from durajob.errors import NoStore
from durajob.model import ErrorInfo, Thread, ThreadStatus
from durajob.recovery import Recovered, Recovery
from durajob.store.read import Reader

JOBS = 4
"""How many threads are driven at once, unless said."""
_ACCEPTED_FOR = 60_000_000
"""Microseconds after which an admitted thread that nobody holds has lost its ``start``."""

GRAVEST = (70, 69, 74, 77, 78, 2, 66, 65, 1, 4, 124, 75, 3)
"""Exit statuses of children, the gravest first: what ails all threads, then what keeps one from
being resumed at all, then how threads ended, then those that only wait for their next turn."""


def recover(
    *,
    settings: Settings,
    workflow: str | None,
    dry_run: bool,
    wait: bool,
    jobs: str | None,
    report: Callable[[Recovered], None],
) -> Recovery:
    """Have each thread that can be recovered resumed, oldest first, in a process of its own.

    Unless ``wait``, another process does it, and this returns at once. ``report`` is told of
    each thread that has ended, as it ends.

    Raises:
        UsageError: when ``jobs`` is no number of threads.
        StoreError: when the store cannot be read; that there is none is no error.
    """
    most = JOBS if jobs is None else _number_of_threads(jobs)
    url = settings.store.url
    try:
        with Reader(settings.store.path) as reader:
            before = clock.now() - _ACCEPTED_FOR
            found = tuple(reader.left_behind(workflow=workflow, admitted_before=before))
    except NoStore:
        return Recovery(threads=(), store=url, exists=False, outcomes=() if wait else None)
    if dry_run:
        again = "durajob recover" + ("" if workflow is None else f" --workflow {workflow}")
        return Recovery(threads=found, store=url, next_command=again if found else None)
    if wait:
        return _waited_for(found, settings, most, report)
    if not found:
        return Recovery(threads=(), store=url)
    arguments = ["recover", "--wait", "--quiet", "--jobs", str(most)]
    if workflow is not None:
        arguments.append(f"--workflow={workflow}")
    pid = drive_in_background(arguments, settings)
    return Recovery(
        threads=found,
        store=url,
        notes=(f"{counted(len(found), 'thread')} resumed in the background, by process {pid}",),
        next_command="durajob status",
    )


def _waited_for(
    found: Sequence[Thread], settings: Settings, most: int, report: Callable[[Recovered], None]
) -> Recovery:
    from durajob.commands.fleet import drive_each
    from durajob.notify.deliver import deliver_due, note_interrupted

    gone = [thread for thread in found if thread.status is ThreadStatus.INTERRUPTED]
    note_interrupted(gone, settings)
    outcomes, stopped_by = drive_each(found, settings=settings, most=most, report=report)
    warnings: list[str] = []
    deliver_due(settings, warnings.append)
    now = {outcome.thread.thread: outcome.thread for outcome in outcomes}
    status, error = verdict(outcomes, of=len(found), stopped_by=stopped_by)
    return Recovery(
        threads=tuple(now.get(thread.thread, thread) for thread in found),
        store=settings.store.url,
        outcomes=outcomes,
        exit_status=status,
        error=error,
        notes=(*((_summary(outcomes),) if outcomes else ()), *warnings),
        next_command="durajob status" if error is not None else None,
    )


def verdict(
    outcomes: Sequence[Recovered], *, of: int, stopped_by: str | None
) -> tuple[int, ErrorInfo | None]:
    """The exit status of the whole, and why it is not 0."""
    if stopped_by is not None:
        left = of - len(outcomes)
        told = f"; {counted(left, 'thread')} not resumed" if left else ""
        return 75, ErrorInfo(
            code="stopped", message=f"asked to stop ({stopped_by}){told}", hint="durajob recover"
        )
    bad = [each for each in outcomes if _weight(each) < len(GRAVEST)]
    if not bad:
        return 0, None
    gravest = min(bad, key=_weight)
    names = ", ".join(each.thread.thread for each in bad[:5]) + (", …" if bad[5:] else "")
    return GRAVEST[_weight(gravest)], ErrorInfo(
        code=gravest.error.code if gravest.error is not None else "internal",
        message=f"{len(bad)} of {counted(len(outcomes), 'thread')} did not complete: {names}",
        hint="durajob status",
    )


def _weight(outcome: Recovered) -> int:
    """Its place in GRAVEST; beyond the end where all is well."""
    status = outcome.exit_status
    if status in (0, 76):  # another process has the thread
        return len(GRAVEST)
    if status >= 128:  # killed: the thread is interrupted, and can be resumed
        status = 75
    return GRAVEST.index(status) if status in GRAVEST else 0


def _summary(outcomes: Sequence[Recovered]) -> str:
    counts: dict[str, int] = {}
    for each in outcomes:
        counts[each.thread.status.value] = counts.get(each.thread.status.value, 0) + 1
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    return f"{counted(len(outcomes), 'thread')} resumed: {told}"


def _number_of_threads(jobs: str) -> int:
    hint = "write a whole number, 1 to 1000"
    return whole_number("--jobs", jobs, what="number of threads", most=1000, hint=hint)
