"""Which checkpoints of a thread are kept once it has moved on, and which are thinned out.

Each checkpoint holds the whole state, so a thread that kept them all would grow with the
square of its steps. A resume needs the latest alone; those before it are spent, and are kept
so that people can look back and fork. As long as they take little room, all are kept. Beyond
``budget``, the one just before the latest stays, and of the others fewer the older they are.

What a subgraph has stored is spent as soon as the graph around it has gone on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from durajob.store import queries

LEAST = 500_000
"""Bytes of spent checkpoints that every thread may keep."""
A_STEP = 1_000
"""Bytes for each superstep, beyond as much as the latest checkpoint has."""
_ROW = 200  # bytes that a checkpoint takes besides what it holds


class Kept(NamedTuple):
    """A checkpoint that is in the store."""

    id: str
    superstep: int
    size: int


class Spent:
    """Thins what one owner's thread leaves behind; called within the door's transactions."""

    def __init__(self, thread: str, *, resumed: bool) -> None:
        """``resumed``: an earlier owner may have left something."""
        self._thread = thread
        self._resumed = resumed
        self._inner = resumed  # whether a subgraph may have stored something
        self._kept: dict[str, list[Kept]] = {}  # by namespace, oldest first
        self._bytes: dict[str, int] = {}

    def store(self, cursor: Any, ns: str, latest: Kept) -> None:
        """``latest`` is about to be stored in ``ns``: what came before it is spent."""
        if ns != "":
            self._inner = True
        elif self._inner:
            self._drop_inner(cursor)
        kept = self._kept.get(ns)
        if kept is None:
            kept = kept_of(cursor, self._thread, ns) if self._resumed else []
            self._kept[ns], self._bytes[ns] = kept, sum(each.size for each in kept)
        if kept and self._bytes[ns] > budget(latest):
            gone = too_many(kept, budget(latest))
            drop(cursor, self._thread, ns, gone)
            kept = self._kept[ns] = [each for each in kept if each.id not in gone]
            self._bytes[ns] = sum(each.size for each in kept)
        kept.append(latest)
        self._bytes[ns] += latest.size

    def met_inner(self) -> None:
        """A subgraph has stored something else."""
        self._inner = True

    def _drop_inner(self, cursor: Any) -> None:
        for query in queries.DROP_INNER:
            cursor.execute(query, (self._thread,))
        self._inner = False
        for ns in [each for each in self._kept if ":" in each]:
            del self._kept[ns], self._bytes[ns]


def size_of(data: bytes, metadata: bytes) -> int:
    """Bytes that a checkpoint takes in the store, about."""
    return len(data) + len(metadata) + _ROW


def budget(latest: Kept) -> int:
    """Bytes that spent checkpoints may have before they are thinned."""
    return max(LEAST, latest.size + A_STEP * max(latest.superstep, 0))


def kept_of(cursor: Any, thread: str, ns: str) -> list[Kept]:
    """The checkpoints of a namespace that are in the store, oldest first."""
    found = cursor.execute(queries.KEPT, (_ROW, thread, ns)).fetchall()
    return [Kept(id, superstep, size) for id, superstep, size in found]


def too_many(kept: Sequence[Kept], allowed: int) -> set[str]:
    """Ids of checkpoints to be dropped, so that what is left has a little less than allowed.

    ``kept`` is oldest first; its last is never dropped. What goes first takes much room and
    has close neighbours, beside how long ago it is.
    """
    *others, last = kept
    room = allowed - last.size
    room -= room // 4  # so that it is not done at each step
    gone = {each.id for each in others if each.size > room}  # beside those nothing else could stay
    others = [each for each in others if each.size <= room]
    total = sum(each.size for each in others)
    while others and total > room:
        dropped = set[int]()
        least_first = sorted(range(len(others)), key=_worth(others, last))
        # What a neighbour is worth changes when one goes, so only half are looked at at once.
        for index in least_first[: (len(others) + 1) // 2]:
            if total <= room:
                break
            if index - 1 not in dropped and index + 1 not in dropped:
                dropped.add(index)
                total -= others[index].size
        gone.update(others[index].id for index in dropped)
        others = [each for index, each in enumerate(others) if index not in dropped]
    return gone


def drop(cursor: Any, thread: str, ns: str, ids: set[str]) -> None:
    """Delete checkpoints, with what was written beside them."""
    for query in queries.DROP_CHECKPOINT:
        cursor.executemany(query, [(thread, ns, id) for id in ids])


def _worth(others: Sequence[Kept], last: Kept) -> Any:
    def worth(index: int) -> float:
        if index == 0:
            return float("inf")  # where all began
        after = others[index + 1] if index + 1 < len(others) else last
        gap = after.superstep - others[index - 1].superstep
        age = last.superstep - others[index].superstep
        return gap / (max(age, 1) * others[index].size)

    return worth
