"""What one crontab line runs each minute: whatever is due is begun, and what went wrong is told.

Returns at once; what it begins runs on in processes of its own. However many ticks overlap, were
missed or died, each slot is handled once (``schedule.booking``) and each thread has one owner.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence

from durajob import clock
from durajob.commands.ids import resume_command
from durajob.commands.logtail import log_tail
from durajob.config.settings import Settings
from durajob.durations import counted
from durajob.errors import ConfigError, NoStore
from durajob.model import ErrorInfo, Thread, ThreadStatus
from durajob.recovery import Recovered
from durajob.schedule.workflows import Workflows
from durajob.slots import Alert, Slot, Ticked
from durajob.store.agenda import Agenda, Ended, Refused


def tick(
    *, settings: Settings, wait: bool, drive: bool, report: Callable[[Recovered], None]
) -> Ticked:
    """Start the slots that are due, and have resumed what is due.

    Unless ``wait``, another process drives the threads. ``drive`` is to be that process.

    Raises:
        ConfigError: when the workflows.toml cannot be read at all.
        StoreError: when the store cannot be used; that there is none is no error.
    """
    workflows = Workflows(settings.file)
    if drive:
        from durajob.commands.conductor import conduct

        conduct(settings, workflows)
        return Ticked(slots=(), threads=(), store=settings.store.url)
    now = clock.now()
    # A thousand schedules are many thousand records that all live on: to look for cycles among
    # them again and again takes a fifth of the time.
    gc.disable()
    try:
        slots = _book(settings, workflows, now)
        threads, alerts, news = _look(settings, workflows, now)
    finally:
        gc.enable()
    problem = _problem(workflows) if slots is not None else None
    result = Ticked(
        slots=slots or (),
        threads=threads,
        store=settings.store.url,
        alerts=(*_missed(slots or ()), *alerts),
        exit_status=0 if problem is None else ConfigError.exit_status,
        error=problem,
    )
    return _driven(result, settings, workflows, wait, report, news=news)


def _book(settings: Settings, workflows: Workflows, now: int) -> list[Slot] | None:
    """Enter what is due; None where nothing was, and the workflows.toml was not even read."""
    if workflows.file is None:
        return None
    file, stamp = str(workflows.file), workflows.stamp
    queued = False
    try:
        with Agenda(settings.store.path) as agenda:
            queued = agenda.has_queued(file)
            due = agenda.schedules_due(file, stamp, now)
        if not queued and due is not None:
            if not due:
                return None
            workflows.narrow(due)
    except NoStore:
        if not workflows.scheduled:
            return []
    from durajob.schedule.booking import book, start_queued
    from durajob.store.write import Writer

    scheduled, problems = workflows.scheduled, workflows.problems
    writer = Writer(settings.store.path, create=True)
    try:
        slots = start_queued(writer, scheduled, file=file, now=now) if queued else []
        slots += book(
            writer,
            scheduled,
            file=file,
            stamp=None if problems else stamp,
            whole=workflows.is_whole,
            now=now,
        )
    finally:
        writer.close()
    return slots


def _look(
    settings: Settings, workflows: Workflows, now: int
) -> tuple[tuple[Thread, ...], tuple[Alert, ...], bool]:
    """What is to be resumed; what is to be told here, noted as told once it is known; whether
    there is something else to do: somebody is to be told elsewhere, or the store to be pruned."""
    try:
        with Agenda(settings.store.path) as agenda:
            due = agenda.due(now, recovers=workflows.recovers)
            ended = [each for each in agenda.ended() if not _goes_on(each, workflows)]
            refused = list(agenda.refused())
            news = agenda.has_news(now)
            gone = agenda.interrupted()
            retention_due = agenda.is_retention_due(now)
    except NoStore:
        return (), (), False
    if gone:
        from durajob.notify.deliver import note_interrupted

        news |= note_interrupted(gone, settings)
    if retention_due and workflows.file is not None:
        from durajob.commands.prune import has_retention

        news |= has_retention(settings)
    if ended or refused:
        from durajob.store.desk import at_desk
        from durajob.store.write import Writer

        writer = Writer(settings.store.path, create=False)
        try:
            at_desk(
                writer,
                lambda desk: desk.told(
                    [each.id for each in ended], [each.thread_id for each in refused]
                ),
            )
        finally:
            writer.close()
    return due, (*_of_ended(ended), *_of_refused(refused)), news


def _driven(
    result: Ticked,
    settings: Settings,
    workflows: Workflows,
    wait: bool,
    report: Callable[[Recovered], None],
    *,
    news: bool,
) -> Ticked:

    if not result.threads and not news:
        return result._replace(outcomes=() if wait else None)
    from durajob.commands import conductor

    if not wait or not result.threads:
        if not conductor.has_conductor(settings):
            conductor.begin_conductor(settings)
        count = counted(len(result.threads), "thread")
        notes = (f"{count} driven in the background",) if result.threads else ()
        return result._replace(outcomes=() if wait else None, notes=notes)
    from durajob.commands.recover import verdict

    outcomes, stopped_by = conductor.drive(
        result.threads, settings=settings, workflows=workflows, report=report
    )
    status, error = verdict(outcomes, of=len(result.threads), stopped_by=stopped_by)
    if status == 0:
        status, error = result.exit_status, result.error
    now = {outcome.thread.thread: outcome.thread for outcome in outcomes}
    threads = tuple(now.get(thread.thread, thread) for thread in result.threads)
    return result._replace(threads=threads, outcomes=outcomes, exit_status=status, error=error)


def _goes_on(ended: Ended, workflows: Workflows) -> bool:
    """Whether a thread that was left is resumed by itself, so that nobody need know."""
    thread = ended.thread
    left = (ThreadStatus.INTERRUPTED, ThreadStatus.STOPPED)
    return thread is not None and thread.status in left and workflows.recovers(thread.workflow)


def _missed(slots: Sequence[Slot]) -> Iterator[Alert]:
    """One for each workflow of which slots were missed."""
    by_workflow: dict[str, list[Slot]] = {}
    for slot in slots:
        if slot.outcome == "missed":
            by_workflow.setdefault(slot.workflow, []).append(slot)
    for workflow, missed in by_workflow.items():
        count = sum(slot.slots for slot in missed)
        first = missed[0].slot
        which = first if count == 1 else f"the first at {first}"
        message = f"{counted(count, 'slot')} of {workflow} missed ({which}): {missed[-1].reason}"
        hint = f"durajob schedule --workflow {workflow}"
        yield Alert(ErrorInfo(code="slot_missed", message=message, hint=hint))


def _of_ended(ended: Sequence[Ended]) -> Iterator[Alert]:
    for each in ended:
        thread = each.thread
        if thread is None or thread.status.is_final:
            continue
        hint = None if thread.is_final else resume_command(thread)
        error = thread.error
        if thread.status is not ThreadStatus.FAILED or error is None:
            message = f"thread {thread.thread} of a slot is {thread.status.value}"
            yield Alert(ErrorInfo(code=thread.status.value, message=message, hint=hint))
            continue
        where = "" if error.step is None else f" in step {error.step}"
        message = f"thread {thread.thread} failed{where}: {error.type}: {error.message}"
        yield Alert(
            ErrorInfo(code="workflow_failed", message=message, hint=hint),
            log=error.log,
            tail=log_tail(error),
        )


def _of_refused(refused: Sequence[Refused]) -> Iterator[Alert]:
    for each in refused:
        message = f"thread {each.thread} could not be resumed: {each.error.message}"
        yield Alert(each.error._replace(message=message))


def _problem(workflows: Workflows) -> ErrorInfo | None:
    problems = workflows.problems
    if not problems:
        return None
    first = next(iter(problems.values()))
    more = f" (and {len(problems) - 1} more workflows)" if len(problems) > 1 else ""
    return ErrorInfo(code=first.code, message=f"{first.message}{more}", hint=first.hint)
