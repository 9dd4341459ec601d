"""Damage that SQLite cannot notice is noticed, and a sample of all the damages that can be made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from durajob.errors import StoreDamaged
from durajob.store.driver import sqlite
from durajob.store.locks import LockFile
from tests.faults.sound import GRAPHS, digests, settle
from tests.forked import Forked
from tests.integration.refusals import assert_refused

ROOT = Path(__file__).parent.parent.parent


def test_a_sample_of_damages_breaks_no_promise() -> None:
    """Whatever is flipped, cut off, swapped or lost: 69, or as if nothing had been.

    The full form: python -m tests.faults.damage --count 2100 --seed 8 --jobs 2
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


def root_page(path: Path, name: str) -> int:
    """Where in the file the root page of a table or index begins."""
    connection = sqlite.connect(path)
    query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
    (root,) = connection.execute(query, (name,)).fetchone()
    connection.close()
    return (int(root) - 1) * 4096


def put_page(path: Path, start: int, page: bytes) -> None:
    """Write a page of the file."""
    data = path.read_bytes()
    path.write_bytes(data[:start] + page + data[start + len(page) :])


def change_page(path: Path, name: str, old: bytes, new: bytes) -> None:
    """Change bytes in the root page of a table or index, as a bad disk does."""
    start = root_page(path, name)
    page = path.read_bytes()[start : start + 4096]
    assert old in page
    put_page(path, start, page.replace(old, new))


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


def test_a_page_that_the_run_would_meet_is_met_before_anything_is_written(
    forked: Forked, store: Path
) -> None:
    """Also a page that no command shows, and one that would only have been written to."""
    sound = store.read_bytes()
    for name in ("sqlite_autoindex_writes_1", "questions_by_id", "threads_by_status"):
        put_page(store, root_page(store, name), bytes(4096))
        before = digests(store.parent.parent)
        assert_refused(forked.run("resume", "needle", "--json"), 69, "store_damaged")
        assert before == digests(store.parent.parent)
        store.write_bytes(sound)


@pytest.mark.parametrize(
    ("lost", "commands"),
    [
        ((("attempts", "named_locks"), ("attempts_by_place", "threads_by_workflow")), "lsr"),
        ((("attempts", "named_locks"),), "s"),
        ((("threads", "lock_turns"),), "lo"),
        ((("threads_by_status", "compensations_by_thread"),), "o"),
    ],
)
def test_rows_that_a_lost_page_takes_along_are_missed(
    forked: Forked, store: Path, lost: tuple[tuple[str, str], ...], commands: str
) -> None:
    """A page of no rows is sound in itself: no step is shown as not run, no thread as not there."""
    empty = {name: root_page(store, name) for _, name in lost}
    for name, other in lost:
        page = store.read_bytes()[empty[other] : empty[other] + 4096]
        kind = page[:1]
        put_page(store, root_page(store, name), kind + bytes(4) + b"\x10" + bytes(4090))
    asked = {"l": ("list",), "s": ("status", "needle"), "o": ("status",), "r": ("resume", "needle")}
    before = digests(store.parent.parent)
    for each in commands:
        assert_refused(forked.run(*asked[each], "--json"), 69, "store_damaged")
    assert before == digests(store.parent.parent)


def test_a_name_that_is_no_text_is_damage(forked: Forked, store: Path) -> None:
    """SQLite's complaint about the name of a column cannot even be read."""
    store.write_bytes(
        store.read_bytes().replace(b"superstep     INTEGER", b"\xc9" + b"uperstep     INTEGER")
    )
    for command in (("list",), ("resume", "needle")):
        assert_refused(forked.run(*command, "--json"), 69, "store_damaged")


def test_the_log_of_another_store_is_not_taken_for_its_own(
    forked: Forked, store: Path, tmp_path: Path
) -> None:
    """SQLite would take it; the lock file knows which store it belongs to."""
    other = tmp_path / "other" / "d.db"
    env = {"DURAJOB_STORE": str(other), "DIE": "work2:after"}
    assert -9 == forked.run("start", f"{GRAPHS}:fan", "-t", "x", "-i", "n:=3", env=env).exit_status
    shutil.copy(f"{other}-wal", f"{store}-wal")
    for command in (("list",), ("resume", "x")):
        assert_refused(forked.run(*command, "--json"), 69, "store_damaged")


def test_a_new_store_in_the_place_of_a_removed_one(forked: Forked, store: Path) -> None:
    """What was committed to the one is not asked of the other."""
    store.unlink()
    forked.run("start", f"{GRAPHS}:loop", "-i", "n:=1", "-t", "new", check=0)
    assert ["new"] == [each["thread"] for each in forked.run("list", "--json").data["threads"]]


def test_the_counter_survives_a_damage_or_is_known_to_be_lost(tmp_path: Path) -> None:
    """A bit, some bytes, a part of the lock file: never an older counter, never none."""
    path = tmp_path / "lock"
    written = ("0123456789abcdef" * 2, 1000)
    file = LockFile(str(path), create=True)
    assert file.read_commits() is None
    file.write_commits(*written)
    sound = path.read_bytes()
    damaged = [sound[:length] for length in range(1, len(sound))]
    for place in range(len(sound)):
        damaged.append(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        damaged.append(sound[:place] + b"\xff" * 8 + sound[place + 8 :])
    for data in damaged:
        path.write_bytes(data)
        try:
            known = file.read_commits()
        except StoreDamaged:
            continue
        assert known is not None, data
        assert (written[0], True) == (known[0], known[1] >= written[1]), data
    path.write_bytes(sound[:48])  # as version 1 wrote it
    assert written == file.read_commits()
    file.close()
