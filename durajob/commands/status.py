"""One thread whole, or how all of them stand."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from durajob import clock
from durajob.commands.ids import check_thread_id, way_on
from durajob.config.settings import Settings
from durajob.errors import NoStore, ThreadNotFound
from durajob.model import AttemptStatus, Overview, Thread, ThreadResult, ThreadStatus
from durajob.store.overview import ended_since, next_sleepers
from durajob.store.read import Reader

_ATTENTION = (
    ThreadStatus.WAITING,
    ThreadStatus.FAILED,
    ThreadStatus.INTERRUPTED,
    ThreadStatus.STOPPED,
)
_SHOWN = 10  # of each
_LATEST = 5  # of those that ended, and of those that wake next
_DAY = 86_400_000_000


def status(thread: str | None, *, settings: Settings) -> ThreadResult | Overview:
    """The thread that ``thread`` names, with its state and steps; without one, the overview.

    Raises:
        ThreadNotFound, AmbiguousThread: when it names none, or several.
    """
    if thread is not None:
        check_thread_id(thread)
    path = settings.store.path
    try:
        with Reader(path) as reader:
            if thread is None:
                return _overview(reader, settings)
            found = reader.find(reader.resolve(thread), whole=True)
    except NoStore as error:
        if thread is None:
            return Overview(
                counts=dict.fromkeys(ThreadStatus, 0),
                attention=(),
                commands={},
                sleepers=(),
                ended=(),
                ended_count=0,
                store=settings.store.url,
                exists=False,
            )
        raise ThreadNotFound(f"no thread {thread!r}: {error}", hint="durajob list") from error
    assert found is not None, "it was just resolved"
    resumable = not found.is_final and found.status is not ThreadStatus.RUNNING
    return ThreadResult(
        thread=found,
        next_command=way_on(found) if resumable else None,
        notes=_settled(found) if resumable else (),
    )


def _settled(thread: Thread) -> tuple[str, ...]:
    """That what the thread failed of was settled since: its error stays until it is resumed."""
    failed = None if thread.error is None else thread.error.step
    last = next((step for step in reversed(thread.steps or ()) if step.step == failed), None)
    if last is None or last.status is not AttemptStatus.SKIPPED:
        return ()
    return (f"step {failed} was settled by hand since: resumed, the thread goes on after it",)


def _overview(reader: Reader, settings: Settings) -> Overview:
    attention = [thread for status in _ATTENTION for thread in _needing(reader, status)]
    count, ended = ended_since(reader, clock.now() - _DAY, _LATEST)
    return Overview(
        counts=reader.counts(),
        attention=attention,
        commands={thread.thread: _command(thread) for thread in attention},
        sleepers=next_sleepers(reader, _LATEST),
        ended=ended,
        ended_count=count,
        store=settings.store.url,
    )


def _needing(reader: Reader, status: ThreadStatus) -> Iterator[Thread]:
    """The newest of a status that can still go on."""
    found = reader.threads(statuses=(status,))
    return islice((thread for thread in found if not thread.is_final), _SHOWN)


def _command(thread: Thread) -> str:
    return "durajob recover" if thread.status is ThreadStatus.INTERRUPTED else way_on(thread)
