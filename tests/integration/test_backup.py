"""The real job, killed: a resumed backup copies no finished file again and ends the same."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from tests.harness import Durajob

FILES = 300


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A tree of small files, one large one, links and folders."""
    top = tmp_path / "source"
    for number in range(FILES):
        path = top / f"folder{number % 7}" / f"file{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"what stands in file {number}\n" * (number + 1))
    (top / "large").write_bytes(os.urandom(2_000_000))
    (top / "empty").touch()
    (top / "hollow").mkdir()
    (top / "link").symlink_to("folder1/file1")
    return top


def kept(target: Path) -> dict[str, int]:
    """The objects of a backup and their inodes, which change when one is written again."""
    found = {}
    for path in target.glob("objects/*/*"):
        found[path.parent.name + path.name] = path.stat().st_ino
    return found


def has_kept(target: Path, count: int) -> bool:
    """Whether so many objects are there."""
    return len(kept(target)) >= count


@pytest.mark.parametrize("kills", [[1], [FILES // 2], [10, FILES // 4, FILES // 2]])
def test_a_backup_killed_anywhere_ends_as_if_undisturbed(
    durajob: Durajob, source: Path, tmp_path: Path, kills: list[int]
) -> None:
    """After kill -9 at so many copies: same manifest, same objects, none of them copied again."""
    durajob.run("start", "backup", "-i", f"source={source}", "-i", "target=calm", check=0)
    target = tmp_path / "killed"
    command = ["start", "backup", "-t", "b", "-i", f"source={source}", "-i", "target=killed"]
    seen: dict[str, int] = {}
    finished: dict[str, int] = {}
    for count in kills:
        durajob.killed_when(partial(has_kept, target, count), *command)
        thread = durajob.run("status", "b", "--json", check=0).thread
        assert "interrupted" == thread["status"]
        finished |= {
            step["step"]: step["attempts"]
            for step in thread["steps"]
            if step["status"] == "succeeded"
        }
        seen |= kept(target)
        command = ["resume", "b"]
    thread = durajob.run(*command, "--json", check=0).thread

    calm = tmp_path / "calm"
    assert (calm / "manifest.jsonl").read_bytes() == (target / "manifest.jsonl").read_bytes()
    assert kept(calm).keys() == kept(target).keys()
    assert [] == list((target / "partial").iterdir())
    assert seen == {name: kept(target)[name] for name in seen}
    attempts = {step["step"]: step["attempts"] for step in thread["steps"]}
    assert finished == {step: attempts[step] for step in finished}
    assert "scan" in finished


def test_a_killed_restore_brings_back_all(durajob: Durajob, source: Path, tmp_path: Path) -> None:
    """Killed in the middle of the files and resumed, the tree is whole."""
    durajob.run("start", "backup", "-i", f"source={source}", "-i", "target=kept", check=0)
    back = tmp_path / "back"
    durajob.killed_when(
        lambda: len(list(back.glob("folder*/*"))) >= FILES // 3,
        *("start", "restore", "-t", "r", "-i", "target=kept", "-i", f"to={back}"),
    )
    durajob.run("resume", "r", check=0)
    durajob.run("start", "backup", "-i", f"source={source}", "-i", "target=one", check=0)
    durajob.run("start", "backup", "-i", f"source={back}", "-i", "target=two", check=0)
    one, two = (
        (tmp_path / name / "manifest.jsonl").read_text().split("\n", 1)[1]
        for name in ("one", "two")
    )
    assert one == two


def test_the_saga_of_the_command_line_fails_with_its_outcome(durajob: Durajob) -> None:
    """The thread is failed, and all that was done is undone."""
    done = durajob.run("start", "saga", "-t", "s", "-i", "fail=ship", "--json", check=1)
    assert ("compensated", "OrderRefused") == (done.thread["outcome"], done.thread["error"]["type"])
    names = [step["step"] for step in done.thread["steps"]]
    assert ["charge:compensate", "reserve:compensate"] == names[-2:]
