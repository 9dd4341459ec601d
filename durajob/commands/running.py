"""What start and resume share: from a thread in the store to how driving it ended."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from durajob import clock
from durajob.commands.ids import resume_command, way_on
from durajob.config.settings import Settings
from durajob.durations import parse_duration
from durajob.errors import Busy, UsageError
from durajob.model import SHORT_SLEEP, ErrorInfo, Thread, ThreadResult, ThreadStatus
from durajob.record import Record
from durajob.store.read import Reader

if TYPE_CHECKING:
    from durajob.engine.signals import Drain
    from durajob.events import Observer
    from durajob.registry import Definition
    from durajob.store.write import Writer

_DYING = 2.0  # seconds
BUSY_CHOICES = ("fail", "skip", "wait")


class Options(Record):
    """How a thread is to be driven."""

    on_busy: str
    timeout: float | None
    take_over: bool = False
    here: bool = False
    reset_resumes: bool = False
    accept_change: bool = False
    said: tuple[str, ...] = ()  # which of these a person has typed
    epoch: int | None = None  # leave the thread alone if somebody has claimed it since


def check_choice(option: str, value: str | None, choices: tuple[str, ...]) -> None:
    """Refuse a value that is none of the choices."""
    if value is not None and value not in choices:
        raise UsageError(
            f"{option} cannot be {value[:40]!r}", hint=f"{option} takes {', '.join(choices)}"
        )


def check_timeout(text: str | None) -> float | None:
    """Seconds of ``--timeout``."""
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--timeout: {error}", hint="for example --timeout 2h") from error


def definition_of(row: Mapping[str, Any], settings: Settings) -> Definition:
    """Today's definition of a thread's workflow: from where it was when it was started."""
    from durajob.registry import Registry

    kept = json.loads(row["definition"])
    file = Path(kept["file"]) if kept["file"] else None
    if file is None or not file.exists():
        file = settings.file
    return Registry(file).get(kept["name"])


def has_ended(row: Mapping[str, Any]) -> bool:
    """Whether nothing can make the thread of this row run again."""
    return row["status"] in ("completed", "cancelled") or row["outcome"] == "compensated"


def run_existing(
    row: Mapping[str, Any],
    *,
    settings: Settings,
    options: Options,
    observer: Observer,
    drain: Drain,
) -> ThreadResult:
    """Resume a thread that has not ended for good."""
    thread = row["thread"]
    wished = row["cancel_epoch"] is not None
    if row["status"] == "waiting" and not row["due"] and not wished:
        return shown(thread, settings, notes=("it waits for an answer; nothing was run",))
    if options.epoch not in (None, row["epoch"]):
        return _claimed_since(thread, settings)
    if row["status"] == "sleeping" and not wished and not _wakes_soon(row):
        return shown(thread, settings, notes=("it sleeps on; nothing was run",))
    if (busy := _wait_or_leave(row, settings, options)) is not None:
        return busy
    # Before anything is opened for writing: what is damaged stays as it is.
    with Reader(settings.store.path) as reader:
        reader.row(thread, checked=True)
    if wished and end_undue(row, settings):
        return shown(thread, settings)
    from durajob.engine import environment

    if not options.here:
        environment.restore(json.loads(row["environment"]), thread)
    definition = definition_of(row, settings)
    return run(
        thread, definition, settings=settings, options=options, observer=observer, drain=drain
    )


def _wakes_soon(row: Mapping[str, Any]) -> bool:
    return row["wake_at"] is None or row["wake_at"] - clock.now() <= SHORT_SLEEP * 1_000_000


def end_undue(row: Mapping[str, Any], settings: Settings) -> bool:
    """End a thread that a person wants cancelled, if nothing of it is to be compensated: that
    needs none of its workflow, which may be gone. False when it takes more, or is busy."""
    from durajob.store.write import Writer

    writer = Writer(settings.store.path, create=False)
    try:
        writer.take_lock(row["id"])
        return writer.cancel(row["id"])
    except Busy:
        return False
    finally:
        writer.close()


def run(
    thread: str,
    definition: Definition,
    *,
    settings: Settings,
    options: Options,
    observer: Observer,
    drain: Drain,
    prepared: Any = None,
    writer: Writer | None = None,
) -> ThreadResult:
    """Claim an admitted thread and drive it; how it stands then.

    ``prepared`` and ``writer`` are what whoever admitted it has made already.
    """
    from durajob.engine.claim import Claim, StopAsked, claim
    from durajob.engine.drive import drive
    from durajob.engine.graph import describe
    from durajob.store.write import Writer
    from durajob.targets import load

    timeout = definition.timeout if options.timeout is None else options.timeout
    deadline = None if timeout is None else clock.monotonic() + timeout
    loaded, shape = prepared or (found := load(definition), describe(found.builder, found.policies))
    writer = writer or Writer(settings.store.path, create=False)
    try:
        request = Claim(
            thread=thread,
            definition=definition,
            loaded=loaded,
            shape=shape,
            file=definition_file(definition, settings),
            wait=options.on_busy == "wait",
            reset_resumes=options.reset_resumes,
            accept_change=options.accept_change,
            epoch=options.epoch,
            said=options.said,
        )
        try:
            job = claim(request, writer, observer=observer, drain=drain)
        except StopAsked:
            raise
        except Busy:
            if options.on_busy != "skip":
                raise
            return left_alone(thread, settings)
        if job is None:
            left = shown(thread, settings)
            if options.epoch not in (None, left.thread.epoch):
                return _claimed_since(thread, settings)
            return left
        _tell_of_start(definition, settings, job.door.row)
        outcome = drive(job, observer=observer, drain=drain, deadline=deadline)
    finally:
        writer.close()
    left = shown(
        thread,
        settings,
        timed_out=outcome.timed_out,
        abandoned=outcome.abandoned,
        known_before=True,
    )
    return left if definition.notify is None else left._replace(afterwards=partial(_tell, settings))


def _tell_of_start(definition: Definition, settings: Settings, row: int) -> None:
    """A monitor hears that the run has begun, if it is to; the run does not wait for that."""
    if definition.notify is not None and definition.notify.means("started"):
        from durajob.notify.deliver import begin_delivering

        begin_delivering(settings, row, definition.name)


def _tell(settings: Settings, say: Callable[[str], None]) -> None:
    from durajob.notify.deliver import deliver_due

    deliver_due(settings, say)


def definition_file(definition: Definition, settings: Settings) -> str | None:
    """The workflows.toml that a definition came from, as the thread's row keeps it."""
    if definition.source not in ("built-in", "target"):
        return definition.source
    return None if settings.file is None else str(settings.file)


