"""The threads that wait for a person."""

from __future__ import annotations

from durajob.commands.ids import answer_command
from durajob.config.settings import Settings
from durajob.errors import NoStore
from durajob.model import Approvals, ThreadStatus
from durajob.store.read import Reader


def approvals(*, settings: Settings) -> Approvals:
    """All threads with questions that nobody has answered, newest first."""
    try:
        with Reader(settings.store.path) as reader:
            waiting = tuple(
                thread
                for thread in reader.threads(statuses=(ThreadStatus.WAITING,))
                if thread.waiting_for
            )
    except NoStore:
        return Approvals(threads=(), store=settings.store.url, exists=False)
    return Approvals(
        threads=waiting,
        store=settings.store.url,
        next_command=answer_command(waiting[0]) if waiting else None,
    )
