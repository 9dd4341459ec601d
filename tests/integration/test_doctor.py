"""doctor: what it finds, that it finds it without changing anything, and what it exits with."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from durajob.store.driver import sqlite
from tests.forked import Forked
from tests.integration.refusals import GRAPHS, digests, settle


def doctor(forked: Forked, *args: str, status: int = 0, **env: str) -> dict[str, list[Any]]:
    """What it says that is not well: level, message and cure, by what was looked at."""
    done = forked.run("doctor", "--json", *args, env=env, check=status)
    found: dict[str, list[Any]] = {}
    for each in done.data["findings"]:
        if each["level"] != "ok":
            told = each["level"], each["message"], each["hint"]
            found.setdefault(each["check"], []).append(told)
    return found


def change(path: Path, statement: str, *values: Any) -> None:
    """Change rows as durajob never does."""
    connection = sqlite.connect(path)
    connection.execute(statement, values)
    assert connection.total_changes > 0
    connection.commit()
    connection.close()


def test_a_sound_store_is_well(forked: Forked, path: Path) -> None:
    """A store that killed jobs left behind is sound, and stays as it is."""
    before = digests(path.parent)
    assert {} == doctor(forked)
    assert before == digests(path.parent)
    quiet = forked.run("doctor", "-q", check=0)
    assert ("", "") == (quiet.stdout, quiet.stderr)


def test_without_a_store_there_is_nothing_to_cure(forked: Forked, tmp_path: Path) -> None:
    """It makes none."""
    assert {} == doctor(forked)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE checkpoints SET metadata = '{}'", "is not what was written"),
        ("UPDATE results SET value = x'c0'", "is not what was written"),
        ("UPDATE results SET crc = NULL, value = x'c1'", "cannot be read"),
        ("DELETE FROM results", "is gone"),
        ("DELETE FROM threads WHERE thread = 'old'", "that belong to no thread"),
        ("UPDATE threads SET workflow = 'other'", "is not what was written"),
        ("UPDATE threads SET superstep = superstep - 1", "is not what was written"),
        ("UPDATE origins SET input = '{\"n\": 7}'", "is not what was written"),
        ("UPDATE origins SET shape = '{\"steps\": []}'", "is not what was written"),
        ("UPDATE origins SET environment = replace(environment, '/', '.')", "is not what was"),
        ("UPDATE checkpoints SET parent_checkpoint_id = 'x'", "is not what was written"),
        ("UPDATE writes SET channel = 'other'", "is not what was written"),
        ("UPDATE attempts SET step = 'plum' WHERE step = 'plan'", "is not 'plum'"),
        ("DELETE FROM attempts WHERE step = 'plan'", "are gone"),
        ("DELETE FROM attempts WHERE step LIKE 'work%'", "is gone"),
        ("UPDATE attempts SET status = 'strange'", "holds what cannot be read"),
    ],
)
def test_rows_that_are_wrong_are_damage(
    forked: Forked, path: Path, statement: str, told: str
) -> None:
    """Where SQLite sees nothing: rows do not go together, or are not what was written."""
    change(path, statement)
    before = digests(path.parent)
    found = doctor(forked, status=69)
    assert {"integrity"} == set(found)
    assert any(told in message for _, message, _ in found["integrity"]), found
    assert before == digests(path.parent)


def test_pages_that_are_wrong_are_damage(forked: Forked, path: Path) -> None:
    """What SQLite's own check finds; the cure comes with the error."""
    settle(path)
    data = bytearray(path.read_bytes())
    for page in range(2, len(data) // 4096):
        data[page * 4096 : page * 4096 + 8] = b"\xff" * 8
    path.write_bytes(data)
    before = digests(path.parent)
    done = forked.run("doctor", check=69)
    assert "error: " in done.stdout
    assert " copy" in done.stderr
    assert before == digests(path.parent)


def test_what_lies_about_is_found(forked: Forked, path: Path) -> None:
    """Logs without a thread, files that others may read, a clock behind the store's."""
    orphan = Path(f"{path}-logs") / "99"
    orphan.mkdir()
    path.chmod(0o644)
    found = doctor(forked, FAULTS="set_clock", OFFSET="-3600")
    logs = [("warning", f"{orphan} belongs to no thread", f"rm -r {orphan}")]
    assert logs == found.pop("logs")
    readable = f"others may read {path} (mode 0644)"
    assert [("warning", readable, f"chmod go-rwx {path}")] == found.pop("permissions")
    assert ["warning"] == [level for level, _, _ in found.pop("clock")]
    assert {} == found
    subprocess.run(shlex.split(logs[0][2]), check=True)
    assert {"permissions"} == set(doctor(forked))


def test_threads_that_no_longer_fit_are_named(forked: Forked, tmp_path: Path) -> None:
    """A changed workflow, one that does not load, one that ends its process: findings, no more."""
    module = tmp_path / "graphs.py"
    module.write_text(GRAPHS.read_text())
    effects = {"EFFECTS": str(tmp_path / "effects"), "FAIL": "b"}
    for thread in ("t", "u"):
        forked.run("start", "./graphs.py:chain", "-t", thread, env=effects, check=1)
    assert {} == doctor(forked)
    module.write_text(GRAPHS.read_text().replace('"c", "d"]', '"d"]'))
    (level, message, hint), *rest = doctor(forked)["definitions"]
    assert ("warning", []) == (level, rest)
    assert "has changed under thread t" in message
    assert message.endswith("(and 1 more threads)")
    assert "--accept-change" in hint
    for broken in ("no python", "import os; print('x' * 100_000); os._exit(3)"):
        module.write_text(broken)
        ((level, message, _),) = doctor(forked)["definitions"]
        assert ("warning", "thread t") == (level, message[:8])
    assert {} == doctor(forked, "--no-definitions")


def test_a_bad_file_is_a_finding(forked: Forked, tmp_path: Path) -> None:
    """What is wrong in the workflows.toml is said beside the rest."""
    (tmp_path / "workflows.toml").write_text("version = 1\n[workflows.x]\ngraf = 'a:b'\n")
    ((level, message, hint),) = doctor(forked)["workflows.toml"]
    assert ("error", True) == (level, "graf" in message), (message, hint)