def shown(
    thread: str,
    settings: Settings,
    *,
    timed_out: bool = False,
    abandoned: bool = False,
    notes: tuple[str, ...] = (),
    known_before: bool = False,
) -> ThreadResult:
    """The thread as it stands now, with the exit status that a driving command gives for it."""
    with Reader(settings.store.path, known_before=known_before) as reader:
        found = reader.find(thread, whole=True)
    assert found is not None, "a thread that was just driven is in the store"
    status, error = _verdict(found, timed_out)
    if found.status is ThreadStatus.FAILED and found.outcome is not None:
        notes = (*notes, _COMPENSATED if found.is_final else _COMPENSATING)
    return ThreadResult(
        thread=found,
        exit_status=status,
        error=error,
        notes=notes,
        next_command=None if found.is_final else way_on(found),
        abandoned=abandoned,
    )


def left_alone(thread: str, settings: Settings) -> ThreadResult:
    """The thread as another process drives it, where policy says to leave it alone."""
    found = shown(thread, settings).thread
    return ThreadResult(thread=found, notes=(f"thread {thread} is busy; left alone",))


def _claimed_since(thread: str, settings: Settings) -> ThreadResult:
    found = shown(thread, settings).thread
    note = f"thread {thread} was claimed by another process meanwhile; left alone"
    return ThreadResult(thread=found, notes=(note,))


