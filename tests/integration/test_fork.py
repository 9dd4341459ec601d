"""A fork keeps the past and shares no future; the thread that it came from stays as it was."""

from __future__ import annotations

import json
import os
import pwd
import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from durajob.store.driver import sqlite
from tests.forked import Forked
from tests.harness import Completed
from tests.integration.judge import lines

HERE = Path(__file__).parent
GRAPHS, SAGAS, EFFECTFUL, GROWING = (
    HERE / f"{name}.py" for name in ("graphs", "sagas", "effects", "growing")
)


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, effects: Path) -> Path:
    """The store's file."""
    path = tmp_path / "s" / "d.db"
    monkeypatch.setenv("DURAJOB_STORE", str(path))
    return path


def rows_of(store: Path, thread: str) -> list[Any]:
    """All that the store holds of a thread."""
    found = []
    with closing(sqlite.connect(store)) as connection:
        (id,) = connection.execute("SELECT id FROM threads WHERE thread = ?", (thread,)).fetchone()
        for table, key in (
            ("threads", id),
            ("origins", id),
            ("attempts", id),
            ("results", id),
            ("interventions", id),
            ("checkpoints", thread),
        ):
            column = "id" if table == "threads" else "thread_id"
            query = f"SELECT * FROM {table} WHERE {column} = ?"
            found += connection.execute(query, (key,)).fetchall()
    return found


def refused(done: Completed) -> tuple[int, str]:
    """How a command was refused: exit status and code."""
    return done.exit_status, done.json["error"]["code"]


def seen(thread: Any) -> list[tuple[str, int, str]]:
    """The steps with their visits and statuses, in order."""
    return [(step["step"], step.get("visit", 1), step["status"]) for step in thread["steps"]]


def test_a_fork_goes_on_from_before_the_step(forked: Forked, effects: Path, store: Path) -> None:
    """With the changed state, with the attempts up to there, and with a key in the audit; the
    parent, which had completed, is as it was."""
    forked.run("start", f"{GRAPHS}:chain", "-t", "old", check=0)
    before = rows_of(store, "old")
    changes = ("-i", 'out:=["A","B"]', "--reason", "another a and b")
    made = forked.run("fork", "old", "--from", "c", "-t", "new", *changes, "--json", check=0)
    thread = made.thread
    assert ("pending", "old", ["c"]) == (thread["status"], thread["parent"], thread["next"])
    assert [("a", 1, "succeeded"), ("b", 1, "succeeded")] == seen(thread)
    assert {"done": 2, "total": 4} == thread["progress"]
    assert ["a", "b", "c", "d"] == lines(effects)
    done = forked.run("resume", "new", "--json", check=0)
    assert ["A", "B", "c", "d"] == done.thread["state"]["out"]
    assert ["a", "b", "c", "d", "c", "d"] == lines(effects)
    assert before == rows_of(store, "old")
    with closing(sqlite.connect(store)) as connection:
        told = connection.execute(
            "SELECT verb, user, reason, details FROM interventions"
        ).fetchall()
    details = {"parent": "old", "step": "c", "visit": None, "update": {"out": ["A", "B"]}}
    me = pwd.getpwuid(os.geteuid()).pw_name
    assert [("fork", me, "another a and b", details)] == [
        (*row[:3], json.loads(row[3])) for row in told
    ]


@pytest.mark.parametrize(
    ("env", "status"), [({"FAIL": "c"}, "failed"), ({"DIE": "c:before"}, "interrupted")]
)
def test_what_has_not_completed_is_forked(
    forked: Forked, effects: Path, env: dict[str, str], status: str
) -> None:
    """From the step it came to, or an earlier one; each goes its own way."""
    forked.run("start", f"{GRAPHS}:chain", "-t", "old", env=env)
    assert status == forked.run("status", "old", "--json").thread["status"]
    for step in ("c", "a"):
        forked.run("fork", "old", "--from", step, "-t", f"new-{step}", check=0)
        done = forked.run("resume", f"new-{step}", "--json", check=0)
        assert ["a", "b", "c", "d"] == done.thread["state"]["out"]
    assert status == forked.run("status", "old", "--json").thread["status"]
    forked.run("resume", "old", check=0)


def test_a_running_thread_is_forked(forked: Forked, effects: Path) -> None:
    """Its owner is left alone, and so is what it does."""
    owner = forked.begin("start", f"{GRAPHS}:held", "-t", "old")
    owner.until(lambda: lines(effects) == ["hold"])
    forked.run("fork", "old", "--from", "hold", "-t", "new", check=0)
    Path(f"{effects}.go").touch()
    owner.wait(check=0)
    assert 0 == forked.run("resume", "new").exit_status
    assert ["hold", "held", "after"] * 2 == lines(effects)


