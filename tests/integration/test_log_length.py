"""The store's write-ahead log: it stays short, and is not shortened at each commit."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from durajob.errors import StorageError
from durajob.store.prune import Ended, Pruner, Size
from durajob.store.transfer import Importer, export
from durajob.store.write import Writer
from tests.contract.stores import SqliteFile, admit, owned, written

PIECE = 250_000  # bytes


def noted(writer: Writer) -> list[str]:
    """The statements that this writer runs from now on."""
    said = list[str]()
    writer._connection.set_trace_callback(said.append)
    return said


def shortenings(said: Iterable[str]) -> int:
    """How many of the statements shorten the log."""
    return sum("wal_checkpoint" in statement for statement in said)


def put(number: int, cursor: Any, *, size: int = PIECE) -> None:
    """Write a quarter of a megabyte, or so much, over what was written before."""
    cursor.execute("INSERT OR REPLACE INTO meta VALUES ('x', ?)", (bytes([number]) * size,))


def test_the_log_is_shortened_once_for_each_of_its_lengths(tmp_path: Path) -> None:
    """Where 25 MB go through a log of 4 MB, that is six times, and not at each commit after the
    first."""
    store = SqliteFile(tmp_path)
    log = Path(f"{store.path}-wal")
    with written(store) as writer:
        door = owned(store, writer)
        said = noted(writer)
        longest = 0
        for number in range(100):
            door.write(partial(put, number), durable=number % 2 == 0)
            longest = max(longest, log.stat().st_size)
    assert 5 <= shortenings(said) <= 8
    assert longest < 5_000_000


def test_transactions_that_are_long_themselves_do_not_make_it_longer(tmp_path: Path) -> None:
    """A log that is at once as long as it was begins anew like any other."""
    store = SqliteFile(tmp_path)
    log = Path(f"{store.path}-wal")
    with written(store) as writer:
        longest = 0
        for number in range(12):
            writer.together(partial(put, number, size=6_000_000))
            longest = max(longest, log.stat().st_size)
    assert longest < 13_000_000


def test_a_reader_in_the_way_is_not_met_at_each_commit(tmp_path: Path) -> None:
    """While it looks at the store the log cannot begin anew, and is tried once a megabyte."""
    store = SqliteFile(tmp_path)
    with written(store) as writer, store.reader() as reader:
        writer.together(partial(put, 0))
        reader._connection.execute("BEGIN")
        reader._connection.execute("SELECT * FROM meta").fetchone()
        said = noted(writer)
        for number in range(40):
            writer.together(partial(put, number))
        assert 5 <= shortenings(said) <= 8
        reader._connection.execute("ROLLBACK")


def test_an_import_keeps_it_short(tmp_path: Path) -> None:
    """However much is imported."""
    here, there = SqliteFile(tmp_path), tmp_path / "there.db"
    names = [f"t{number}" for number in range(80)]
    with written(here) as writer:
        for name in names:
            admit(writer, name, input=f'{{"x":"{"x" * PIECE}"}}')
    with (tmp_path / "export").open("w") as file:
        list(export(here.path, names, file.write, logs=False))
    importer, longest = Importer(there), 0
    with (tmp_path / "export").open("rb") as taken:
        for _ in importer.take(taken, set()):
            longest = max(longest, Path(f"{there}-wal").stat().st_size)
    importer.close()
    assert there.stat().st_size > 80 * PIECE
    assert longest < 5_000_000


def test_pruning_does_not_shorten_it_at_each_batch(tmp_path: Path) -> None:
    """Where the log's file stays as long as it was, though little of it is not in the store yet."""
    store = SqliteFile(tmp_path)
    with written(store) as writer:
        for number in range(200):
            admit(writer, f"t{number}")
        writer.together(lambda cursor: cursor.execute("UPDATE threads SET status = 'completed'"))
        for number in range(16):
            writer.together(partial(put, number))
        pruner = Pruner(store.path)
        said = noted(pruner)
        ended = [
            (Ended(row, f"t{row - 1}", "w", "completed", True, False, 0), Size(100, 5, 0))
            for row in range(1, 201)
        ]
        assert 200 == len(list(pruner.delete(ended)))
        assert 20 <= said.count("COMMIT")
        assert shortenings(said) <= 1
        pruner.close()


def test_what_prune_has_deleted_is_on_the_disk_before_its_files_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commits leave the syncing to a moment when others have the store; a sync that fails is
    told of, and no folder is removed."""
    store = SqliteFile(tmp_path)
    with written(store) as writer:
        admit(writer, "t")
        writer.together(lambda cursor: cursor.execute("UPDATE threads SET status = 'completed'"))
        logs = Path(f"{store.path}-logs") / "1"
        logs.mkdir(parents=True)
        pruner = Pruner(store.path)

        def fail(_: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "fsync", fail)
        ended = (Ended(1, "t", "w", "completed", True, False, 0), Size(100, 5, 0))
        with pytest.raises(StorageError):
            list(pruner.delete([ended]))
        assert logs.exists()
        pruner.close()
