"""Many threads at a glance: the overview of the morning, and lists of any length."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from durajob.commands import list_threads
from durajob.model import ThreadStatus
from durajob.render import longlist
from durajob.store import read
from durajob.store.read import Reader
from tests.forked import Forked

HERE = Path(__file__).parent
GRAPHS, ASKING, SAGAS, WAITING = (
    HERE / f"{name}.py" for name in ("graphs", "asking", "sagas", "waiting")
)


def test_the_overview_says_what_to_type(
    forked: Forked, effects: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What needs a person, and how; what wakes next; what ended. Nobody is asked in vain."""
    monkeypatch.setenv("DURAJOB_STORE", "s.db")
    for target, thread, env in (
        (f"{GRAPHS}:chain", "done", {}),
        (f"{GRAPHS}:chain", "fails", {"FAIL": "b"}),
        (f"{GRAPHS}:chain", "died", {"DIE": "c:after"}),
        (f"{ASKING}:send", "asks", {}),
        (f"{WAITING}:sleeper", "asleep", {}),
        (f"{SAGAS}:order", "undone", {"FAIL": "d"}),
    ):
        forked.run("start", target, "-t", thread, "-q", env=env)
    data = forked.run("status", "--json", check=0).data
    assert {
        "asks": "durajob answer asks VALUE",
        "fails": "durajob resume fails",
        "died": "durajob recover",
    } == data["commands"]
    assert list(data["commands"]) == [thread["thread"] for thread in data["threads"]]
    assert ["asleep"] == [thread["thread"] for thread in data["sleepers"]]
    assert (["undone", "done"], 2) == (
        [thread["thread"] for thread in data["ended"]],
        data["ended_count"],
    )
    said = forked.run("status", check=0).stdout
    assert all(f"    {command}\n" in said for command in data["commands"].values())


def test_a_list_is_read_a_page_at_a_time(
    forked: Forked, effects: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the pages fall, each thread is told once, newest first, in both forms."""
    monkeypatch.setenv("DURAJOB_STORE", str(tmp_path / "s.db"))
    for number in range(5):
        fails = {"FAIL": "b"} if number % 2 else {}
        forked.run("start", f"{GRAPHS}:chain", "-t", f"t{number}", "-q", env=fails)
    names = [f"t{number}" for number in reversed(range(5))]
    for page in (1, 2, 3, 5, 7):
        monkeypatch.setattr(read, "_PAGE", page)
        with Reader(tmp_path / "s.db") as reader:
            assert names == [thread.thread for thread in reader.threads()]
            assert names[:3] == [thread.thread for thread in reader.threads(limit=3)]
            both = (ThreadStatus.FAILED, ThreadStatus.COMPLETED)
            assert names == [thread.thread for thread in reader.threads(statuses=both)]
            failed = reader.threads(statuses=both[:1], workflow="graphs", limit=2)
            assert [] == list(failed)
            assert ["t3", "t1"] == [each.thread for each in reader.threads(statuses=both[:1])]
    lines = forked.run("list", "--json-lines", check=0).stdout.splitlines()
    whole = forked.run("list", "--json", check=0).data["threads"]
    assert whole == [json.loads(line) for line in lines]
    # Many are written as they are read; few are not worth that.
    monkeypatch.setattr(longlist, "_IN_MEMORY", 1_000)
    for most in (3, 5, 9):
        few = forked.run("list", "--json", "--limit", str(most), check=0)
        with monkeypatch.context() as many:
            many.setattr(list_threads, "_FEW", 1)
            long = forked.run("list", "--json", "--limit", str(most), check=0)
            assert (few.stdout, few.stderr) == (long.stdout, long.stderr)
            none = ("list", "--json", "--workflow", "none", "--limit", str(most))
            long_none = forked.run(*none, check=0)
        assert long_none.stdout == forked.run(*none, check=0).stdout
