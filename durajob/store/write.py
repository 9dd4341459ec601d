"""Admitting and claiming threads: what is written before, and by which, one owns a thread."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from durajob import clock
from durajob.store import hand_queries, queries, seals
from durajob.store.door import Door
from durajob.store.driver import FAILURES, translate
from durajob.store.files import open_for_writing
from durajob.store.forks import Fork, insert
from durajob.store.holders import held_by
from durajob.store.ledger import Crashes
from durajob.store.notifications import Announcer
from durajob.store.processes import describe_self, user_name
from durajob.store.wal import Log

T = TypeVar("T")


class Writer:
    """A store open for writing. The locks taken through it are held until it is closed."""

    def __init__(self, path: Path, *, create: bool) -> None:
        """Open the store, creating or migrating it where needed; see ``files``."""
        self.path = path
        self._connection, self.locks = open_for_writing(path, create=create)
        self._log = Log(self._connection, path)

    def close(self) -> None:
        """Let go of the files and of every lock."""
        try:
            self._connection.close()
        except FAILURES as error:
            raise translate(error, str(self.path)) from error
        finally:
            self.locks.close()

    def admit(self, row: Mapping[str, Any]) -> bool:
        """Make the thread's row durable; False when the thread id is taken.

        ``row`` names the parameters of ``queries.ADMIT`` but ``now``.
        """
        values = {**row, "now": clock.now()}
        admitted: bool = self._transact(lambda cursor: _admit(cursor, values) is not None)
        return admitted

    def reserve_row(self) -> int:
        """A row id that no other thread will have, for one that is admitted later."""
        reserved: int = self._transact(
            lambda cursor: cursor.execute(hand_queries.RESERVE_ROW).fetchone()[0]
        )
        return reserved

    def fork(self, row: Mapping[str, Any], fork: Fork, *, id: int | None) -> bool:
        """Admit a thread that begins where another has been; False when the thread id is taken.

        ``row`` is as for ``admit``; ``id`` a row id that was reserved.
        """
        now = clock.now()

        def admit(cursor: Any) -> bool:
            admitted = _admit(cursor, {**row, "now": now, "id": id})
            if admitted is not None:
                insert(cursor, admitted, row["thread"], fork)
                reason, details = fork.reason, fork.details
                self._intervene(cursor, admitted, now, verb="fork", reason=reason, details=details)
            return admitted is not None

        forked: bool = self._transact(admit)
        return forked

    def together(self, operation: Callable[[Any], T]) -> T:
        """Run ``operation(cursor)`` in one durable transaction; what it returned."""
        value: T = self._transact(operation)
        return value

    def claim(
        self,
        row: int,
        changes: Mapping[str, Any],
        *,
        crashed: bool = False,
        announcer: Announcer | None = None,
        interrupted: bool = False,
        said: tuple[str, ...] = (),
    ) -> Door | None:
        """Make this process the owner of a thread whose lock it holds.

        ``changes`` names the parameters of ``queries.CLAIM`` but ``id``, ``now``, ``owner``.
        ``crashed``: the owner before died of what a step may have done. ``interrupted``: it died,
        of whatever, and ``announcer`` notes that, and that a run begins. ``said``: what a person
        insisted on, kept with who that was.
        Returns None when the thread has meanwhile ended for good.
        """
        now = clock.now()
        own = describe_self(now)
        values = {**changes, "id": row, "now": now, "owner": json.dumps(own)}

        def claim(cursor: Any) -> Any:
            in_flight = cursor.execute(queries.IN_FLIGHT, values).fetchone()[0]
            if in_flight:
                seen = {"counts": crashed, "alone": in_flight == 1}
                cursor.execute(queries.ABANDON, {**values, **seen})
            if changes["reset"]:
                cursor.execute(queries.FORGIVE_CRASHES, values)
            (left,) = cursor.execute(queries.LAST_CLAIM, values).fetchone()
            claimed = cursor.execute(queries.CLAIM, values).fetchone()
            if claimed is not None:
                if said:
                    self._intervene(cursor, row, now, verb="resume", details={"options": said})
                seal = {"claim_crc": _seal_of_claim(row, values), "epoch": claimed[0]}
                cursor.execute(queries.CLAIM_ORIGIN, {**values, **seal})
                cursor.execute(queries.NOTE_CLAIM, {**values, **own})
                if announcer is not None:
                    if interrupted:
                        announcer.announce(cursor, "interrupted", epoch=left)
                    announcer.announce(cursor, "started", epoch=claimed[0])
            return claimed

        claimed = self._transact(claim)
        if not claimed:
            return None
        epoch, cancelling = claimed
        return Door(
            self._connection,
            self.locks,
            self.path,
            row=row,
            epoch=epoch,
            cancelling=bool(cancelling),
        )

    def hold(self, row: int, epoch: int) -> Door:
        """The door of a thread whose lock this process holds, without claiming it."""
        return Door(self._connection, self.locks, self.path, row=row, epoch=epoch)

    def wish_cancelled(self, row: int, *, reason: str | None) -> None:
        """Make it durable that a person wants the thread cancelled, who, when and why.

        Whoever claims the thread from now on cancels it. A wish that stands is left as it is.
        """

        def wish(cursor: Any) -> None:
            now = clock.now()
            if cursor.execute(queries.WISH_CANCELLED, {"id": row, "now": now}).rowcount:
                self._intervene(cursor, row, now, verb="cancel", reason=reason)

        self._transact(wish)

    def cancel(self, row: int) -> bool:
        """End a thread that is to be cancelled, and whose lock this process holds.

        False when something is due first, or it has ended.
        """
        values = {"id": row, "now": clock.now()}

        def cancel(cursor: Any) -> bool:
            changed: bool = cursor.execute(queries.CANCEL, values).rowcount == 1
            if changed:
                cursor.execute(queries.ABANDON, {**values, "counts": False, "alone": False})
            return changed

        cancelled: bool = self._transact(cancel)
        return cancelled

    def last_crashes(self, row: int, step: str) -> Crashes | None:
        """What the last attempt of a step has to do with processes that died."""
        try:
            found = self._connection.execute(queries.LAST_CRASHES, (row, step)).fetchone()
        except FAILURES as error:
            raise translate(error, str(self.path)) from error
        return None if found is None else Crashes(times=found[0], alone=bool(found[1]))

    def answer(self, row: int, question: str, answer: str, *, step: str, by: str) -> bool:
        """Make an answer durable; False when the question is not open any more.

        Whoever answers need not own the thread, and takes it from nobody.
        """
        values = {"id": row, "question": question, "answer": answer, "by": by, "now": clock.now()}

        def record(cursor: Any) -> bool:
            cursor.execute(queries.ANSWER, values)
            if cursor.rowcount != 1:
                return False
            cursor.execute(queries.TOUCH, {"id": row, "now": values["now"]})
            asked = {"question": question}
            self._intervene(cursor, row, clock.now(), verb="answer", step=step, details=asked)
            return True

        answered: bool = self._transact(record)
        return answered

    def take_lock(self, row: int) -> None:
        """Take the thread's lock.

        Raises:
            Busy: when another process holds it.
        """
        if not self.locks.try_thread(row):
            thread, owner = self._connection.execute(queries.OWNER, (row,)).fetchone()
            raise held_by(thread, self.path, row, None if owner is None else json.loads(owner))

    def _intervene(
        self,
        cursor: Any,
        row: int,
        now: int,
        *,
        verb: str,
        step: str | None = None,
        reason: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep what a person did by hand, in the transaction that does it."""
        values = {
            "id": row,
            "now": now,
            "user": user_name(),
            "verb": verb,
            "step": step,
            "reason": reason,
            "details": None if details is None else json.dumps(details),
        }
        cursor.execute(queries.INTERVENE, values)

    def _transact(self, operation: Any, *, brief: bool = False) -> Any:
        """Run ``operation(cursor)`` in one transaction, which is on the disk when this returns.

        ``brief``: others have the store again before it is, once it is committed.
        """
        connection = self._connection
        try:
            connection.execute(f"PRAGMA synchronous = {'NORMAL' if brief else 'FULL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                cursor = connection.cursor()
                value = operation(cursor)
                commits = cursor.execute(queries.COUNT_COMMIT).fetchone()[0]
                store_id = cursor.execute(queries.STORE_ID).fetchone()[0]
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            if brief:
                self._log.sync()
            # The counter only helps to notice a lost log; it may lag behind.
            with suppress(OSError):
                self.locks.write_commits(store_id, commits)
            self._log.shorten_if_long()
        except (*FAILURES, OSError) as error:
            raise translate(error, str(self.path)) from error
        return value


def _admit(cursor: Any, values: Mapping[str, Any]) -> int | None:
    """The row id of the thread that is admitted; None when the thread id is taken."""
    query = queries.ADMIT if values.get("id") is None else hand_queries.ADMIT_AT
    row = cursor.execute(query, values).fetchone()
    if row is None:
        return None
    kept = [values[name] for name in ("thread", "workflow", "slot", "now", "input")]
    crc = seals.of_origin(row[0], *kept)
    seals_of = {"crc": crc, "claim_crc": _seal_of_claim(row[0], values)}
    cursor.execute(queries.ADMIT_ORIGIN, {**values, "id": row[0], **seals_of})
    return int(row[0])


def admit_row(cursor: Any, row: Mapping[str, Any]) -> bool:
    """Write the rows of a new thread; see ``Writer.admit``."""
    return _admit(cursor, {**row, "now": clock.now()}) is not None


def _seal_of_claim(row: int, values: Mapping[str, Any]) -> int:
    return seals.of_claim(row, *(values[name] for name in seals.CLAIMED))