def test_a_visit_of_a_loop_and_a_fan_out(forked: Forked, effects: Path) -> None:
    """The last visit unless another is said; a branch begins its fan-out anew."""
    forked.run("start", f"{GRAPHS}:loop", "-t", "l", "-i", "n:=4", check=0)
    for visit, have in (((), 3), (("--visit", "2"), 1)):
        made = forked.run("fork", "l", "--from", "poll", *visit, "--json", check=0)
        assert list(range(have)) == made.thread["state"]["out"]
        assert made.thread["thread"].startswith("l-fork-")
        done = forked.run("resume", made.thread["thread"], "--json", check=0)
        assert [0, 1, 2, 3] == done.thread["state"]["out"]
        assert [("poll", i + 1, "succeeded") for i in range(4)] == seen(done.thread)
    assert 66 == forked.run("fork", "l", "--from", "poll", "--visit", "5").exit_status
    forked.run("start", f"{GRAPHS}:fan", "-t", "f", "-i", "n:=2", check=0)
    made = forked.run("fork", "f", "--from", "work[1]", "-t", "g", "--json", check=0)
    assert ["work[0]", "work[1]"] == made.thread["next"]
    before = len(lines(effects))
    forked.run("resume", "g", check=0)
    assert ["collect", "work0", "work1"] == sorted(lines(effects)[before:])


def test_subgraphs_are_forked_whole(forked: Forked, effects: Path) -> None:
    """A step inside is refused with the way out."""
    forked.run("start", f"{GRAPHS}:nested", "-t", "old", check=0)
    inside = forked.run("fork", "old", "--from", "sub/two", "--json")
    assert (66, "step_not_found") == refused(inside)
    assert "--from sub " in inside.json["error"]["hint"]
    before = lines(effects)
    forked.run("fork", "old", "--from", "sub", "-t", "new", check=0)
    done = forked.run("resume", "new", "--json", check=0)
    old = forked.run("status", "old", "--json").thread
    assert old["state"] == done.thread["state"]
    assert ["one1", "two1"] == lines(effects)[len(before) :]


@pytest.mark.parametrize("store_of", ["old", "copy"])
def test_a_state_that_is_kept_as_changes_is_forked(
    forked: Forked, monkeypatch: pytest.MonkeyPatch, store_of: str
) -> None:
    """LangGraph rebuilds it from the checkpoints before: the fork has copies of these, and stands
    when its parent is gone. What such a key holds cannot be set, and that is said."""
    monkeypatch.setenv("GROW", "8")
    forked.run("start", f"{GROWING}:changes", "-t", "old", env={"KILL": "5"})
    assert 5 == forked.run("status", "old", "--json").thread["state"]["count"]
    from_third = ("fork", "old", "--from", "add", "--visit", "3")
    refusal = forked.run(*from_third, "-t", "x", "-i", "items:=[]", "--json")
    assert (65, "update_unfit") == refused(refusal)
    assert "DeltaChannel" in refusal.json["error"]["message"]
    forked.run(*from_third, "-t", "new", "-i", "count:=100", check=0)
    by_hand = ("-i", 'items:=["by hand"]', "-i", "count:=1", "--reason", "as the hint says")
    forked.run("complete", "new", "add", *by_hand, check=0)
    forked.run("resume", "old", "-q", check=0)
    if store_of == "copy":
        forked.run("export", "new", "-o", "x", check=0)
        monkeypatch.setenv("DURAJOB_STORE", "b.db")
        forked.run("import", "x", check=0)
    else:
        forked.run("prune", "--yes", check=0)
        assert 66 == forked.run("status", "old").exit_status
    done = forked.run("resume", "new", "--json", check=0)
    assert 106 == done.thread["state"]["count"]
    assert ("add", 8, "succeeded") == seen(done.thread)[-1]
    forked.run("doctor", check=0)


def test_the_same_again_and_another(forked: Forked) -> None:
    """The same fork once more changes nothing; another under that id is refused."""
    forked.run("start", f"{GRAPHS}:chain", "-t", "old", check=0)
    fork = ("fork", "old", "-t", "new", "--json")
    forked.run(*fork, "--from", "c", check=0)
    assert "nothing was changed" in forked.run(*fork, "--from", "c", check=0).stderr
    forked.run("resume", "new", check=0)
    assert "completed" == forked.run(*fork, "--from", "c", check=0).thread["status"]
    for other in (("--from", "b"), ("--from", "c", "-i", "n:=1")):
        assert (73, "thread_exists") == refused(forked.run(*fork, *other))
    assert (73, "thread_exists") == refused(
        forked.run("fork", "new", "--from", "d", "-t", "old", "--json")
    )


