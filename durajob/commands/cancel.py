"""Cancel a thread: its owner is stopped, what it has done is compensated, and it ends.

The wish is durable before anything else is done. Whoever claims the thread from then on, be
it this command, ``resume`` or a second ``cancel``, carries it out, so that one that was killed
half-way is finished by any of them.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from durajob import clock
from durajob.commands import running
from durajob.commands.ids import check_reason, check_thread_id
from durajob.commands.reading import reading
from durajob.commands.running import Options
from durajob.config.settings import Settings
from durajob.durations import format_duration, parse_duration
from durajob.errors import Busy, ThreadEnded, UsageError
from durajob.events import Notice
from durajob.model import ThreadResult, ThreadStatus
from durajob.store.files import held_files
from durajob.store.holders import held_by
from durajob.store.processes import drives, owner_sentence
from durajob.store.read import Reader

if TYPE_CHECKING:
    from durajob.engine.signals import Drain
    from durajob.events import Observer

GRACE = 10.0
"""Seconds that a step in flight has to finish, unless ``--grace`` says otherwise."""
_POLL = 0.05  # seconds between two looks at the owner


def cancel(
    thread: str,
    *,
    settings: Settings,
    reason: str | None,
    grace: str | None,
    observer: Observer,
) -> ThreadResult:
    """End the thread, once all that is due has been compensated.

    Raises:
        ThreadNotFound, AmbiguousThread: when ``thread`` names none, or several.
        ThreadEnded: when it has completed, or was compensated after it failed.
        Busy: when its owner runs on another machine, or we were asked to stop.
    """
    check_thread_id(thread)
    seconds = _check_grace(grace)
    check_reason(reason)
    with reading(thread, settings) as (reader, name):
        row = reader.row(name, checked=True)
    assert row is not None, "it was just resolved"
    if row["status"] == "cancelled":
        return _told(running.shown(name, settings, notes=("cancelled already",)))
    _refuse_ended(row)
    from durajob.engine.signals import Drain, watch
    from durajob.store.write import Writer

    writer = Writer(settings.store.path, create=False)
    try:
        writer.wish_cancelled(row["id"], reason=reason)
    finally:
        writer.close()
    drain = Drain()
    with watch(drain):
        row = _await_owner(name, settings, seconds, observer, drain)
        if row["status"] == "cancelled":
            return _told(running.shown(name, settings))
        _refuse_ended(row)  # it got there before the wish did
        # Whoever claims it meanwhile cancels it, too, and is waited for.
        options = Options(on_busy="wait", timeout=None, reset_resumes=True)
        result = running.run_existing(
            row, settings=settings, options=options, observer=observer, drain=drain
        )
    return _told(result)


def _told(result: ThreadResult) -> ThreadResult:
    """For ``cancel`` a cancelled thread is what was asked for, and no error."""
    if result.thread.status is not ThreadStatus.CANCELLED:
        return result
    return result._replace(exit_status=0, error=None)


def _refuse_ended(row: Mapping[str, Any]) -> None:
    if row["status"] != "cancelled" and running.has_ended(row):
        how = "completed" if row["status"] == "completed" else "failed and was compensated"
        raise ThreadEnded(
            f"thread {row['thread']} has {how}; there is nothing to cancel",
            hint=f"durajob status {row['thread']}",
        )


def _await_owner(
    thread: str, settings: Settings, grace: float, observer: Observer, drain: Drain
) -> Mapping[str, Any]:
    """Have whoever drives the thread stop; its row once nobody holds it."""
    files = held_files(settings.store.path)
    asked: int | None = None  # the epoch of the owner that was asked
    end = clock.monotonic() + grace
    while True:
        with Reader(settings.store.path, known_before=True) as reader:
            row = reader.row(thread)
        assert row is not None, "nothing deletes a thread that is to be cancelled"
        owner = json.loads(row["owner"]) if row["owner"] else None
        if not running.is_held(row["id"], settings):
            return row
        if drain.requested:
            raise Busy(
                f"asked to stop ({drain.reason}) before thread {thread} was cancelled",
                hint=f"it is to be cancelled all the same: durajob cancel {thread}",
            )
        if owner is not None and owner["host"] != os.uname().nodename:
            raise Busy(
                owner_sentence(thread, owner),
                hint=f"stop it there; then: durajob cancel {thread}",
            )
        alive = owner is not None and drives(owner, files)
        # One that claimed it after the wish carries it out, one that compensates ends it.
        ours = row["epoch"] > row["cancel_epoch"] or row["outcome"] is not None
        if owner is None or not alive:
            if clock.monotonic() >= end:
                raise held_by(thread, settings.store.path, row["id"], owner)
        elif ours:
            end = clock.monotonic() + grace
        elif asked != row["epoch"]:
            asked = row["epoch"]
            _ask(owner, files)
            text = (
                f"asked process {owner['pid']} to stop: a step in flight has "
                f"{format_duration(grace)} to finish"
            )
            observer.notify(Notice(thread=thread, at=clock.now(), text=text))
        elif clock.monotonic() >= end:
            text = f"process {owner['pid']} did not stop in time: it is killed with what it started"
            observer.notify(Notice(thread=thread, at=clock.now(), text=text))
            running.end_owner_of(row, settings)
            end = clock.monotonic() + GRACE  # for the kernel to free what the process held
        drain.wait(_POLL)


def _ask(owner: Mapping[str, Any], files: tuple[str, str]) -> None:
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(owner["pid"])
        try:
            # Between the look and the handle, the pid may have passed to another process.
            if drives(owner, files):
                signal.pidfd_send_signal(handle, signal.SIGTERM)
        except PermissionError as error:
            raise Busy(
                f"process {owner['pid']}, which owns the thread, may not be stopped by this user",
                hint="cancel it as the user who started it",
            ) from error
        finally:
            os.close(handle)


def _check_grace(text: str | None) -> float:
    if text is None:
        return GRACE
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--grace: {error}", hint="for example --grace 1m") from error
