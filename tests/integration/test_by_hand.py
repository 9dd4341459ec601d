"""A step completed or skipped by hand counts as finished, and nothing else moves."""

from __future__ import annotations

import json
import os
import pwd
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from durajob.store.driver import sqlite
from tests.forked import Forked
from tests.harness import Completed
from tests.integration.judge import lines

HERE = Path(__file__).parent
GRAPHS, SAGAS, ASKING = HERE / "graphs.py", HERE / "sagas.py", HERE / "asking.py"
ME = pwd.getpwuid(os.geteuid()).pw_name
WHY = ("--reason", "done by hand")


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, effects: Path) -> Path:
    """The store's file."""
    path = tmp_path / "s" / "d.db"
    monkeypatch.setenv("DURAJOB_STORE", str(path))
    return path


def failed(forked: Forked, graph: str, *more: str, **env: str) -> Any:
    """Start a thread ``t`` that fails."""
    target = graph if ":" in graph else f"{GRAPHS}:{graph}"
    return forked.run("start", target, "-t", "t", "--json", *more, env=env, check=1).thread


def refused(done: Completed) -> tuple[int, str]:
    """How a command was refused: exit status and code."""
    return done.exit_status, done.json["error"]["code"]


def audit(store: Path) -> list[tuple[Any, ...]]:
    """What the store has kept of what people did: verb, step, user, reason, update."""
    with closing(sqlite.connect(store)) as connection:
        rows = connection.execute(
            "SELECT verb, step, user, reason, details FROM interventions ORDER BY id"
        ).fetchall()
    return [(*row[:4], json.loads(row[4] or "{}").get("update")) for row in rows]


def statuses(thread: Any) -> dict[str, str]:
    """The status of each step."""
    return {step["step"]: step["status"] for step in thread["steps"]}


def test_a_completed_branch_leaves_its_siblings_alone(
    forked: Forked, effects: Path, store: Path
) -> None:
    """Of a fan-out with one failed branch, that branch is completed by name; the resume runs
    what comes after, and no branch again. Its update reaches the reducer once."""
    thread = failed(forked, "fan", "-i", "n:=4", FAIL="work2")
    assert ["work[2]"] == thread["next"]
    done = forked.run("complete", "t", "work[2]", "-i", "out:=[20]", *WHY, "--json", check=0)
    assert {"work[2]": "skipped"}.items() <= statuses(done.thread).items()
    assert ("failed", 5) == (done.thread["status"], done.thread["progress"]["done"])
    assert ["plan", "work0", "work1", "work2", "work3"] == sorted(lines(effects))
    done = forked.run("resume", "t", "--json", check=0)
    assert sorted(map(str, ["plan", 0, 1, 20, 3, "collect"])) == sorted(
        map(str, done.thread["state"]["out"])
    )
    assert ["collect", "plan", "work0", "work1", "work2", "work3"] == sorted(lines(effects))
    assert [("complete", "work[2]", ME, "done by hand", {"out": [20]})] == audit(store)


def test_a_skipped_step_changes_no_state(forked: Forked, effects: Path, store: Path) -> None:
    """The thread goes on after it, in the same order."""
    failed(forked, "chain", FAIL="b")
    told = forked.run("skip", "t", "b", *WHY, check=0)
    assert "resume with: durajob resume t" in told.stderr
    done = forked.run("resume", "t", "--json", check=0)
    assert ["a", "c", "d"] == done.thread["state"]["out"]
    assert ["a", "b", "c", "d"] == lines(effects)
    assert "skipped" == statuses(done.thread)["b"]
    assert {"done": 4, "total": 4} == done.thread["progress"]
    assert [("skip", "b", ME, "done by hand", None)] == audit(store)


def test_the_same_again_changes_nothing_and_another_is_refused(forked: Forked, store: Path) -> None:
    """Before and after the resume, and once the thread has completed."""
    failed(forked, "chain", FAIL="b")
    complete = ("complete", "t", "b", "-i", 'out:=["by hand"]', *WHY, "--json")
    others = (
        ("skip", "t", "b", *WHY, "--json"),
        ("complete", "t", "b", "-i", "out:=[]", *WHY, "--json"),
    )
    forked.run(*complete, check=0)
    for _ in range(2):
        assert "nothing was changed" in forked.run(*complete, check=0).stderr
        for other in others:
            assert (65, "step_settled") == refused(forked.run(*other))
        forked.run("resume", "t", check=0)
    assert 1 == len(audit(store))


