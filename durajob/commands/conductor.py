"""Driving what ticks find due, in processes of their own, until nothing is left.

A store has one such process at most. The tick that first finds something due begins it, and it
looks for more as long as it has something to drive: so what must wait for its turn begins as
soon as there is room. If it dies, the threads that it has begun run on, and the next tick begins
another.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from durajob import clock
from durajob.commands.detach import drive_in_background
from durajob.commands.fleet import drive_each
from durajob.commands.prune import follow_retention
from durajob.config.settings import Settings
from durajob.errors import ConfigError
from durajob.model import Thread
from durajob.notify.deliver import deliver_due
from durajob.recovery import Recovered
from durajob.schedule.booking import start_queued
from durajob.schedule.workflows import Workflows
from durajob.store.agenda import Agenda
from durajob.store.desk import at_desk
from durajob.store.files import lock_path
from durajob.store.locks import LockFile
from durajob.store.write import Writer

_PRUNING = 10.0  # seconds, at most once a day
_NOT_REFUSED = (0, 3, 75, 76)
"""Exit statuses that say nothing against resuming a thread: it ended, waits, or is another's."""


def has_conductor(settings: Settings) -> bool:
    """Whether a process drives what ticks find due."""
    try:
        locks = LockFile(lock_path(settings.store.path), create=False)
    except FileNotFoundError:
        return False
    try:
        return locks.has_conductor()
    finally:
        locks.close()


def begin_conductor(settings: Settings) -> int:
    """Begin that process; its id."""
    return drive_in_background(["tick", "--drive", "--quiet"], settings)


def conduct(settings: Settings, workflows: Workflows) -> None:
    """Be that process, unless there is one."""
    locks = LockFile(lock_path(settings.store.path), create=True)
    begun: set[tuple[str, int]] = set()
    try:
        # Whoever finds the lock taken counts on a last look after it was let go.
        while locks.try_conductor():
            try:
                stopped_by = _drive_all(settings, workflows, begun)
            finally:
                locks.end_conductor()
            if stopped_by is not None or not _look(settings, workflows, begun):
                return
    finally:
        locks.close()


def drive(
    threads: Sequence[Thread],
    *,
    settings: Settings,
    workflows: Workflows,
    report: Callable[[Recovered], None],
    more: Callable[[], Sequence[Thread]] | None = None,
) -> tuple[tuple[Recovered, ...], str | None]:
    """Resume the threads; see ``fleet.drive_each``. Those that could not be are noted, so that
    they are not tried again at once."""
    epochs = {thread.thread: thread.epoch for thread in threads}

    def look() -> Sequence[Thread]:
        found = more() if more is not None else ()
        epochs.update({thread.thread: thread.epoch for thread in found})
        return found

    def ended(outcome: Recovered) -> None:
        _note_refusal(outcome, epochs[outcome.thread.thread], settings)
        report(outcome)

    return drive_each(
        threads,
        settings=settings,
        most=workflows.most,
        report=ended,
        more=None if more is None else look,
    )


def _drive_all(settings: Settings, workflows: Workflows, begun: set[tuple[str, int]]) -> str | None:
    def more() -> Sequence[Thread]:
        found = _look(settings, workflows, begun)
        begun.update((thread.thread, thread.epoch) for thread in found)
        return found

    deliver_due(settings, _say)
    try:
        follow_retention(settings=settings, seconds=_PRUNING)
    except ConfigError as error:  # of one workflow: the others are driven all the same
        _say(f"not pruned: {error.message}")
    _, stopped_by = drive(
        more(), settings=settings, workflows=workflows, report=lambda _: None, more=more
    )
    return stopped_by


def _say(text: str) -> None:
    """Into the log of what runs in the background."""
    sys.stderr.write(f"{text}\n")


def _look(
    settings: Settings, workflows: Workflows, begun: set[tuple[str, int]]
) -> tuple[Thread, ...]:
    """What is due now and was not begun here, the queued slots whose turn has come included."""
    now = clock.now()
    file = str(workflows.file)
    with Agenda(settings.store.path, known_before=True) as agenda:
        queued = workflows.file is not None and agenda.has_queued(file)
    if queued:
        writer = Writer(settings.store.path, create=False)
        try:
            start_queued(writer, workflows.scheduled, file=file, now=now)
        finally:
            writer.close()
    with Agenda(settings.store.path, known_before=True) as agenda:
        due = agenda.due(now, recovers=workflows.recovers)
    return tuple(thread for thread in due if (thread.thread, thread.epoch) not in begun)


def _note_refusal(outcome: Recovered, epoch: int, settings: Settings) -> None:
    thread, error = outcome.thread, outcome.error
    if error is None or thread.epoch != epoch or outcome.exit_status in _NOT_REFUSED:
        return
    writer = Writer(settings.store.path, create=False)
    try:
        at_desk(writer, lambda desk: desk.refuse(thread.thread, now=clock.now(), error=error))
    finally:
        writer.close()
