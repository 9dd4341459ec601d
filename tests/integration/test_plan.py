"""``resume --plan`` says what a resume would do, and changes nothing."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.forked import Forked
from tests.integration.judge import lines

HERE = Path(__file__).parent
GRAPHS, SAGAS, ASKING = HERE / "graphs.py", HERE / "sagas.py", HERE / "asking.py"


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, effects: Path) -> Path:
    """The store's file."""
    path = tmp_path / "s" / "d.db"
    monkeypatch.setenv("DURAJOB_STORE", str(path))
    return path


def plan(forked: Forked, store: Path, *more: str) -> Any:
    """The plan for thread ``t``; the store is then what it was, byte for byte."""
    before = contents(store)
    found = forked.run("resume", "t", "--plan", "--json", *more, check=0).data["plan"]
    assert before == contents(store)
    assert 0 == forked.run("resume", "t", "--plan", *more).exit_status
    return found


def contents(store: Path) -> dict[str, str]:
    """Every file of the store, but for the one that readers share in memory."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(store.parent.iterdir())
        if path.is_file() and not path.name.endswith("-shm")
    }


def codes(plan: Any) -> list[str]:
    """Why it would be refused."""
    return [error["code"] for error in plan["refused"]]


def test_what_failed_runs_and_what_finished_is_reused(
    forked: Forked, store: Path, effects: Path
) -> None:
    """A branch that failed runs; its siblings come from the ledger, what was before from the
    checkpoint. The resume does what the plan has said."""
    start = ("start", f"{GRAPHS}:fan", "-t", "t", "-i", "n:=3")
    forked.run(*start, env={"FAIL": "work1"}, check=1)
    found = plan(forked, store)
    assert ("runs", [], []) == (found["verdict"], found["refused"], found["compensations"])
    failed = {"step": "work[1]", "visit": 1, "status": "failed", "attempts": 1}
    assert [failed] == found["again"]
    reused = {each["step"]: each["source"] for each in found["reused"]}
    assert {"plan": "checkpoint", "work[0]": "ledger", "work[2]": "ledger"} == reused
    before = len(lines(effects))
    forked.run("resume", "t", check=0)
    assert ["work1", "collect"] == lines(effects)[before:]
    assert "nothing" == plan(forked, store)["verdict"]


def test_what_was_in_flight_runs_again(forked: Forked, store: Path) -> None:
    """It is told by its name inside a subgraph, too."""
    env = {"DIE": "two0:before"}
    assert forked.run("start", f"{GRAPHS}:nested", "-t", "t", env=env).exit_status < 0
    again = {each["step"]: each["status"] for each in plan(forked, store)["again"]}
    assert {"sub": None, "sub/two": "abandoned"} == again


def test_what_stands_in_the_way_is_told(forked: Forked, store: Path, effects: Path) -> None:
    """A living owner, a changed shape, a folder that is gone; all at once where it is several."""
    folder = forked.cwd / "jobs"
    folder.mkdir()
    shutil.copy(GRAPHS, folder / "flow.py")
    forked.cwd, above = folder, forked.cwd
    forked.run("start", "./flow.py:chain", "-t", "t", env={"FAIL": "c"}, check=1)
    assert [] == codes(plan(forked, store))
    text = (folder / "flow.py").read_text()
    (folder / "flow.py").write_text(text.replace("def chain_without_c", "def chain_without_d"))
    (folder / "flow.py").write_text(text.replace('names = ["a", "b", "c", "d"]', 'names = ["c"]'))
    assert ["definition_changed"] == codes(plan(forked, store))
    assert [] == codes(plan(forked, store, "--accept-change"))
    forked.cwd = above
    shutil.rmtree(folder)
    found = plan(forked, store)
    assert ("refused", ["environment_gone"]) == (found["verdict"], codes(found))


def test_a_living_owner_is_in_the_way(forked: Forked, store: Path, effects: Path) -> None:
    """It is named, and not disturbed."""
    owner = forked.begin("start", f"{GRAPHS}:held", "-t", "t")
    owner.until(lambda: lines(effects) == ["hold"])
    found = forked.run("resume", "t", "--plan", "--json", check=0).data["plan"]
    assert ["busy"] == codes(found)
    assert str(owner.pid) in found["refused"][0]["message"]
    Path(f"{effects}.go").touch()
    owner.wait(check=0)


def test_compensations_and_questions(forked: Forked, store: Path) -> None:
    """What is due is told in its order; what waits for an answer runs nothing."""
    env = {"FAIL": "d", "UNDO_FAIL": "c"}
    forked.run("start", f"{SAGAS}:order", "-t", "t", env=env, check=1)
    found = plan(forked, store)
    assert ("compensates", []) == (found["verdict"], found["again"])
    assert ["c:compensate", "b:compensate", "a:compensate"] == found["compensations"]


def test_a_question_holds_it_back(forked: Forked, store: Path) -> None:
    """Until it is answered."""
    forked.run("start", f"{ASKING}:send", "-t", "t", check=3)
    assert "waits" == plan(forked, store)["verdict"]
    forked.run("answer", "t", "1", "--no-resume", check=0)
    assert "runs" == plan(forked, store)["verdict"]
