"""A saga finishes: what is due is compensated in reverse order, once, whatever is killed."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.forked import Forked
from tests.integration.judge import lines

SAGAS = Path(__file__).with_name("sagas.py")
ORDER, TRIP = f"{SAGAS}:order", f"{SAGAS}:trip"
UNDONE = ["undo-c", "undo-b", "undo-a"]
KILLED = -signal.SIGKILL


def compensations(thread: Any) -> dict[str, tuple[str, int]]:
    """Status and number of attempts of each compensation, in the order of beginning."""
    return {
        f"{step['step']}{step.get('visit', '')}": (step["status"], step["attempts"])
        for step in thread["steps"]
        if step["step"].endswith(":compensate")
    }


def test_what_finished_is_compensated_in_reverse_order(forked: Forked, effects: Path) -> None:
    """Each is a step of its own; the thread has failed by its cause, and is final."""
    done = forked.run("start", ORDER, "-t", "t", "--json", env={"FAIL": "d"}, check=1)
    assert ["a", "b", "c", "d", *UNDONE] == lines(effects)
    thread = done.thread
    assert ("failed", "compensated", []) == (thread["status"], thread["outcome"], thread["next"])
    assert ("d", "d") == (thread["error"]["step"], thread["cause"]["step"])
    assert {"done": 3, "total": 4} == thread["progress"]
    assert thread["finished_at"] is not None
    once = ("succeeded", 1)
    named = {"c:compensate": once, "b:compensate": once, "a:compensate": once}
    assert named == compensations(thread)
    for command in (["resume", "t"], ["start", ORDER, "-t", "t", "--on-exists", "resume"]):
        again = forked.run(*command, check=1)
        assert "it is final" in again.stderr
    assert 7 == len(lines(effects))


def test_where_nothing_is_due_a_failed_thread_is_resumable(forked: Forked, effects: Path) -> None:
    """A compensation is due for steps that finished, and the first has not."""
    done = forked.run("start", ORDER, "-t", "t", "--json", env={"FAIL": "a"}, check=1)
    assert (None, ["a"]) == (done.thread["outcome"], done.thread["next"])
    assert "completed" == forked.run("resume", "t", "--json", check=0).thread["status"]
    assert ["a", "a", "b", "c", "d"] == lines(effects)


PLACES = [f"undo-{name}:{where}" for name in "cba" for where in ("before", "after")]


def test_a_killed_saga_goes_on_at_the_compensation_that_had_not_finished(
    forked: Forked, effects: Path
) -> None:
    """Only what was in flight at a kill runs again; no step of the graph does."""
    env = {"FAIL": "d", "DIE": ",".join(PLACES)}
    assert KILLED == forked.run("start", ORDER, "-t", "t", env=env).exit_status
    for place in PLACES:
        seen = forked.run("status", "t", "--json").thread
        assert ("interrupted", "compensating") == (seen["status"], seen["outcome"])
        assert [f"{place[5]}:compensate"] == seen["next"]
        last = forked.run("resume", "t", "--json", env=env)
    assert 1 == last.exit_status
    assert "compensated" == last.thread["outcome"]
    assert "d" == last.thread["error"]["step"]
    # Each was once killed after its effect and before its commit.
    again = [name for undone in UNDONE for name in (undone, undone)]
    assert ["a", "b", "c", "d", *again] == lines(effects)


@pytest.mark.parametrize("commit", range(1, 6))
def test_a_finished_compensation_is_never_run_again(
    forked: Forked, effects: Path, commit: int
) -> None:
    """Killed as the n-th commit of its compensating has just returned."""
    env = {"FAIL": "d", "FAULTS": "die_after_compensating", "COUNT": str(commit)}
    assert KILLED == forked.run("start", ORDER, "-t", "t", env=env).exit_status
    done = forked.run("resume", "t", "--json", check=1)
    assert "compensated" == done.thread["outcome"]
    assert ["a", "b", "c", "d", *UNDONE] == lines(effects)


def test_a_failing_compensation_leaves_the_thread_resumable_there(
    forked: Forked, effects: Path
) -> None:
    """Its own retries first; then ``next`` names it, and the first failure stays the cause."""
    env = {"FAIL": "d", "UNDO_FAIL": "b"}
    done = forked.run("start", ORDER, "-t", "t", "--json", env=env, check=1)
    thread = done.thread
    assert ("failed", "compensating") == (thread["status"], thread["outcome"])
    assert ["b:compensate"] == thread["next"]
    assert ("b:compensate", 2) == (thread["error"]["step"], thread["error"]["attempt"])
    assert "d" == thread["cause"]["step"]
    assert "durajob resume t" == done.json["error"]["hint"]
    assert {"c:compensate": ("succeeded", 1), "b:compensate": ("failed", 2)} == compensations(
        thread
    )
    last = forked.run("resume", "t", "--json", check=1).thread
    assert ("compensated", "d") == (last["outcome"], last["error"]["step"])
    assert ("succeeded", 3) == compensations(last)["b:compensate"]
    assert ["a", "b", "c", "d", *UNDONE] == lines(effects)


def test_each_finished_branch_is_compensated(forked: Forked, effects: Path) -> None:
    """With the item and the shared values that it was given, and what it returned."""
    env = {"FAIL": "pay"}
    done = forked.run("start", TRIP, "-t", "t", "-i", "n:=5", "--json", env=env, check=1)
    assert "compensated" == done.thread["outcome"]
    undone = lines(effects)[6:]
    assert {f"undo-book{i}" for i in range(5)} == set(undone)
    assert 5 == len(undone)
    named = {f"book[{i}]:compensate" for i in range(5)}
    assert named == set(compensations(done.thread))


def test_a_step_in_flight_finishes_and_is_compensated(forked: Forked, effects: Path) -> None:
    """One branch fails while another is at work; the failed one has nothing to undo."""
    env = {"FAIL": "book0", "HOLD": "book0,book1"}
    run = forked.begin("start", TRIP, "-t", "t", "-i", "n:=2", "--json", env=env)
    run.until(lambda: {"book0:holds", "book1:holds"} <= set(lines(effects)))
    Path(f"{effects}.go").touch()
    thread = run.wait(check=1).thread
    assert "compensated" == thread["outcome"]
    assert ["undo-book1"] == lines(effects)[4:]
    assert ["book[1]:compensate"] == list(compensations(thread))


def test_an_empty_fan_out_has_nothing_to_undo(forked: Forked, effects: Path) -> None:
    """No item, no call."""
    forked.run("start", TRIP, "-t", "t", "-i", "n:=0", env={"FAIL": "pay"}, check=1)
    assert ["pay"] == lines(effects)


TOML = """
version = 1
[workflows.loop]
graph = "{sagas}:raw"
[workflows.loop.steps.visit]
compensate = {compensate}
"""


@pytest.mark.parametrize(
    "compensate",
    [
        '"{sagas}:undo_visit"',
        '{{run = "{sagas}:undo_visit", retry = {{on = "OSError", attempts = 2}}}}',
    ],
)
def test_each_visit_of_a_plain_graph_is_compensated(
    forked: Forked, effects: Path, tmp_path: Path, compensate: str
) -> None:
    """workflows.toml names the function; each visit is undone with what it was given."""
    text = TOML.format(sagas=SAGAS, compensate=compensate.format(sagas=SAGAS))
    (tmp_path / "workflows.toml").write_text(text)
    env = {"FAIL": "last", "DIE": "undo-visit2:before"}
    assert KILLED == forked.run("start", "loop", "-t", "t", "-i", "n:=3", env=env).exit_status
    thread = forked.run("resume", "t", "--json", env=env, check=1).thread
    assert ["undo-visit1", "undo-visit2", "undo-visit3"] == lines(effects)[4:]
    named = {"visit:compensate3": 1, "visit:compensate2": 2, "visit:compensate": 1}
    assert named == {name: n for name, (_, n) in compensations(thread).items()}


def test_a_signal_stops_between_compensations(forked: Forked, effects: Path) -> None:
    """The one in flight finishes, the thread is stopped, and goes on there."""
    env = {"FAIL": "d", "UNDO_HOLD": "b"}
    run = forked.begin("start", ORDER, "-t", "t", "--json", env=env)
    run.until(lambda: "undo-b:holds" in lines(effects))
    run.signal(signal.SIGTERM)
    run.until(lambda: "asked to stop" in run.stderr)
    Path(f"{effects}.go").touch()
    stopped = run.wait(check=75).thread
    assert ("stopped", ["a:compensate"]) == (stopped["status"], stopped["next"])
    assert "undo-a" not in lines(effects)
    assert "compensated" == forked.run("resume", "t", "--json", check=1).thread["outcome"]
    assert ["undo-c", "undo-b:holds", "undo-b", "undo-a"] == lines(effects)[4:]


def test_the_runs_timeout_ends_a_compensation(forked: Forked, effects: Path) -> None:
    """It counts as timed out, and runs again from its top."""
    env = {"FAIL": "d", "UNDO_HOLD": "b", "FAULTS": "run_out"}
    run = forked.begin("start", ORDER, "-t", "t", "--timeout", "1h", "--json", env=env)
    run.until(lambda: "undo-b:holds" in lines(effects))
    run.run_out()
    stopped = run.wait(check=124).thread
    assert ("stopped", ["b:compensate"]) == (stopped["status"], stopped["next"])
    assert ("timed_out", 1) == compensations(stopped)["b:compensate"]
    assert "compensated" == forked.run("resume", "t", "--json", check=1).thread["outcome"]


def test_a_compensation_may_ask(forked: Forked, effects: Path) -> None:
    """The thread waits for the answer, and goes on in that compensation."""
    env = {"FAIL": "deliver"}
    asks = forked.run("start", f"{SAGAS}:sale", "-t", "t", "--json", env=env, check=3).thread
    assert ("waiting", "compensating") == (asks["status"], asks["outcome"])
    assert ["sell:compensate"] == asks["next"]
    done = forked.run("answer", "t", "yes", "--json", check=1).thread
    assert ("failed", "compensated") == (done["status"], done["outcome"])
    assert ["sell", "deliver", "undo-sell:yes"] == lines(effects)


def test_a_compensation_that_is_gone_is_refused(
    forked: Forked, effects: Path, tmp_path: Path
) -> None:
    """65, and nothing runs, until the definition has one again; the graph may have changed."""
    target = tmp_path / "wf.py"
    whole = SAGAS.read_text()
    target.write_text(whole)
    env = {"FAIL": "d", "DIE": "undo-b:before"}
    assert KILLED == forked.run("start", f"{target}:order", "-t", "t", env=env).exit_status
    target.write_text(whole.replace("@order.step(compensate=undo_a)", "@order.step"))
    refused = forked.run("resume", "t", "--json", check=65)
    assert "definition_changed" == refused.json["error"]["code"]
    assert "'a'" in refused.json["error"]["message"]
    assert "undo-b" not in lines(effects)
    target.write_text(whole.replace("@order.step\ndef d", "@order.step\ndef another"))
    done = forked.run("resume", "t", "--json", check=1)
    assert "compensated" == done.thread["outcome"]
    assert UNDONE == lines(effects)[4:]