def test_what_the_step_could_not_have_returned_is_refused(forked: Forked, store: Path) -> None:
    """Unknown keys, what the reducer refuses, steps that are not next: nothing is written."""
    failed(forked, "chain", FAIL="b")
    for status, code, *args in (
        (65, "update_unfit", "complete", "t", "b", "-i", "uot:=[]"),
        (65, "update_unfit", "complete", "t", "b", "-i", "out=text"),
        (65, "bad_input", "complete", "t", "b", "-i", "out:=[1"),
        (2, "usage", "complete", "t", "b", "-i", "out"),
        (65, "step_settled", "complete", "t", "a"),
        (66, "step_not_found", "complete", "t", "c"),
        (66, "step_not_found", "skip", "t", "x"),
        (66, "thread_not_found", "skip", "x", "b"),
    ):
        done = forked.run(*args, *WHY, "--json")
        assert (status, code) == refused(done), done
    assert "next: b" == done_hint(forked.run("skip", "t", "c", *WHY, "--json"))
    assert 2 == forked.run("skip", "t", "b").exit_status
    assert 2 == forked.run("skip", "t", "b", "--reason", " ").exit_status
    assert [] == audit(store)
    done = forked.run("resume", "t", "--json", check=0)
    assert ["a", "b", "c", "d"] == done.thread["state"]["out"]


def done_hint(done: Completed) -> Any:
    """The hint of a refusal."""
    return done.json["error"]["hint"]


def test_a_live_owner_is_left_alone(forked: Forked, effects: Path, store: Path) -> None:
    """Refused with 75, naming it; what it does ends as if nobody had asked."""
    owner = forked.begin("start", f"{GRAPHS}:held", "-t", "t")
    owner.until(lambda: lines(effects) == ["hold"])
    done = forked.run("complete", "t", "hold", *WHY, "--json")
    assert (75, "busy") == refused(done)
    assert str(owner.pid) in done.json["error"]["message"]
    Path(f"{effects}.go").touch()
    owner.wait(check=0)
    assert [] == audit(store)


def test_a_step_in_flight_at_a_kill_can_be_settled(forked: Forked, effects: Path) -> None:
    """The thread stays interrupted, so that recover goes on with it; the step does not run."""
    died = forked.run("start", f"{GRAPHS}:chain", "-t", "t", env={"DIE": "b:after"})
    assert died.exit_status < 0
    thread = forked.run("complete", "t", "b", "-i", 'out:=["B"]', *WHY, "--json", check=0).thread
    assert ("interrupted", "skipped") == (thread["status"], statuses(thread)["b"])
    forked.run("recover", "--wait", check=0)
    done = forked.run("status", "t", "--json").thread
    assert ("completed", ["a", "B", "c", "d"]) == (done["status"], done["state"]["out"])
    assert ["a", "b", "c", "d"] == lines(effects)


def test_of_two_who_complete_one_step_at_once_both_are_told(forked: Forked, store: Path) -> None:
    """One of them does it; the other, who says the same, is told so."""
    failed(forked, "chain", FAIL="b")
    runs = [forked.begin("complete", "t", "b", *WHY) for _ in range(3)]
    told = sorted("nothing was changed" in run.wait(check=0).stderr for run in runs)
    assert [False, True, True] == told
    assert 1 == len(audit(store))


def test_branches_are_settled_side_by_side(forked: Forked, store: Path) -> None:
    """Nobody is refused because another branch is just being settled."""
    failed(forked, "fan", "-i", "n:=4", FAIL="work0,work1,work2,work3")
    runs = [forked.begin("skip", "t", f"work[{i}]", *WHY) for i in range(4)]
    for run in runs:
        run.wait(check=0)
    done = forked.run("resume", "t", "--json", check=0)
    assert ["plan", "collect"] == done.thread["state"]["out"]
    assert 4 == len(audit(store))


def test_a_question_is_closed_with_its_step(forked: Forked) -> None:
    """The thread can go on; an answer comes too late."""
    forked.run("start", f"{ASKING}:send", "-t", "t", check=3)
    thread = forked.run("complete", "t", "ask", "-i", "out:=[7]", *WHY, "--json", check=0).thread
    assert ("waiting", None) == (thread["status"], thread["waiting_for"])
    assert (66, "question_not_found") == refused(forked.run("answer", "t", "1", "--json"))
    done = forked.run("resume", "t", "--json", check=0)
    assert ("completed", [7]) == (done.thread["status"], done.thread["state"]["out"])


def test_a_sleep_ends_with_its_step(forked: Forked) -> None:
    """The thread is due at once."""
    forked.run("start", f"{HERE / 'waiting.py'}:naps", "-t", "t", check=3)
    thread = forked.run("status", "t", "--json").thread
    name = thread["next"][0]
    forked.run("skip", "t", name, *WHY, check=0)
    done = forked.run("resume", "t", "--json")
    assert name not in done.thread["next"], done