def _verdict(thread: Thread, timed_out: bool) -> tuple[int, ErrorInfo | None]:
    name, status = thread.thread, thread.status
    again = resume_command(thread)
    if status is ThreadStatus.COMPLETED:
        return 0, None
    if timed_out:
        return 124, ErrorInfo(
            code="timed_out", message=f"thread {name}: the run's timeout ended it", hint=again
        )
    if status is ThreadStatus.FAILED:
        hint = None if thread.is_final else again
        return 1, ErrorInfo(code="workflow_failed", message=_failure(thread), hint=hint)
    if status is ThreadStatus.CANCELLED:
        return 4, ErrorInfo(code="cancelled", message=f"thread {name} was cancelled; it is final")
    if status is ThreadStatus.WAITING:
        return 3, ErrorInfo(code="waiting", message=_asks(thread), hint=way_on(thread))
    if status is ThreadStatus.SLEEPING:
        wake = clock.to_rfc3339(thread.wake_at)
        return 3, ErrorInfo(code="sleeping", message=f"thread {name} sleeps until {wake}")
    if status is ThreadStatus.STOPPED:
        return 75, ErrorInfo(
            code="stopped", message=f"thread {name} was stopped between steps", hint=again
        )
    return 75, ErrorInfo(code="busy", message=f"thread {name} is {status.value}", hint=again)


def _asks(thread: Thread) -> str:
    asked = thread.waiting_for
    if not asked:
        return f"thread {thread.thread} was answered, and can go on"
    prompt = asked[0].prompt
    text = " ".join((prompt if isinstance(prompt, str) else json.dumps(prompt)).split())
    more = f" (and {len(asked) - 1} more)" if asked[1:] else ""
    return f"thread {thread.thread} waits for an answer: {text[:200]}{more}"


_COMPENSATED = "what it had done is compensated; it is final"
_COMPENSATING = "a resume goes on with that compensation, and runs no step of the graph again"


def _failure(thread: Thread) -> str:
    error = thread.error
    undone = f"; {_COMPENSATED}" if thread.is_final else ""
    if error is None:
        return f"thread {thread.thread} failed{undone}"
    where = "" if error.step is None else f" in step {error.step}"
    what = " ".join(f"{error.type}: {error.message}".split())  # an error is one line
    return f"thread {thread.thread} failed{where}: {what[:1000]}{undone}"


def _wait_or_leave(
    row: Mapping[str, Any], settings: Settings, options: Options
) -> ThreadResult | None:
    """Find out cheaply that another process owns the thread, before anything is imported."""
    busy = busy_with(row, settings)
    if busy is None:
        return None
    if options.take_over:
        end_owner_of(row, settings)
        return None
    if options.on_busy == "wait":
        return None
    if options.on_busy == "skip":
        return left_alone(row["thread"], settings)
    raise busy


def busy_with(row: Mapping[str, Any], settings: Settings) -> Busy | None:
    """The refusal of a thread that another process owns; None when nobody does."""
    from durajob.store.files import held_files
    from durajob.store.holders import held_by
    from durajob.store.processes import is_alive, still_drives

    path = settings.store.path
    files = held_files(path)
    owner = json.loads(row["owner"]) if row["owner"] else None
    alive = owner is not None and still_drives(row["status"], owner, files)
    if not alive and not is_held(row["id"], settings):
        return None
    if not alive and owner is not None and not is_alive(owner) and _is_let_go(row["id"], settings):
        return None
    return held_by(row["thread"], path, row["id"], owner)


def end_owner_of(row: Mapping[str, Any], settings: Settings) -> None:
    """Kill whoever drives the thread and whatever an owner left behind, and leave word that no
    step of it did that.

    Raises:
        Busy: when it cannot be ended from here.
    """
    from durajob.engine.takeover import end_owner
    from durajob.store.ended import leave_word
    from durajob.store.files import held_files, log_folder
    from durajob.store.holders import end_holders

    path = settings.store.path
    owner = json.loads(row["owner"]) if row["owner"] else None
    if end_owner(row["thread"], owner, held_files(path)):
        leave_word(log_folder(path) / str(row["id"]), row["epoch"])
    end_holders(row["thread"], path, row["id"])


def _is_let_go(row: int, settings: Settings) -> bool:
    """Whether the processes of a dead owner's steps, which are killed with it, let the thread
    go within the time that takes."""
    end = clock.monotonic() + _DYING
    while is_held(row, settings):
        if clock.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def is_held(row: int, settings: Settings) -> bool:
    from durajob.store.files import lock_path
    from durajob.store.locks import LockFile

    try:
        locks = LockFile(lock_path(settings.store.path), create=False)
    except FileNotFoundError:
        return False
    try:
        return locks.thread_is_held(row)
    finally:
        locks.close()
