"""The store's write-ahead log: it stays short, and is not shortened at each commit."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from tests.contract.stores import SqliteFile, owned, written

PIECE = 250_000  # bytes


def put(number: int, cursor: Any) -> None:
    """Write a quarter of a megabyte over what was written before."""
    cursor.execute("INSERT OR REPLACE INTO meta VALUES ('x', ?)", (bytes([number]) * PIECE,))


def test_the_log_is_shortened_once_for_each_of_its_lengths(tmp_path: Path) -> None:
    """Where 25 MB go through a log of 4 MB, that is six times, and not at each commit after the
    first."""
    store, said = SqliteFile(tmp_path), list[str]()
    log = Path(f"{store.path}-wal")
    with written(store) as writer:
        door = owned(store, writer)
        door._connection.set_trace_callback(said.append)
        longest = 0
        for number in range(100):
            door.write(partial(put, number), durable=number % 2 == 0)
            longest = max(longest, log.stat().st_size)
    assert 5 <= sum("wal_checkpoint" in statement for statement in said) <= 8
    assert longest < 5_000_000