def test_what_cannot_be_forked_is_refused(forked: Forked, store: Path) -> None:
    """By what is wrong, and with what there is; nothing is written."""
    forked.run("start", f"{GRAPHS}:chain", "-t", "old", check=0)
    before = rows_of(store, "old")
    for status, code, *args in (
        (66, "thread_not_found", "x", "--from", "a"),
        (66, "step_not_found", "old", "--from", "x"),
        (66, "step_not_found", "old", "--from", "a:compensate"),
        (65, "update_unfit", "old", "--from", "b", "-i", "uot=1"),
        (2, "usage", "old"),
        (2, "usage", "old", "--from", "a", "--visit", "0"),
        (2, "invalid_thread_id", "old", "--from", "a", "-t", "a/b"),
    ):
        done = forked.run("fork", *args, "--json")
        assert (status, code) == refused(done), done
    made = forked.run("fork", "old", "--from", "c", "-t", "new", check=0)
    gone = forked.run("fork", "new", "--from", "b", "--json")
    assert (66, "checkpoint_gone") == refused(gone), made
    assert "durajob fork old --from b" in gone.json["error"]["hint"]
    assert before == rows_of(store, "old")


def test_a_changed_shape_is_refused_unless_it_is_accepted(forked: Forked, effects: Path) -> None:
    """As at a resume; the fork's first resume asks no more."""
    target = forked.cwd / "flow.py"
    target.write_text(f"import sys\nsys.path.insert(0, {str(HERE.parents[1])!r})\n")
    text = target.read_text()
    target.write_text(text + "from tests.integration.graphs import chain as graph\n")
    forked.run("start", "./flow.py:graph", "-t", "old", check=0)
    target.write_text(text + "from tests.integration.graphs import chain_without_c as graph\n")
    fork = ("fork", "old", "--from", "b", "-t", "new", "--json")
    assert (65, "definition_changed") == refused(forked.run(*fork))
    forked.run(*fork, "--accept-change", check=0)
    assert ["a", "b", "d"] == forked.run("resume", "new", "--json", check=0).thread["state"]["out"]
    gone = forked.run("fork", "old", "--from", "c", "--accept-change", "--json")
    assert (65, "definition_changed") == refused(gone)


def test_what_the_parent_did_is_the_parents(forked: Forked, effects: Path) -> None:
    """The fork compensates what it has done itself, and the parent what that has."""
    forked.run("start", f"{SAGAS}:order", "-t", "old", env={"FAIL": "d"}, check=1)
    assert ["undo-c", "undo-b", "undo-a"] == lines(effects)[4:]
    made = forked.run("fork", "old", "--from", "b", "-t", "new", check=0)
    assert "is compensated" in made.stderr
    before = len(lines(effects))
    forked.run("resume", "new", env={"FAIL": "d"}, check=1)
    assert ["b", "c", "d", "undo-c", "undo-b"] == lines(effects)[before:]


def test_a_fork_has_the_files_of_shell_steps(forked: Forked) -> None:
    """A copy of them, as they are now: what one writes, the other does not see."""
    (forked.cwd / "workflows.toml").write_text(
        "version = 1\n[workflows.w]\n"
        "[[workflows.w.steps]]\nname = 'dump'\nrun = 'echo dumped > $DURAJOB_DIR/file'\n"
        "[[workflows.w.steps]]\nname = 'send'\nneeds = ['dump']\n"
        "run = 'echo sent >> $DURAJOB_DIR/file; "
        'echo lines=$(wc -l < $DURAJOB_DIR/file) >> "$DURAJOB_OUTPUT"\'\n'
    )
    forked.run("start", "w", "-t", "old", check=0)
    forked.run("fork", "old", "--from", "send", "-t", "new", "-i", "more=1", check=0)
    done = forked.run("resume", "new", "--json", check=0)
    assert ("3", "1") == (str(done.thread["state"]["lines"]), done.thread["state"]["more"])
    old = forked.run("status", "old", "--json").thread
    assert "2" == str(old["state"]["lines"])
    forked.run("start", "w", "-t", "third", check=0)


def test_a_fork_that_is_killed_is_there_or_not(forked: Forked, effects: Path) -> None:
    """Made again, it is there once."""
    forked.run("start", f"{GRAPHS}:chain", "-t", "old", check=0)
    fork = ("fork", "old", "--from", "c", "-t", "new")
    for fault in ("die_before_transaction", "die_after_transaction"):
        assert -signal.SIGKILL == forked.run(*fork, env={"FAULTS": fault}).exit_status
    assert "nothing was changed" in forked.run(*fork, check=0).stderr
    forked.run("resume", "new", check=0)
    assert ["a", "b", "c", "d", "c", "d"] == lines(effects)
