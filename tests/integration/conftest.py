"""A store as a killed job leaves it, and disks of a test's own."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forked import Forked
from tests.mounts import Mounts

GRAPHS = Path(__file__).with_name("graphs.py")


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a store, where thread ``old`` has completed, ``t`` was killed in its third
    step, and ``f`` in a fan-out: the write-ahead log holds what is not in the file yet."""
    folder = tmp_path_factory.mktemp("killed")
    forked = Forked(folder=tmp_path_factory.mktemp("output"), cwd=folder)
    env = {"EFFECTS": str(folder / "effects"), "DIE": "c:after"}
    chain = f"{GRAPHS}:chain"
    forked.run("--store", "s/d.db", "start", f"{GRAPHS}:loop", "-t", "old", "-i", "n:=2", env=env)
    shutil.copytree(folder / "s", folder / "older")
    died = forked.run("--store", "s/d.db", "start", chain, "-t", "t", env=env)
    assert died.exit_status == -signal.SIGKILL
    # Killed when at least two of the six branches have finished: their results are kept.
    env["DIE"] = "work5:after"
    fan = ("start", f"{GRAPHS}:fan", "-t", "f", "-i", "n:=6")
    assert forked.run("--store", "s/d.db", *fan, env=env).exit_status == -signal.SIGKILL
    assert (folder / "s" / "d.db-wal").stat().st_size > 0
    yield folder
    forked.clear_away()


@pytest.fixture
def path(killed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store of such a folder, in a copy of the test's own, and the one to use."""
    shutil.copytree(killed, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("DURAJOB_STORE", "s/d.db")
    monkeypatch.setenv("EFFECTS", str(tmp_path / "effects"))
    return tmp_path / "s" / "d.db"


@pytest.fixture
def mounts() -> Iterator[Mounts]:
    """A mount namespace of the test's own."""
    mounts = Mounts()
    yield mounts
    mounts.close()


@pytest.fixture
def effects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The judge's file, which the graphs of these tests write to."""
    path = tmp_path / "effects"
    monkeypatch.setenv("EFFECTS", str(path))
    return path
