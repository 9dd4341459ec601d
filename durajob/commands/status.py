"""One thread whole, or how all of them stand."""

from __future__ import annotations

from durajob.commands.ids import check_thread_id, way_on
from durajob.config.settings import Settings
from durajob.errors import NoStore, ThreadNotFound
from durajob.model import Overview, ThreadResult, ThreadStatus
from durajob.store.read import Reader

_ATTENTION = (ThreadStatus.WAITING, ThreadStatus.FAILED, ThreadStatus.INTERRUPTED)
_SHOWN = 20


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
                return Overview(
                    counts=reader.counts(),
                    attention=tuple(reader.threads(statuses=_ATTENTION, limit=_SHOWN)),
                    store=settings.store.url,
                )
            found = reader.find(reader.resolve(thread), whole=True)
    except NoStore as error:
        if thread is None:
            counts = dict.fromkeys(ThreadStatus, 0)
            return Overview(counts=counts, attention=(), store=settings.store.url, exists=False)
        raise ThreadNotFound(f"no thread {thread!r}: {error}", hint="durajob list") from error
    assert found is not None, "it was just resolved"
    resumable = not found.is_final and found.status is not ThreadStatus.RUNNING
    return ThreadResult(thread=found, next_command=way_on(found) if resumable else None)
