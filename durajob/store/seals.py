"""Checksums of what a resume builds upon: SQLite's pages carry none.

A byte that a disk has flipped inside a value leaves the file a sound database. So each row that
a thread goes on from carries the CRC-32 of what it says and of where it belongs. A row without
one was written by an older durajob, or copied from another thread, and is taken as it stands.

The columns of ``threads`` that change with every commit carry none: what depends on them is
compared with what does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from zlib import crc32

CLAIMED = ("definition", "shape", "fingerprint", "environment")
"""Columns of ``origins`` that each claim says anew."""


class Altered(ValueError):
    """Something is not what was written."""


def of_origin(row: int, *parts: Any) -> int:
    """Of what never changes: thread id, workflow, slot, when it was admitted, input."""
    return crc32(repr((row, *parts)).encode("utf-8", "surrogatepass"))


def of_claim(row: int, *parts: Any) -> int:
    """Of what each claim says anew: definition, shape, its fingerprint, environment."""
    return crc32(repr((row, *parts)).encode("utf-8", "surrogatepass"))


def of_checkpoint(
    thread: str, ns: str, id: str, parent: str | None, kind: str, data: bytes, metadata: bytes
) -> int:
    """Of a checkpoint, wherever in the file its row is found."""
    place = "\0".join((thread, ns, id, parent or "", kind))
    return crc32(metadata, crc32(data, crc32(place.encode())))


def of_next(superstep: int, pending: str) -> int:
    """Of what the thread's row says of its latest checkpoint."""
    return crc32(f"{superstep}\0{pending}".encode("utf-8", "surrogatepass"))


def of_write(*parts: Any) -> int:
    """Of a pending write: whose it is, its channel, type and value; columns of PENDING_WRITES."""
    return crc32(repr(parts).encode("utf-8", "surrogatepass"))


def of_result(row: int, key: str, kind: str, value: bytes) -> int:
    """Of the result of a finished step."""
    return crc32(value, crc32(f"{row}\0{key}\0{kind}".encode("utf-8", "surrogatepass")))


def of_effect(
    row: int, place: str, name: str, key: str, status: str, kind: str, value: bytes
) -> int:
    """Of an effect: that it was done, with which key and which result."""
    text = "\0".join((str(row), place, name, key, status, kind))
    return crc32(value, crc32(text.encode("utf-8", "surrogatepass")))


def of_compensation(row: int, key: str, node: str, *values: Any) -> int:
    """Of what a compensation is handed: the state and the result, as types and bytes."""
    return crc32(repr((row, key, node, *values)).encode("utf-8", "surrogatepass"))


def check_origin(crc: int | None, row: int, *parts: Any) -> None:
    """Refuse a thread that is not the one that was admitted."""
    if crc is not None and crc != of_origin(row, *parts):
        raise Altered("its id, workflow, slot, time or input is not what was written")


def check_claim(crc: int | None, row: int, *parts: Any) -> None:
    """Refuse a thread whose workflow or environment is not what was written."""
    if crc is not None and crc != of_claim(row, *parts):
        raise Altered("its definition, shape or environment is not what was written")


def check_checkpoint(thread: str, ns: str, id: str, stored: Any) -> None:
    """Refuse a checkpoint that is not what was stored; ``stored`` is a row of CHECKPOINT."""
    if stored is None:
        raise Altered(f"checkpoint {id} is gone")
    kind, data, metadata, crc, _, parent = stored
    if crc is None:
        return
    try:
        same = crc == of_checkpoint(thread, ns, id, parent, kind, data, metadata)
    except (TypeError, AttributeError, UnicodeError) as error:
        raise Altered(f"checkpoint {id} is not what was written") from error
    if not same:
        raise Altered(f"checkpoint {id} is not what was written")


def check_next(stored: Any, superstep: Any, pending: Any) -> None:
    """Refuse a thread's row that does not go with its checkpoint."""
    next_crc = stored[4]
    if next_crc is not None and next_crc != of_next(superstep, pending):
        raise Altered("what comes next is not what was written")
    if json.loads(stored[2])["step"] != superstep:
        raise Altered("the superstep is not that of the checkpoint")


def check_writes(writes: Iterable[Any]) -> None:
    """Refuse pending writes that are not what was stored; rows of PENDING_WRITES."""
    for *parts, crc in writes:
        if crc is not None and crc != of_write(*parts):
            raise Altered(f"a pending write to {parts[6]!r} is not what was written")


def check_results(row: int, results: Iterable[Any]) -> None:
    """Refuse results that are not what the steps returned; rows of RESULTS."""
    for key, kind, value, crc in results:
        if crc is not None and not (
            isinstance(key, str)
            and isinstance(kind, str)
            and isinstance(value, bytes)
            and crc == of_result(row, key, kind, value)
        ):
            raise Altered(f"the result of {key!r} is not what was written")


def check_compensations(compensations: Iterable[Any]) -> None:
    """Refuse what a compensation is handed if it is not what was written; rows of
    COMPENSATIONS."""
    for row, key, node, *values, crc in compensations:
        if crc is not None and crc != of_compensation(row, key, node, *values):
            raise Altered(f"what the compensation of {node!r} needs is not what was written")


def check_effects(row: int, place: str, effects: Iterable[Any]) -> None:
    """Refuse effects that are not what was recorded; rows of EFFECTS."""
    for name, key, status, _times, _attempt, kind, value, crc in effects:
        try:
            same = crc == of_effect(row, place, name, key, status, kind, value)
        except (TypeError, AttributeError) as error:
            raise Altered(f"the effect {name!r} is not what was recorded") from error
        if not same:
            raise Altered(f"the effect {name!r} is not what was recorded")