def test_a_step_inside_a_subgraph_and_one_of_a_loop(forked: Forked, effects: Path) -> None:
    """By the name that status gives; the second visit is not the first."""
    env = {"DIE": "two1:before"}
    assert forked.run("start", f"{GRAPHS}:nested", "-t", "t", env=env).exit_status < 0
    found = forked.run("complete", "t", "sub/two", "-i", 'out:=["two1"]', *WHY, "--json", check=0)
    step = found.thread["steps"][-1]
    assert ("sub/two", 2, "skipped") == (step["step"], step["visit"], step["status"])
    done = forked.run("resume", "t", "--json", check=0)
    assert ["one0", "two0", "one1"] == lines(effects)
    whole = ["one0", "two0", "one0", "two0", "one1", "two1"]
    assert whole == done.thread["state"]["out"], done


def test_a_whole_subgraph_can_be_skipped(forked: Forked, effects: Path) -> None:
    """Branches that are subgraphs, too: each by its name."""
    env = {"DIE": "two1:before"}
    start = ("start", f"{GRAPHS}:fan_of_subgraphs", "-t", "t", "-i", "n:=3")
    assert forked.run(*start, env=env).exit_status < 0
    forked.run("skip", "t", "sub[1]", *WHY, check=0)
    done = forked.run("resume", "t", "--json", check=0)
    assert ["one0", "two0", "one2", "two2"] == done.thread["state"]["out"][1:]
    assert "two1" not in lines(effects)


def test_who_completes_a_step_owes_its_compensation(forked: Forked, effects: Path) -> None:
    """What was done by hand is undone like what the step did, and is told what it was given and
    what was said; what was skipped is not."""
    env = {"DIE": "b:before"}
    assert forked.run("start", f"{SAGAS}:order", "-t", "t", env=env).exit_status < 0
    forked.run("complete", "t", "b", "-i", 'done:=["b"]', "-i", "seen=b", *WHY, check=0)
    assert forked.run("resume", "t", env={"DIE": "c:before"}).exit_status < 0
    forked.run("skip", "t", "c", *WHY, check=0)
    forked.run("resume", "t", env={"FAIL": "d"}, check=1)
    assert ["a", "d", "undo-b", "undo-a"] == lines(effects)


def test_a_compensation_can_be_settled(forked: Forked, effects: Path, store: Path) -> None:
    """One that fails for good; the rest runs at the resume, and the graph does not."""
    env = {"FAIL": "d", "UNDO_FAIL": "c"}
    forked.run("start", f"{SAGAS}:order", "-t", "t", env=env, check=1)
    assert (66, "step_not_found") == refused(forked.run("skip", "t", "d", *WHY, "--json"))
    given = forked.run("complete", "t", "c:compensate", "-i", "n:=1", *WHY, "--json")
    assert (65, "update_unfit") == refused(given)
    thread = forked.run("complete", "t", "c:compensate", *WHY, "--json", check=0).thread
    assert ["b:compensate"] == thread["next"]
    done = forked.run("resume", "t", "--json", check=1)
    assert ("failed", "compensated") == (done.thread["status"], done.thread["outcome"])
    assert ["a", "b", "c", "d", "undo-b", "undo-a"] == lines(effects)
    assert ["c:compensate"] == [row[1] for row in audit(store)]
    assert (65, "thread_ended") == refused(forked.run("skip", "t", "d", *WHY, "--json"))


def test_shell_steps_take_outputs(forked: Forked, effects: Path) -> None:
    """A command, and one item of a ``foreach``."""
    (forked.cwd / "workflows.toml").write_text(
        "version = 1\n[workflows.w]\n"
        "[[workflows.w.steps]]\nname = 'list'\nrun = 'exit 3'\n"
        "[[workflows.w.steps]]\nname = 'each'\nneeds = ['list']\nforeach = 'files'\n"
        "run = 'test $DURAJOB_ITEM != b && echo size=1 >> $DURAJOB_OUTPUT'\n"
    )
    forked.run("start", "w", "-t", "t", check=1)
    forked.run("complete", "t", "list", "-i", 'files:=["a","b"]', *WHY, check=0)
    forked.run("resume", "t", check=1)
    forked.run("complete", "t", "each[1]", "-i", "size=2", *WHY, check=0)
    done = forked.run("resume", "t", "--json", check=0)
    assert ["1", "2"] == [str(one["size"]) for one in done.thread["state"]["each"]]


def test_a_step_that_chooses_what_comes_next_is_refused(forked: Forked) -> None:
    """Its path would end in silence."""
    failed(forked, "commands", FAIL="a")
    assert (65, "update_unfit") == refused(forked.run("skip", "t", "a", *WHY, "--json"))
