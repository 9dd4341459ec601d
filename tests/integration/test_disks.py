"""A disk that is read-only or full: reads answer, writes say so, nothing is lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.forked import Forked
from tests.integration.refusals import (
    GRAPHS,
    assert_refused,
    digests,
    settle,
)
from tests.mounts import Mounts


@pytest.mark.parametrize("state", ["settled", "with its log"])
def test_a_read_only_store_is_read(forked: Forked, path: Path, mounts: Mounts, state: str) -> None:
    """On a file system that is read-only, reads answer; what would write says so (74)."""
    if state == "settled":
        settle(path)
    before = digests(path.parent)
    mounts.run("mount", "--bind", path.parent, path.parent)
    mounts.run("mount", "-o", "remount,ro,bind", path.parent)
    listed = forked.run("list", "--json", env=mounts.env, check=0)
    assert {"f": "interrupted", "t": "interrupted", "old": "completed"} == {
        thread["thread"]: thread["status"] for thread in listed.data["threads"]
    }
    shown = forked.run("status", "t", "--json", env=mounts.env, check=0)
    assert ["a", "b"] == shown.thread["state"]["out"]
    for command in (("resume", "t"), ("start", f"{GRAPHS}:chain", "-t", "new")):
        assert_refused(forked.run(*command, "--json", env=mounts.env), 74, "read_only")
    assert before == digests(path.parent)


def test_a_file_that_cannot_be_changed_is_read(forked: Forked, path: Path, mounts: Mounts) -> None:
    """The same where only the file itself is read-only."""
    settle(path)
    mounts.run("mount", "--bind", path, path)
    mounts.run("mount", "-o", "remount,ro,bind", path)
    forked.run("list", env=mounts.env, check=0)
    for command in (("resume", "t"), ("start", f"{GRAPHS}:chain", "-t", "new")):
        assert_refused(forked.run(*command, "--json", env=mounts.env), 74, "read_only")


def test_a_read_only_folder_takes_no_store(forked: Forked, tmp_path: Path, mounts: Mounts) -> None:
    """A start says that it cannot make one there."""
    (tmp_path / "s").mkdir()
    mounts.run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", tmp_path / "s")
    refused = forked.run("--store", "s/d.db", "start", "durable", "--json", env=mounts.env)
    assert_refused(refused, 74, "read_only")


@pytest.mark.parametrize("size", ["600k", "800k", "1200k"])
def test_a_full_disk_loses_nothing(
    forked: Forked, tmp_path: Path, mounts: Mounts, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    """The job ends with 74 and says why, reads answer, and with more space it is resumed
    without repeating a step that had finished."""
    effects = tmp_path / "effects"
    monkeypatch.setenv("EFFECTS", str(effects))
    monkeypatch.setenv("DURAJOB_STORE", "s/d.db")
    (tmp_path / "s").mkdir()
    mounts.run("mount", "-t", "tmpfs", "-o", f"mode=700,size={size}", "tmpfs", tmp_path / "s")
    start = ("start", f"{GRAPHS}:growing", "-t", "t", "-i", "n:=40", "--json")
    assert_refused(forked.run(*start, env=mounts.env), 74, "disk_full")
    assert ["t"] == [
        thread["thread"]
        for thread in forked.run("list", "--json", env=mounts.env, check=0).data["threads"]
    ]
    seen = forked.run("status", "t", "--json", env=mounts.env, check=0).thread
    assert "interrupted" == seen["status"]
    assert_refused(forked.run("resume", "t", "--json", env=mounts.env), 74, "disk_full")

    succeeded = [
        f"poll{step.get('visit', 1) - 1}" for step in seen["steps"] if step["status"] == "succeeded"
    ]
    mounts.run("mount", "-o", "remount,size=100m", tmp_path / "s")
    done = forked.run("resume", "t", "--json", env=mounts.env, check=0).thread
    counts = Counter(effects.read_text().split())
    assert 40 == len(counts)
    assert {1} == {counts[name] for name in succeeded}
    assert ("completed", 40) == (done["status"], len(done["state"]["out"]))


def test_a_full_disk_admits_nothing(forked: Forked, tmp_path: Path, mounts: Mounts) -> None:
    """Where not even a store fits, a start says so and there is no thread."""
    (tmp_path / "s").mkdir()
    mounts.run("mount", "-t", "tmpfs", "-o", "mode=700,size=16k", "tmpfs", tmp_path / "s")
    store = ("--store", "s/d.db")
    assert_refused(
        forked.run(*store, "start", "durable", "--json", env=mounts.env), 74, "disk_full"
    )
    mounts.run("mount", "-o", "remount,size=10m", tmp_path / "s")
    assert [] == forked.run(*store, "list", "--json", env=mounts.env, check=0).data["threads"]
    forked.run(*store, "start", "durable", "-i", "seconds:=0", env=mounts.env, check=0)
