"""What others put into a store: planted rows, rubbish, newer versions, no lock file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import ormsgpack
import pytest

from durajob.store import schema
from durajob.store.driver import sqlite
from durajob.store.locks import LockFile
from tests.forked import Forked
from tests.harness import Durajob
from tests.integration.refusals import (
    COMMANDS,
    GRAPHS,
    assert_refused,
    lose,
    refused_by_all,
)

# What is read is data


def bomb(kind: str, marker: Path) -> tuple[str, bytes]:
    """A value that makes a file, if whoever reads it runs what it names."""
    if kind == "pickle":
        import pickle

        class Bomb:
            def __reduce__(self) -> Any:
                return os.system, (f"touch {marker}",)

        return "pickle", pickle.dumps({"out": Bomb()})
    if kind == "json":
        call = {"lc": 2, "type": "constructor", "id": ["os", "system"], "args": [f"touch {marker}"]}
        return "json", json.dumps({"out": [call]}).encode()
    args = ormsgpack.packb(("os", "system", f"touch {marker}"))
    return "msgpack", ormsgpack.packb({"out": [ormsgpack.Ext(0, args)]})


def plant(path: Path, table: str, column: str, value: tuple[str, bytes]) -> None:
    """Put a value in the place of every one in a table."""
    connection = sqlite.connect(path)
    connection.execute(f"UPDATE {table} SET type = ?, {column} = ?, crc = NULL", value)
    assert connection.total_changes > 0
    connection.commit()
    connection.close()


@pytest.mark.parametrize("kind", ["msgpack", "json", "pickle"])
@pytest.mark.parametrize("table", ["checkpoints", "results"])
def test_planted_values_run_no_code(
    forked: Forked, path: Path, tmp_path: Path, table: str, kind: str
) -> None:
    """A row that names a function or holds a pickle calls nothing, in reads and in resumes."""
    marker = tmp_path / "ran"
    planted = bomb(kind, marker)
    if table == "checkpoints" and kind == "msgpack":
        connection = sqlite.connect(path)
        data = connection.execute("SELECT checkpoint FROM checkpoints").fetchall()[-1][0]
        connection.close()
        whole = ormsgpack.unpackb(data, ext_hook=ormsgpack.Ext, option=ormsgpack.OPT_NON_STR_KEYS)
        call = ormsgpack.packb(("os", "system", f"touch {marker}"))
        whole["channel_values"]["out"] = [ormsgpack.Ext(0, call)]
        planted = kind, ormsgpack.packb(whole, option=ormsgpack.OPT_NON_STR_KEYS)
    plant(path, table, "checkpoint" if table == "checkpoints" else "value", planted)
    plain = kind == "msgpack"
    thread = "t" if table == "checkpoints" else "f"
    for command in (("status", thread), ("resume", thread)):
        ended = forked.run(*command, "--json")
        if not plain and (table, command[0]) != ("results", "status"):
            assert_refused(ended, 69, "store_damaged")
        assert ended.exit_status in (0, 1, 69), str(ended)
    assert not marker.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE threads SET status = 'strange'",
        "UPDATE threads SET next = 'no json'",
        "UPDATE threads SET next = '[[1]]'",
        "UPDATE threads SET owner = '[]', status = 'running'",
        "UPDATE threads SET error = '{\"a\": 1}'",
        "UPDATE threads SET created_at = 'yesterday'",
        "UPDATE origins SET input = '{'",
        "UPDATE origins SET definition = 'x', environment = '[]'",
        "UPDATE attempts SET status = 'strange'",
        "UPDATE attempts SET error = 'x'",
        "UPDATE attempts SET progress = '{\"a\": 1}'",
        "UPDATE checkpoints SET checkpoint = x'00'",
        "UPDATE results SET value = x'c1'",
        "DELETE FROM origins",
        "DELETE FROM checkpoints",
        "DROP TABLE attempts",
        "DELETE FROM meta",
    ],
)
def test_rows_that_cannot_be_read_are_damage(forked: Forked, path: Path, statement: str) -> None:
    """Whatever stands in a row, no command calls it a bug of durajob."""
    lose("-lock")(path)
    connection = sqlite.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
    told = [forked.run(*command, "--json").json["exit_code"] for command in COMMANDS[:4]]
    assert set(told) <= {0, 69}
    assert 69 in told or "error" in statement or "results" in statement


# Versions


def test_a_newer_durajob_migrates_while_an_older_one_drives(
    forked: Forked, path: Path, tmp_path: Path
) -> None:
    """The job that runs meanwhile ends well; an older durajob that comes after refuses."""
    run = forked.begin("start", f"{GRAPHS}:held", "-t", "h", "--json")
    run.until(lambda: "hold" in (tmp_path / "effects").read_text().split())
    newer = """
ALTER TABLE threads ADD COLUMN a TEXT NOT NULL DEFAULT 'a';
ALTER TABLE origins ADD COLUMN b TEXT;
ALTER TABLE attempts ADD COLUMN c TEXT;
ALTER TABLE results ADD COLUMN d TEXT;
CREATE TABLE later (id INTEGER PRIMARY KEY);
CREATE INDEX threads_by_a ON threads (a);"""
    lock = LockFile(f"{path}-lock", create=True)
    lock.lock_migration()
    connection = sqlite.connect(path, isolation_level=None, timeout=60)
    schema.migrate(connection, (*schema.MIGRATIONS, newer))
    lock.unlock_migration()
    lock.close()
    connection.close()
    Path(f"{tmp_path / 'effects'}.go").touch()
    done = run.wait(check=0).thread
    assert ("completed", ["held", "after"]) == (done["status"], done["state"]["out"])
    refused_by_all(forked, 69, "store_newer")


def test_a_lock_file_removed_under_a_running_job_admits_no_second_owner(
    forked: Forked, path: Path, tmp_path: Path
) -> None:
    """Its process still lives, and that is enough to leave the thread to it."""
    run = forked.begin("start", f"{GRAPHS}:held", "-t", "h", "--json")
    run.until(lambda: "hold" in (tmp_path / "effects").read_text().split())
    lose("-lock")(path)
    assert_refused(forked.run("resume", "h", "--json"), 75, "busy")
    assert_refused(forked.run("resume", "h", "--json"), 75, "busy")
    Path(f"{tmp_path / 'effects'}.go").touch()
    assert "completed" == run.wait(check=0).thread["status"]


def test_the_installed_command_refuses_alike(durajob: Durajob, path: Path) -> None:
    """What the forked command says here, the installed one says, too."""
    lose("-wal")(path)
    assert_refused(durajob.run("list", "--json"), 69, "store_went_back")
