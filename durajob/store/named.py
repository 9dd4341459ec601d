"""Locks that steps name: a queue, and behind it seats, as bytes of the store's lock file.

The kernel says who waits and who holds; the tables only say who that is. Each turn has an
open file of its own, so that two steps of one process exclude one another like two
processes, and the death of a process frees what it held and skips it in the queue.

Turns are numbered in the order in which their transactions commit. Whoever sees that nobody
with a smaller number still waits is the first, and gets in once fewer hold the lock than its
own limit says. Since seats are taken within a transaction of the store, two cannot count at
once.
"""

from __future__ import annotations

import os
from typing import Any

from durajob import clock
from durajob.model import LockHolder
from durajob.policies import MAX_HOLDERS
from durajob.store import queries, read_queries
from durajob.store.door import Door
from durajob.store.locks import LockFile
from durajob.store.records import lock_holders


class Turn:
    """A turn at a named lock: first waited for, then held, then left."""

    def __init__(self, door: Door, name: str, *, limit: int, step: str) -> None:
        """Queue up, and get in at once if nobody waits and there is room."""
        self.name = name
        self.limit = limit
        self.step = step
        self._door = door
        self._file = LockFile(door.lock_file.path, create=True)
        self._number = self._turn = -1
        self._ahead: list[int] = []
        self._seat: int | None = None
        try:
            door.write(self._queue_up, durable=False)
            self._sit_down()
        except BaseException:
            self._file.close()
            raise

    def try_enter(self) -> bool:
        """Whether the lock is held now."""
        if self._seat is None and self._is_first() and self._has_room():
            self._door.write(self._enter, durable=False)
            self._sit_down()
        return self._seat is not None

    def holders(self) -> tuple[LockHolder, ...]:
        """Who holds the lock."""
        with self._door.reading() as cursor:
            rows = cursor.execute(read_queries.LOCK_HOLDERS, (self._number,)).fetchall()
        return tuple(lock_holders(rows, self._file, self._number))

    def leave(self) -> None:
        """Let go of the lock, or of the turn; costs no commit of its own."""
        self._file.unlock_all()
        self._file.close()
        turn = self._turn
        self._door.write_later(lambda cursor: cursor.execute(queries.LEAVE_LOCK, (turn,)))

    def _queue_up(self, cursor: Any) -> None:
        self._file.unlock_all()  # this may be run twice, if another operation fails beside it
        door = self._door
        cursor.execute(queries.NAME_LOCK, (self.name,))
        self._number = cursor.execute(queries.LOCK_NUMBER, (self.name,)).fetchone()[0]
        values = (self._number, door.row, self.step, os.getpid(), self.limit, clock.now())
        self._turn = cursor.execute(queries.TAKE_TURN, values).fetchone()[0]
        self._file.try_turn(self._turn)
        before = cursor.execute(queries.TURNS_BEFORE, (self._number, self._turn)).fetchall()
        self._ahead = [turn for (turn,) in before]
        self._enter(cursor)

    def _enter(self, cursor: Any) -> None:
        self._seat = None
        if not self._is_first() or not self._has_room():
            return
        seat = next(s for s in range(MAX_HOLDERS) if self._file.try_named(self._number, s))
        cursor.execute(queries.CLEAR_TURNS, (self._number, seat, self._turn))
        cursor.execute(queries.TAKE_SEAT, (seat, clock.now(), self._turn))
        self._seat = seat

    def _sit_down(self) -> None:
        if self._seat is not None:
            # Only now: the next in the queue must find this one in its seat.
            self._file.unlock_turn(self._turn)

    def _is_first(self) -> bool:
        # From the back: as long as the one before waits, it does not matter who else does.
        while self._ahead and not self._file.turn_is_waited_for(self._ahead[-1]):
            self._ahead.pop()
        return not self._ahead

    def _has_room(self) -> bool:
        return self._file.count_named(self._number) < self.limit
