"""``cancel``: the owner is stopped, what is due is compensated, the thread ends for good."""

from __future__ import annotations

import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.forked import Forked, ForkedRun
from tests.integration.judge import lines

SAGAS = Path(__file__).with_name("sagas.py")
GRAPHS = Path(__file__).with_name("graphs.py")
ORDER = f"{SAGAS}:order"
KILLED = -signal.SIGKILL

pytestmark = pytest.mark.usefixtures("effects")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store whose tables the test can look at."""
    monkeypatch.setenv("DURAJOB_STORE", "s/d.db")
    return tmp_path / "s" / "d.db"


def interventions(store: Path) -> list[tuple[str, str | None]]:
    """What people did by hand: verb and reason."""
    connection = sqlite3.connect(store)
    try:
        return connection.execute("SELECT verb, reason FROM interventions").fetchall()
    finally:
        connection.close()


def holding(forked: Forked, effects: Path, **env: str) -> ForkedRun:
    """A saga whose second step waits for the test."""
    run = forked.begin("start", ORDER, "-t", "t", env={"HOLD": "b", **env})
    run.until(lambda: "b:holds" in lines(effects))
    return run


def ended(thread: Any) -> tuple[str, str | None, list[str]]:
    """How it stands: status, outcome and next."""
    return thread["status"], thread["outcome"], thread["next"]


COMPENSATED: tuple[str, str | None, list[str]] = ("cancelled", "compensated", [])


def test_a_running_thread_is_stopped_and_compensated(
    forked: Forked, effects: Path, store: Path
) -> None:
    """The step in flight finishes first, and is undone with the others."""
    run = holding(forked, effects)
    cancel = forked.begin("cancel", "t", "--reason", "ordered twice", "--json")
    cancel.until(lambda: "asked process" in cancel.stderr)
    Path(f"{effects}.go").touch()
    done = cancel.wait(check=0)
    run.wait(check=75)
    assert COMPENSATED == ended(done.thread)
    assert (None, None) == (done.thread["error"], done.thread["cause"])
    assert ["a", "b", "b:holds", "undo-b", "undo-a"] == lines(effects)
    assert [("cancel", "ordered twice")] == interventions(store)
    forked.run("cancel", "t", "--reason", "again", check=0)
    assert 1 == len(interventions(store))
    assert "cancelled" == forked.run("resume", "t", "--json", check=4).json["error"]["code"]


def test_an_owner_that_does_not_stop_in_time_is_killed(forked: Forked, effects: Path) -> None:
    """Its step has not finished: the attempt is abandoned, and not undone."""
    run = holding(forked, effects)
    done = forked.run("cancel", "t", "--grace", "100ms", "--json", check=0)
    assert KILLED == run.wait().exit_status
    assert COMPENSATED == ended(done.thread)
    assert ["a", "b", "b:holds", "undo-a"] == lines(effects)
    attempts = {step["step"]: step["status"] for step in done.thread["steps"]}
    assert ("abandoned", "succeeded") == (attempts["b"], attempts["a:compensate"])


@pytest.mark.parametrize("status", ["interrupted", "stopped", "failed"])
def test_a_thread_that_nobody_drives_is_cancelled(
    forked: Forked, effects: Path, status: str
) -> None:
    """Whatever became of its owner."""
    if status == "interrupted":
        forked.run("start", ORDER, "-t", "t", env={"DIE": "b:before"})
    elif status == "failed":
        forked.run("start", ORDER, "-t", "t", env={"FAIL": "b", "UNDO_FAIL": "a"})
    else:
        run = holding(forked, effects)
        run.signal(signal.SIGTERM)
        Path(f"{effects}.go").touch()
        run.wait(check=75)
    assert status == forked.run("status", "t", "--json").thread["status"]
    done = forked.run("cancel", "t", "--json", check=0)
    assert COMPENSATED == ended(done.thread)
    undone = [line for line in lines(effects) if line.startswith("undo-")]
    assert ["undo-b", "undo-a"][status != "stopped" :] == undone


def test_what_has_nothing_to_undo_just_ends(forked: Forked, tmp_path: Path) -> None:
    """Its workflow is not even loaded: it may be gone."""
    graph = tmp_path / "wf.py"
    graph.write_text(GRAPHS.read_text())
    forked.run("start", f"{graph}:asks", "-t", "waits", check=3)
    forked.run("start", f"{graph}:chain", "-t", "fails", env={"FAIL": "b"}, check=1)
    graph.unlink()
    for thread in ("waits", "fails"):
        done = forked.run("cancel", thread, "--json", check=0)
        assert ("cancelled", None, []) == ended(done.thread)
        assert (None, None) == (done.thread["waiting_for"], done.thread["error"])


def test_one_that_waits_its_turn_is_cancelled_without_it(
    forked: Forked, effects: Path, tmp_path: Path
) -> None:
    """The process that would have started it ends it instead, while the store is still full."""
    (tmp_path / "workflows.toml").write_text(
        f'[defaults]\nmax_running = 1\n[workflows.job]\ngraph = "{GRAPHS}:held"\n'
    )
    first = forked.begin("start", "job", "-t", "one")
    first.until(lambda: len(lines(effects)) == 1)
    second = forked.begin("start", "job", "-t", "two")
    second.until(lambda: "max_running" in second.stderr)
    assert ("cancelled", None, []) == ended(forked.run("cancel", "two", "--json", check=0).thread)
    second.wait(check=4)
    Path(f"{effects}.go").touch()
    first.wait(check=0)


def test_what_has_ended_is_refused(forked: Forked, store: Path) -> None:
    """65 for one that completed, or was compensated; 66 for one that never was."""
    forked.run("start", f"{GRAPHS}:chain", "-t", "whole", check=0)
    forked.run("start", ORDER, "-t", "undone", env={"FAIL": "d"}, check=1)
    for thread in ("whole", "undone"):
        refused = forked.run("cancel", thread, "--json", check=65)
        assert "thread_ended" == refused.json["error"]["code"]
    assert [] == interventions(store)
    assert "thread_not_found" == forked.run("cancel", "x", "--json", check=66).json["error"]["code"]


@pytest.mark.parametrize("command", ["cancel", "resume"])
def test_a_cancel_that_was_killed_is_finished(
    forked: Forked, effects: Path, store: Path, command: str
) -> None:
    """By another, or by a resume: neither runs a step of the graph."""
    forked.run("start", ORDER, "-t", "t", env={"DIE": "c:before"})
    env = {"DIE": "undo-b:before"}
    assert KILLED == forked.run("cancel", "t", env=env).exit_status
    done = forked.run(command, "t", "--json", check=0 if command == "cancel" else 4)
    assert COMPENSATED == ended(done.thread)
    assert ["a", "b", "undo-b", "undo-a"] == lines(effects)
    assert 1 == len(interventions(store))


def test_a_wish_that_nobody_carried_out_holds(forked: Forked, effects: Path) -> None:
    """The cancel dies as soon as it is noted: the resume undoes, and goes on with nothing."""
    forked.run("start", ORDER, "-t", "t", env={"DIE": "c:before"})
    env = {"FAULTS": "die_after_wish"}
    assert KILLED == forked.run("cancel", "t", env=env).exit_status
    assert COMPENSATED == ended(forked.run("resume", "t", "--json", check=4).thread)
    assert ["a", "b", "undo-b", "undo-a"] == lines(effects)


def test_a_compensation_that_fails_under_cancel_is_gone_on_with(
    forked: Forked, effects: Path
) -> None:
    """1, and the thread is failed; the next cancel, or resume, goes on there."""
    forked.run("start", ORDER, "-t", "t", env={"DIE": "c:before"})
    failed = forked.run("cancel", "t", "--json", env={"UNDO_FAIL": "a"}, check=1)
    assert ("failed", "compensating", ["a:compensate"]) == ended(failed.thread)
    assert COMPENSATED == ended(forked.run("cancel", "t", "--json", check=0).thread)
    assert ["a", "b", "undo-b", "undo-a"] == lines(effects)


def test_a_cancel_waits_for_what_is_compensated_already(
    forked: Forked, effects: Path, store: Path
) -> None:
    """A thread that has just failed is not stopped in its undoing, and ends cancelled; of two
    cancels, both are told so."""
    env = {"FAIL": "c", "UNDO_HOLD": "a"}
    run = forked.begin("start", ORDER, "-t", "t", env=env)
    run.until(lambda: "undo-a:holds" in lines(effects))
    cancels = [forked.begin("cancel", "t", "--json") for _ in range(2)]
    cancels[0].until(lambda: interventions(store))
    Path(f"{effects}.go").touch()
    run.wait(check=4)
    for cancel in cancels:
        assert COMPENSATED == ended(cancel.wait(check=0).thread)
    assert ["undo-b", "undo-a:holds", "undo-a"] == lines(effects)[3:]


def test_cancel_and_resume_at_once(forked: Forked, effects: Path, store: Path) -> None:
    """Each step is undone once, whoever gets to it."""
    forked.run("start", ORDER, "-t", "t", env={"DIE": "c:before"})
    cancel = forked.begin("cancel", "t", "--json")
    cancel.until(lambda: interventions(store))
    others = [forked.begin(command, "t", "--json") for command in ("resume", "cancel", "resume")]
    assert COMPENSATED == ended(cancel.wait(check=0).thread)
    for other in others:
        assert other.wait().exit_status in (0, 4, 75)
    assert COMPENSATED == ended(forked.run("status", "t", "--json").thread)
    assert ["a", "b", "undo-b", "undo-a"] == lines(effects)
