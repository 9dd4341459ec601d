"""Damage that SQLite cannot notice is noticed, and a sample of all the damages that can be made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from durajob.store.driver import sqlite
from tests.faults.damage import GRAPHS, digests, settle
from tests.forked import Forked
from tests.integration.refusals import assert_refused

ROOT = Path(__file__).parent.parent.parent


def test_a_sample_of_damages_breaks_no_promise() -> None:
    """Whatever is flipped, cut off, swapped or lost: 69, or as if nothing had been.

    The full form: python -m tests.faults.damage --count 2000 --jobs 2
    """
    command = (sys.executable, "-m", "tests.faults.damage", "--count", "8", "--seed", "3")
    done = subprocess.run(
        [*command, "--small"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    assert done.stdout.endswith("8 damages, 0 broken promises\n")


@pytest.fixture
def store(forked: Forked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store without a log, in which thread ``needle`` was killed in a fan-out."""
    monkeypatch.setenv("DURAJOB_STORE", "s/d.db")
    monkeypatch.setenv("EFFECTS", str(tmp_path / "effects"))
    start = ("start", f"{GRAPHS}:fan", "-t", "needle", "-i", "n:=6", "-i", "path=haystack")
    killed = forked.run(*start, env={"DIE": "work5:after"})
    assert killed.exit_status == -9
    path = tmp_path / "s" / "d.db"
    settle(path)
    return path


def change_page(path: Path, name: str, old: bytes, new: bytes) -> None:
    """Change bytes in the root page of a table or index, as a bad disk does."""
    connection = sqlite.connect(path)
    query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
    (root,) = connection.execute(query, (name,)).fetchone()
    connection.close()
    data = path.read_bytes()
    start = (root - 1) * 4096
    page = data[start : start + 4096]
    assert old in page
    path.write_bytes(data[:start] + page.replace(old, new) + data[start + 4096 :])


@pytest.mark.parametrize(
    ("table", "old", "new", "seen_by_status"),
    [
        ("results", b"\xa3out", b"\xa3oui", False),
        ("checkpoints", b"haystack", b"haystock", True),
        ("origins", b"haystack", b"haystock", True),
        ("threads", b'"work"', b'"wort"', True),
        ("sqlite_autoindex_threads_1", b"needle", b"needlf", True),
    ],
)
def test_one_letter_that_changed_is_damage(
    forked: Forked, store: Path, table: str, old: bytes, new: bytes, seen_by_status: bool
) -> None:
    """A value that is still a value is not taken for what was written, nor its thread for new."""
    change_page(store, table, old, new)
    before, effects = digests(store.parent.parent), Path(os.environ["EFFECTS"]).read_text()
    if seen_by_status:
        assert_refused(forked.run("status", "needle", "--json"), 69, "store_damaged")
    start = ("start", f"{GRAPHS}:fan", "-t", "needle", "--on-exists", "resume", "--json")
    for command in (("resume", "needle", "--json"), start):
        assert_refused(forked.run(*command), 69, "store_damaged")
    assert "store_damaged" == forked.run("doctor", "--json", check=69).json["error"]["code"]
    assert before == digests(store.parent.parent)
    assert effects == Path(os.environ["EFFECTS"]).read_text()
