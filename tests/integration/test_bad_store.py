"""A store that is damaged, lost or foreign is told so, and left as it is."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from durajob.store.driver import sqlite
from tests.forked import Forked
from tests.integration.refusals import (
    AS_ROOT,
    GRAPHS,
    NOBODY,
    Break,
    assert_refused,
    digests,
    lose,
    refused_by_all,
    settle,
)


def cut(size: int, suffix: str = "") -> Break:
    """Leave only the first ``size`` bytes (from the end where negative)."""

    def cut(path: Path) -> None:
        file = Path(f"{path}{suffix}")
        os.truncate(file, size if size >= 0 else file.stat().st_size + size)

    return cut


def together(*breaks: Break) -> Break:
    """One after the other."""

    def together(path: Path) -> None:
        for each in breaks:
            each(path)

    return together


def write(data: bytes, suffix: str = "") -> Break:
    """Put something else in the place of a file."""

    def write(path: Path) -> None:
        Path(f"{path}{suffix}").write_bytes(data)

    return write


def replace_by_folder(suffix: str = "") -> Break:
    """Put a folder in the place of a file."""
    return together(lose(suffix), lambda path: Path(f"{path}{suffix}").mkdir())


def replace_by_link(suffix: str = "") -> Break:
    """Put a link to the same file in the place of a file."""

    def link(path: Path) -> None:
        file = Path(f"{path}{suffix}")
        file.rename(path.parent / "aside")
        file.symlink_to("aside")

    return link


def replace_by_fifo(suffix: str = "") -> Break:
    """Put a pipe that nobody writes to in the place of a file."""
    return together(lose(suffix), lambda path: os.mkfifo(f"{path}{suffix}"))


def other_program(path: Path) -> None:
    """Put the SQLite file of another program in its place."""
    lose("", "-wal", "-shm")(path)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()


def put_older_back(path: Path) -> None:
    """Put back a copy of the store from before its last thread."""
    for suffix in ("", "-wal", "-shm"):
        shutil.copy(f"{path.parent.parent / 'older' / path.name}{suffix}", f"{path}{suffix}")


def make_newer(path: Path) -> None:
    """Let a later durajob have migrated it."""
    connection = sqlite.connect(path)
    connection.execute("PRAGMA user_version = 99")
    # Leave it in the log, as a process does that is killed.
    copies = {s: Path(f"{path}{s}").read_bytes() for s in ("", "-wal")}
    connection.close()
    for suffix, data in copies.items():
        Path(f"{path}{suffix}").write_bytes(data)


def chmod(mode: int, *, folder: bool = False) -> Break:
    """Change the mode of the file, or of its folder."""
    return lambda path: (path.parent if folder else path).chmod(mode)


def chown(suffix: str = "", *, folder: bool = False) -> Break:
    """Give the file, or its folder, to another user."""
    return lambda path: os.chown(path.parent if folder else f"{path}{suffix}", NOBODY, NOBODY)


DAMAGED = 69, "store_damaged"
BACK = 69, "store_went_back"
UNSAFE = 77, "permission_denied"


@pytest.mark.parametrize(
    ("destroy", "told"),
    [
        pytest.param(replace_by_folder(), (69, "store_unavailable"), id="a folder"),
        pytest.param(replace_by_fifo(), (69, "store_unavailable"), id="a pipe"),
        pytest.param(replace_by_link(), UNSAFE, id="a link"),
        pytest.param(write(b"some text\n" * 1000), DAMAGED, id="no database"),
        pytest.param(other_program, DAMAGED, id="of another program"),
        pytest.param(cut(10), DAMAGED, id="10 bytes and the log"),
        pytest.param(together(settle, cut(10)), DAMAGED, id="10 bytes"),
        pytest.param(together(settle, cut(100)), DAMAGED, id="100 bytes"),
        pytest.param(together(settle, cut(4096)), DAMAGED, id="one page"),
        pytest.param(together(settle, cut(20_000)), DAMAGED, id="some pages"),
        pytest.param(together(settle, cut(-4096)), DAMAGED, id="all but a page"),
        pytest.param(together(settle, cut(-1)), DAMAGED, id="all but a byte"),
        pytest.param(cut(0), DAMAGED, id="empty beside its log"),
        pytest.param(together(cut(0), lose("-lock")), DAMAGED, id="empty, no lock file"),
        pytest.param(together(cut(0), lose("-wal", "-shm")), DAMAGED, id="empty, no log"),
        pytest.param(lose("-wal"), BACK, id="its log lost"),
        pytest.param(lose("-wal", "-shm"), BACK, id="its log and index lost"),
        pytest.param(cut(0, "-wal"), BACK, id="its log emptied"),
        pytest.param(cut(20_000, "-wal"), BACK, id="its log cut off"),
        pytest.param(put_older_back, BACK, id="an older copy"),
        pytest.param(make_newer, (69, "store_newer"), id="newer"),
        pytest.param(write(b"\0\xff" * 100, "-lock"), DAMAGED, id="the lock file rubbish"),
        pytest.param(replace_by_folder("-lock"), UNSAFE, id="the lock file a folder"),
        pytest.param(replace_by_link("-lock"), UNSAFE, id="the lock file a link"),
        pytest.param(replace_by_fifo("-lock"), UNSAFE, id="the lock file a pipe"),
        pytest.param(replace_by_link("-wal"), UNSAFE, id="the log a link"),
        pytest.param(chmod(0o622), UNSAFE, id="the file writable for all"),
        pytest.param(chmod(0o620), UNSAFE, id="the file writable for the group"),
        pytest.param(chmod(0o777, folder=True), UNSAFE, id="the folder writable for all"),
        pytest.param(chown(), UNSAFE, id="the file foreign", marks=AS_ROOT),
        pytest.param(chown("-wal"), UNSAFE, id="the log foreign", marks=AS_ROOT),
        pytest.param(chown("-lock"), UNSAFE, id="the lock file foreign", marks=AS_ROOT),
        pytest.param(chown(folder=True), UNSAFE, id="the folder foreign", marks=AS_ROOT),
    ],
)
def test_a_bad_store_is_refused_and_left_as_it_is(
    forked: Forked, path: Path, destroy: Break, told: tuple[int, str]
) -> None:
    """Every command says what is wrong with its exit status; not a byte is changed."""
    destroy(path)
    before = digests(path.parent)
    refused_by_all(forked, *told)
    assert before == digests(path.parent)


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lose("-lock"), id="its lock file lost"),
        pytest.param(write(b"", "-lock"), id="its lock file emptied"),
        pytest.param(lose("-shm"), id="its index lost"),
        pytest.param(settle, id="its log written back"),
    ],
)
def test_what_can_be_made_anew_is_no_damage(forked: Forked, path: Path, harm: Break) -> None:
    """Without what holds no data the store is read, and its thread is resumed."""
    harm(path)
    assert "interrupted" == forked.run("status", "t", "--json", check=0).thread["status"]
    assert "completed" == forked.run("resume", "t", "--json", check=0).thread["status"]
    lines = (path.parent.parent / "effects").read_text().split()
    assert {"a": 1, "b": 1, "c": 2, "d": 1} == {name: lines.count(name) for name in "abcd"}


def test_an_empty_file_without_a_past_is_a_fresh_store(forked: Forked, tmp_path: Path) -> None:
    """A file made by touch or mktemp may become a store, but only by a start."""
    path = tmp_path / "d.db"
    path.touch(mode=0o600)
    store = ("--store", str(path))
    assert [] == forked.run(*store, "list", "--json", check=0).data["threads"]
    assert 66 == forked.run(*store, "status", "t").exit_status
    assert 66 == forked.run(*store, "resume", "t").exit_status
    assert (0, ["d.db"]) == (path.stat().st_size, [each.name for each in tmp_path.iterdir()])
    forked.run(*store, "start", "durable", "-i", "seconds:=0", check=0)


def test_no_store_is_made_by_who_only_looks(forked: Forked, tmp_path: Path) -> None:
    """Without a store a list is empty and says so (0); a thread is not there (66)."""
    store = ("--store", "no/such/d.db")
    listed = forked.run(*store, "list", check=0)
    assert f"no store yet at sqlite://{tmp_path}/no/such/d.db\n" == listed.stderr
    for command in (("status", "t"), ("resume", "t")):
        assert_refused(forked.run(*store, *command, "--json"), 66, "thread_not_found")
    assert [] == list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_is_refused(forked: Forked, tmp_path: Path) -> None:
    """A store below what is a file cannot be made, and a start says so."""
    (tmp_path / "file").touch()
    refused = forked.run("--store", "file/d.db", "start", "durable", "--json")
    assert_refused(refused, 69, "store_unavailable")


def test_only_its_owner_may_read_a_store(forked: Forked, tmp_path: Path) -> None:
    """Whatever the umask, files are 0600 and the folders made for them 0700."""
    env = {"EFFECTS": str(tmp_path / "effects"), "DIE": "c:after", "FAULTS": "no_umask"}
    store = ("--store", "a/b/d.db")
    forked.run(*store, "start", f"{GRAPHS}:chain", "-t", "t", env=env)
    forked.run(*store, "start", f"{GRAPHS}:exits", "-t", "u", env=env)
    forked.run(*store, "resume", "u", "--detach", env=env)
    modes = {
        str(each.relative_to(tmp_path)): stat.S_IMODE(each.stat().st_mode)
        for each in (tmp_path / "a", *(tmp_path / "a").rglob("*"))
    }
    folders = {name for name in modes if (tmp_path / name).is_dir()}
    files = set(modes) - folders
    assert {"a/b/d.db", "a/b/d.db-wal", "a/b/d.db-shm", "a/b/d.db-lock"} <= files
    assert any(name.endswith(".log") for name in files)
    assert {0o700} == {modes[name] for name in folders}, modes
    assert {0o600} == {modes[name] for name in files}, modes


def test_an_old_sqlite_is_refused(tmp_path: Path) -> None:
    """Where the wheel is missing and the interpreter's own library is older, nothing is done."""
    if sqlite3.sqlite_version_info >= (3, 51, 3):
        pytest.skip(f"this Python's own SQLite is sound: {sqlite3.sqlite_version}")
    import subprocess
    import sys

    code = (
        "import sys; sys.modules['pysqlite3'] = None; from durajob.cli import main; "
        "sys.exit(main(sys.argv[1:]))"
    )
    for command in (["list"], ["start", "durable", "-i", "seconds:=0"]):
        ended = subprocess.run(
            [sys.executable, "-c", code, "--store", str(tmp_path / "d.db"), *command, "--json"],
            capture_output=True,
            check=False,
            text=True,
        )
        envelope = json.loads(ended.stdout)
        assert (69, "sqlite_too_old") == (ended.returncode, envelope["error"]["code"])
        assert "pip install pysqlite3" in envelope["error"]["hint"]
    assert [] == list(tmp_path.iterdir())
