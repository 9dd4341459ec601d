"""LangGraph graphs as they come: what is odd in them is kept, or refused before it matters."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.forked import Forked
from tests.integration.judge import lines

GUESTS = Path(__file__).with_name("guests.py")


pytestmark = pytest.mark.usefixtures("effects")


def test_a_step_named_like_a_branch_is_another_step(forked: Forked, effects: Path) -> None:
    """Ledger keys differ where the names that people see are alike."""
    env = {"DIE": "node:before"}
    forked.run("start", f"{GUESTS}:alike", "-t", "t", env=env)
    done = forked.run("resume", "t", "--json", env=env, check=0)
    assert sorted(done.thread["state"]["out"]) == ["node", "sent"]
    assert "node" in lines(effects)


def test_langgraphs_own_retry_policy_is_kept(forked: Forked, effects: Path) -> None:
    """It becomes durajob's: three attempts in the ledger."""
    done = forked.run("start", f"{GUESTS}:retried", "-t", "t", "--json", check=0)
    assert lines(effects) == ["try", "try", "try"]
    assert done.thread["steps"][0]["attempts"] == 3


def test_a_result_that_is_no_update_fails_the_step(forked: Forked) -> None:
    """It never stands in the ledger, so a mended step can go on."""
    env = {"WRONG": "1"}
    failed = forked.run("start", f"{GUESTS}:unusable", "-t", "t", "--json", env=env, check=1)
    assert failed.thread["error"]["type"] == "UnusableResult"
    done = forked.run("resume", "t", "--json", check=0)
    assert done.thread["state"] == {"out": ["a"]}


def test_a_graph_called_inside_a_function_does_not_wait_for_itself(forked: Forked) -> None:
    """Its tasks do not queue behind the step that calls it."""
    done = forked.run("start", f"{GUESTS}:inside", "-t", "t", "--json", check=0)
    assert sorted(done.thread["state"]["out"]) == sorted("xyz" * 4)


def test_a_handled_error_does_not_fail_the_thread(forked: Forked, effects: Path) -> None:
    """The attempt is failed, the thread completed."""
    done = forked.run("start", f"{GUESTS}:handled", "-t", "t", "--json", check=0)
    assert done.thread["status"] == "completed"
    statuses = {step["step"]: step["status"] for step in done.thread["steps"]}
    assert statuses["bad"] == "failed"
    assert "handled" in done.thread["state"]["out"]


def test_a_forked_child_that_comes_back_writes_nothing(forked: Forked, effects: Path) -> None:
    """Only the process that owns the thread goes on with it."""
    done = forked.run("start", f"{GUESTS}:forks", "-t", "t", "--json", check=0)
    assert done.thread["state"]["out"] == ["parent", "after"]
    assert lines(effects) == ["after"]


@pytest.mark.parametrize("verb", ["start", "validate"])
def test_a_gate_that_would_be_lost_is_refused(forked: Forked, verb: str) -> None:
    """Before a thread is admitted, and by validate."""
    refused = forked.run(verb, f"{GUESTS}:gated", "--json", check=78)
    assert "interrupt_before" in refused.stdout
    assert forked.run("list", "--json").data["threads"] == []


def test_what_a_steps_child_prints_is_kept_from_the_terminal(
    forked: Forked, tmp_path: Path
) -> None:
    """-q says nothing when all is well; the child's words are in the thread's log."""
    store = tmp_path / "s.db"
    quiet = forked.run("--store", store, "start", f"{GUESTS}:chatty", "-t", "t", "-q", check=0)
    assert (quiet.stdout, quiet.stderr) == ("", "")
    said = forked.run("--store", store, "logs", "t", "talk", "--json").data["lines"]
    assert ["from a child", "and more"] == [line["line"] for line in said]


def test_a_wide_fan_out_stops_with_the_steps_in_flight(forked: Forked, effects: Path) -> None:
    """What had not begun is let go at once, and still comes at the resume."""
    run = forked.begin("start", f"{GUESTS}:wide", "-t", "t", "--json")
    run.until(lambda: len(lines(effects)) == 4)
    run.signal(signal.SIGTERM)
    run.until(lambda: "asked to stop" in run.stderr)
    Path(f"{effects}.go").touch()
    stopped = run.wait(check=75)
    assert len(stopped.thread["next"]) == 2996
    assert len(lines(effects)) == 4
    done = forked.run("resume", "t", "--json", check=0)
    assert len(done.thread["state"]["out"]) == 3000
    assert len(lines(effects)) == 3000
