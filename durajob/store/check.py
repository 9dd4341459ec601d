"""Whether a store is whole: SQLite's own check, then all that durajob knows of its rows.

Reads everything and changes nothing. What a command meets on its way is refused by ``read``;
here the rest is looked at, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from durajob.errors import DurajobError, StoreDamaged
from durajob.store import read_queries as queries
from durajob.store import seals
from durajob.store.decode import check_value
from durajob.store.driver import sqlite, translate
from durajob.store.files import open_for_reading
from durajob.store.read import Reader

_MOST = 100
"""Complaints of SQLite: one page that is gone brings many."""


def damages(path: Path) -> Iterator[str]:
    """What is wrong with the contents of the store at ``path``, one sentence each.

    Raises:
        StoreError: when it cannot even be opened.
    """
    open_for_reading(path).close()  # refuses what is no plain file of ours
    # Not later: with any file of the process that is closed, SQLite loses its locks on it.
    with open(path, "rb") as file:
        if file.read(20)[18:] != b"\2\2":  # SQLite reads such a file, but never writes it
            yield "SQLite: the header names another format than that with a write-ahead log"
            return
    connection = open_for_reading(path)
    try:
        # What SQLite finds broken is not looked into: each thread would say the same again.
        found = _once(_sqlite(connection, path))
        if found:
            yield from found
            return
        yield from _once(_rows(connection, path))
    finally:
        connection.close()


def unfinished(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of threads that can still run, oldest first."""
    with Reader(path) as reader:
        connection = open_for_reading(path)
        try:
            names = [name for (name,) in connection.execute(queries.UNFINISHED)]
        finally:
            connection.close()
        for name in names:
            row = reader.row(name)
            if row is not None:
                yield dict(row)


def latest_time(path: Path) -> int | None:
    """The latest time that the store has written down."""
    connection = open_for_reading(path)
    try:
        latest = connection.execute(queries.LATEST_TIME).fetchone()[0]
    except sqlite.Error as error:
        raise translate(error, str(path)) from error
    finally:
        connection.close()
    return latest if isinstance(latest, int) else None


def row_ids(path: Path) -> set[int]:
    """The row ids of all threads: the names of their folders of logs."""
    connection = open_for_reading(path)
    try:
        return {row for (row,) in connection.execute("SELECT id FROM threads")}
    except sqlite.Error as error:
        raise translate(error, str(path)) from error
    finally:
        connection.close()


def _once(sentences: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(sentences))


def _sqlite(connection: Any, path: Path) -> Iterator[str]:
    try:
        for (text,) in connection.execute(f"PRAGMA integrity_check({_MOST})"):
            if text != "ok":
                yield from (f"SQLite: {re.sub(r'^[*]+ *', '', line)}" for line in text.split("\n"))
    except (sqlite.Error, UnicodeError) as error:
        yield f"SQLite: {error}"


def _rows(connection: Any, path: Path) -> Iterator[str]:
    try:
        for what, query in queries.ORPHANS.items():
            count = connection.execute(query).fetchone()[0]
            if count:
                yield f"{count} {what} that belong to no thread"
        yield from _threads(connection, path)
        yield from _checkpoints(connection)
        yield from _results(connection)
        yield from _effects(connection)
        yield from _compensations(connection)
        yield from _writes(connection)
    except (sqlite.Error, UnicodeError) as error:
        yield translate(error, str(path)).message


def _threads(connection: Any, path: Path) -> Iterator[str]:
    with Reader(path) as reader:
        for (name,) in connection.execute("SELECT thread FROM threads ORDER BY id"):
            try:
                if reader.row(name, checked=True) is not None:
                    reader.find(name, whole=True)
            except StoreDamaged as error:
                yield error.message
            except DurajobError as error:
                yield f"thread {name!r}: {error.message}"


def _checkpoints(connection: Any) -> Iterator[str]:
    for thread, ns, id, *stored in connection.execute(queries.CHECKPOINTS):
        try:
            seals.check_checkpoint(thread, ns, id, stored)
        except seals.Altered as error:
            yield f"thread {thread!r}: {error}"
        else:
            yield from _value(f"checkpoint {id} of thread {thread!r}", *stored[:2])


def _results(connection: Any) -> Iterator[str]:
    for row, *result in connection.execute(queries.ALL_RESULTS):
        try:
            seals.check_results(row, [result])
        except seals.Altered as error:
            yield f"thread in row {row}: {error}"
        else:
            yield from _value(f"the result of {result[0]!r}", *result[1:3])


def _writes(connection: Any) -> Iterator[str]:
    for write in connection.execute(queries.ALL_WRITES):
        try:
            seals.check_writes([write])
        except seals.Altered as error:
            yield f"thread {write[0]!r}: {error}"
        else:
            yield from _value("a pending write", *write[7:9])


def _effects(connection: Any) -> Iterator[str]:
    for row, place, *effect in connection.execute(queries.ALL_EFFECTS):
        try:
            seals.check_effects(row, place, [effect])
        except seals.Altered as error:
            yield f"thread in row {row}: {error}"


def _compensations(connection: Any) -> Iterator[str]:
    for compensation in connection.execute(queries.ALL_COMPENSATIONS):
        try:
            seals.check_compensations([compensation])
        except seals.Altered as error:
            yield f"thread in row {compensation[0]}: {error}"


def _value(what: str, kind: Any, value: Any) -> Iterator[str]:
    try:
        check_value(kind, value)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        yield f"{what} cannot be read: {error}"
