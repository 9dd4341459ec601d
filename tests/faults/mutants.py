"""durajob with one of its cures taken out: what proves that the harness can see."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any


def trust_next() -> None:
    """What failed outside of a step leaves ``next`` empty, and that is taken for the end."""
    from durajob.engine import drive, ending

    finish = ending.finish

    def trusting(job: Any, run: Any, error: BaseException | None) -> Any:
        blameless = error is not None and id(error) not in run.failures
        ended = blameless and not run.drain.requested
        return finish(job, run, None if ended else error)

    setattr(drive, "finish", trusting)  # noqa: B010 - that is the fault


def sync_nothing() -> None:
    """The ledger's commits are as durable as any: not synced."""
    from durajob.store.door import Door

    def always_normal(self: Door, level: str) -> None:
        self._connection.execute("PRAGMA synchronous = NORMAL")

    setattr(Door, "_set_synchronous", always_normal)  # noqa: B010 - that is the fault


def commit_later() -> None:
    """A step's result is handed on, and the ledger has it a little later."""
    import threading

    from durajob.store.door import Door

    write = Door.write

    def later(self: Door, operation: Any, *, durable: bool, finished: int = 0) -> Any:
        if not finished:
            return write(self, operation, durable=durable)

        def commit() -> None:
            with suppress(Exception):  # the process may have ended with the thread by then
                write(self, operation, durable=durable, finished=finished)

        threading.Timer(0.02, commit).start()
        return None

    setattr(Door, "write", later)  # noqa: B010 - that is the fault


def fence_nothing() -> None:
    """A write asks for no epoch."""
    from durajob.store import queries

    queries.FENCE = queries.FENCE.replace("epoch = ?", "? IS NOT NULL")


def order_by_id() -> None:
    """The latest checkpoint is the one with the greatest id, as its clock would have it."""
    from durajob.store.saver import Saver

    def latest(self: Saver, thread: str, ns: str) -> str | None:
        with self.cursor(transaction=False) as cursor:
            row = cursor.execute(
                "SELECT max(checkpoint_id) FROM checkpoints"
                " WHERE thread_id = ? AND checkpoint_ns = ?",
                (thread, ns),
            ).fetchone()
        found: str | None = row[0]
        return found

    setattr(Saver, "_latest", latest)  # noqa: B010 - that is the fault


def commit_finally() -> None:
    """A transaction is committed however it went."""
    from durajob.store.door import Door

    def commit(self: Door) -> None:
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")

    setattr(Door, "_roll_back", commit)  # noqa: B010 - that is the fault


MUTANTS: dict[str, Callable[[], None]] = {
    mutant.__name__: mutant
    for mutant in (
        trust_next,
        sync_nothing,
        commit_later,
        fence_nothing,
        order_by_id,
        commit_finally,
    )
}
