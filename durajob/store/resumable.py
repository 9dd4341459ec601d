"""Whether all that a resume of a thread builds upon is there, and is what was written.

Asked before anything is opened for writing. What the run will read is read, and each place in
the file where it will write is looked up, so that a page which is broken is met here, and not
by a process that has already claimed the thread.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from typing import Any

from durajob.store import read_queries as queries
from durajob.store import seals

Rows = Callable[[str, Any], Generator[Any, None, None]]
"""Runs a query, and refuses a store that cannot be read."""


def check_resumable(row: Mapping[str, Any], rows: Rows) -> None:
    """Look at a thread, given every column of its row.

    Raises:
        seals.Altered: saying what is not what was written.
        StoreDamaged: from ``rows``.
    """
    id, thread, pointer = row["id"], row["thread"], row["checkpoint_id"]
    if pointer is not None:
        stored = _first(rows, queries.CHECKPOINT, (thread, "", pointer))
        seals.check_checkpoint(thread, "", pointer, stored)
        if row["status"] not in ("completed", "cancelled") and row["outcome"] is None:
            seals.check_next(stored, row["superstep"], row["next"])
    latest = _first(rows, queries.LATEST_CHECKPOINT, (thread, ""))
    if (None if latest is None else latest[0]) != pointer:
        raise seals.Altered(f"its latest checkpoint is {latest}, not {pointer}")
    with closing(rows(queries.PENDING_WRITES, (thread,))) as writes:
        seals.check_writes(writes)
    with closing(rows(queries.COMPENSATIONS, (id,))) as compensations:
        seals.check_compensations(compensations)
    with closing(rows(queries.RESULTS, (id,))) as results:
        seals.check_results(id, results)
    check_attempts(id, row["superstep"], rows)
    check_count(row["done"], _first(rows, queries.COUNT_FINISHED, (id,))[0])
    for query in (*queries.RUN_READS, *queries.RUN_WRITES):
        for _ in rows(query, {"id": id, "thread": thread, "superstep": row["superstep"]}):
            pass


def check_attempts(id: int, superstep: int, rows: Rows) -> None:
    """Refuse finished steps without their result, and results without their finished step."""
    for query, what in (
        (queries.LOST_RESULTS, "the result of {!r} is gone"),
        (queries.LOST_ATTEMPTS, "the attempt that gave the result of {!r} is gone"),
    ):
        lost = _first(rows, query, {"id": id, "superstep": superstep})
        if lost is not None:
            raise seals.Altered(what.format(lost[0]))


def check_count(done: int, found: int) -> None:
    """Refuse fewer finished attempts than the thread's row has counted."""
    if found < done:
        raise seals.Altered(f"of {done} steps that have finished, {done - found} are gone")


def check_name(step: str, key: str) -> str:
    """The name of a step, unless it is not the one that its place in the run has."""
    _, *said = key.split(":")
    if said and "/" not in key:  # of a step in a subgraph it is not so plain
        name, *path = said
        branch = f"[{path[0]}]" if len(path) == 1 else f"({path[-1]})" if path else ""
        if step != f"{name}{branch}":
            raise seals.Altered(f"the step at {key!r} is not {step!r}")
    return step


def check_newest(rows: Rows) -> None:
    """Refuse a store in which the thread that was accepted last has lost one of its two rows."""
    threads, origins = _first(rows, queries.NEWEST, ())
    if threads != origins:
        raise seals.Altered("threads are gone")


def check_all(seen: int, oldest: int, before: int, rows: Rows) -> None:
    """Refuse a store in which threads are gone from the ``oldest`` row on, up to another."""
    if seen != _first(rows, queries.ORIGINS_BETWEEN, (oldest, before))[0]:
        raise seals.Altered("threads are gone")


def _first(rows: Rows, query: str, values: Any) -> Any:
    with closing(rows(query, values)) as found:
        return next(found, None)
