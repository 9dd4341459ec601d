"""Notifications that are due, as whoever delivers them sees them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from durajob import clock
from durajob.model import Thread
from durajob.policies import NotifyPolicy
from durajob.store import outbox_queries as queries
from durajob.store.driver import FAILURES, translate
from durajob.store.notifications import Announcer, Notification
from durajob.store.write import Writer

_LOOK_EVERY = 0.02  # seconds
_KEPT = 30 * 86_400_000_000
"""Microseconds that one of a slot is kept once it has ended: no thread takes it along."""


class About(NamedTuple):
    """The thread that a notification is about, as far as delivering needs it."""

    thread: str
    status: str  # as stored
    epoch: int
    environment: Mapping[str, Any]


class Outbox(Writer):
    """The notifications of a store, open for delivering them."""

    def due(self) -> list[Notification]:
        """What is due now, oldest first; of pings, none before those that it comes after."""
        rows = self._read(queries.DUE_NOTIFICATIONS, {"now": clock.now()})
        return [Notification(*row)._replace(details=json.loads(row[8])) for row in rows]

    def about(self, row: int) -> About | None:
        """The thread of a row; None when it was pruned."""
        for thread, status, epoch, environment in self._read(queries.THREAD_OF_ROW, (row,)):
            return About(thread, status, epoch, json.loads(environment))
        return None

    @contextmanager
    def taken(self, notification: Notification, *, patience: float) -> Iterator[bool]:
        """Deliver it, alone; False when it was delivered by another process, or tried just now,
        or another is still at it after so many seconds."""
        end = clock.monotonic() + patience
        while not self.locks.try_notification(notification.id):
            if clock.monotonic() >= end:
                yield False
                return
            time.sleep(_LOOK_EVERY)
        try:
            values = (notification.id, clock.now())
            found = self._read(queries.NOTIFICATION_IS_DUE, values)
            yield found == [(notification.tries,)]
        finally:
            self.locks.end_notification(notification.id)

    def begin(self, notification: Notification, *, again_at: int) -> None:
        """It is about to be tried; should this process die of it, it is due again then."""
        values = (again_at, notification.id)
        self._transact(lambda cursor: cursor.execute(queries.TRY_NOTIFICATION, values))

    def end(self, notification: Notification, status: str, error: str | None = None) -> None:
        """It was sent, is given up, or dropped since nobody is to be told of it any more."""
        now = clock.now()

        def end(cursor: Any) -> None:
            cursor.execute(queries.END_NOTIFICATION, (status, error, now, notification.id))
            if notification.row is None:
                cursor.execute(queries.FORGET_NOTIFICATIONS, (now - _KEPT,))

        self._transact(end)

    def put_off(self, notification: Notification, error: str) -> None:
        """It could not be delivered, and is tried again when that is due."""
        values = (error, notification.id)
        self._transact(lambda cursor: cursor.execute(queries.PUT_NOTIFICATION_OFF, values))

    def note_interrupted(
        self, threads: Sequence[Thread], policy: Callable[[str], NotifyPolicy | None]
    ) -> bool:
        """Note of threads that their owner is gone; ``policy`` tells by a row's definition who is
        to hear that. Whether anybody is.

        One that was claimed since, or was noted before, is left as it is.
        """
        wanted = []
        for thread in threads:
            found = self._read(queries.INTERRUPTED, (thread.thread, thread.epoch))
            for row, definition, _ in found:
                announcer = Announcer.of(
                    policy(definition), row=row, workflow=thread.workflow, definition=definition
                )
                if announcer is not None and announcer.policy.means("interrupted"):
                    wanted.append((thread, announcer))

        def note(cursor: Any) -> None:
            for thread, announcer in wanted:
                values = (thread.thread, thread.epoch)
                still = cursor.execute(queries.INTERRUPTED, values).fetchone()
                if still is not None:
                    announcer.announce(cursor, "interrupted", epoch=still[2])

        if wanted:
            self._transact(note)
        return bool(wanted)

    def _read(self, query: str, values: Any) -> list[Any]:
        try:
            return list(self._connection.execute(query, values).fetchall())
        except FAILURES as error:
            raise translate(error, str(self.path)) from error
