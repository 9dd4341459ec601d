"""Killed anywhere and resumed: every kind of graph goes on at the step that had not finished."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.forked import Forked
from tests.integration.judge import lines

GRAPHS = Path(__file__).with_name("graphs.py")


pytestmark = pytest.mark.usefixtures("effects")


KILLS = [
    ("chain", 0, ["a:before"]),
    ("chain", 0, ["a:after"]),
    ("chain", 0, ["c:before", "c:after", "d:before"]),
    ("fan", 6, ["work2:before"]),
    ("fan", 6, ["work0:after", "work5:after", "collect:before"]),
    ("loop", 5, ["poll3:before"]),
    ("loop", 5, ["poll2:after", "poll4:before"]),
    ("nested", 0, ["one0:after"]),
    ("nested", 0, ["two0:before", "one1:after", "two1:after"]),
    ("fan_of_subgraphs", 3, ["two1:before", "one2:after"]),
    ("commands", 0, ["b:before"]),
    ("commands", 0, ["c:after", "e7:after"]),
    ("deferred", 0, ["long2:before"]),
    ("deferred", 0, ["short:after", "last:before"]),
]


@pytest.mark.parametrize(("graph", "n", "kills"), KILLS)
def test_a_killed_thread_goes_on_at_the_step_that_had_not_finished(
    forked: Forked, effects: Path, graph: str, n: int, kills: list[str]
) -> None:
    """Only steps that were in flight at a kill run again, and the state is as if undisturbed."""
    target = f"{GRAPHS}:{graph}"
    calm = forked.run("start", target, "-t", "calm", "-i", f"n:={n}", "--json", check=0)
    undisturbed = Counter(lines(effects))
    effects.unlink()

    env = {"DIE": ",".join(kills)}
    first = forked.run("start", target, "-t", "t", "-i", f"n:={n}", env=env)
    assert first.exit_status == -signal.SIGKILL
    for _ in kills[1:]:
        assert forked.run("status", "t", "--json").thread["status"] == "interrupted"
        assert forked.run("resume", "t", env=env).exit_status == -signal.SIGKILL
    last = forked.run("resume", "t", "--json", env=env, check=0)

    assert last.thread["status"] == "completed"
    assert last.thread["state"] == calm.thread["state"]
    assert not undisturbed - Counter(lines(effects))
    # What ran twice was in flight at a kill, and the ledger says so: it has two attempts.
    repeated = Counter(lines(effects)) - undisturbed
    steps = last.thread["steps"]
    assert len(repeated) <= sum(step["attempts"] > 1 for step in steps)
    assert sum(repeated.values()) <= sum(step["attempts"] - 1 for step in steps)
    assert all(step["attempts"] <= len(kills) + 1 for step in steps)


def test_a_resume_repeats_only_what_was_in_flight(forked: Forked, effects: Path) -> None:
    """Of 40 branches killed in the 21st, the twenty before it are answered by the ledger."""
    env = {"DIE": "work20:after"}
    forked.run("start", f"{GRAPHS}:fan", "-t", "t", "-i", "n:=40", env=env)
    before = Counter(lines(effects))
    seen = forked.run("status", "t", "--json").thread
    succeeded = [s["step"] for s in seen["steps"] if s["status"] == "succeeded"]
    assert seen["next"] == [f"work[{i}]" for i in range(40) if f"work[{i}]" not in succeeded]
    forked.run("resume", "t", env=env, check=0)
    again = Counter(lines(effects)) - before
    for step in succeeded:
        if step.startswith("work["):
            assert again[f"work{step[5:-1]}"] == 0
    assert sum(Counter(lines(effects)).values()) <= 42 + 4


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
def test_the_ledger_answers_when_the_checkpoint_was_not_written(
    forked: Forked, effects: Path, count: int
) -> None:
    """Killed as LangGraph is about to store its n-th checkpoint, nothing that finished runs
    again: the moment a step finishes is the ledger commit before it."""
    env = {"FAULTS": "die_before_checkpoint", "COUNT": str(count)}
    first = forked.run("start", f"{GRAPHS}:chain", "-t", "t", env=env)
    assert first.exit_status == -signal.SIGKILL
    forked.run("resume", "t", check=0)
    assert lines(effects) == ["a", "b", "c", "d"]


def test_a_clock_set_back_repeats_nothing(forked: Forked, effects: Path) -> None:
    """Checkpoint ids hold the clock; the thread's own pointer says which is the latest."""
    start = {"DIE": "c:before"}
    forked.run("start", f"{GRAPHS}:chain", "-t", "t", env=start)
    back = {"FAULTS": "set_clock", "OFFSET": "-86400", "DIE": "c:before,d:before"}
    assert forked.run("resume", "t", env=back).exit_status == -signal.SIGKILL
    further = {"FAULTS": "set_clock", "OFFSET": "-172800"}
    done = forked.run("resume", "t", "--json", env=further, check=0)
    assert lines(effects) == ["a", "b", "c", "d"]
    assert done.thread["state"]["out"] == ["a", "b", "c", "d"]


def test_an_interrupted_run_computes_with_the_same_values(forked: Forked) -> None:
    """A result is put through the serialiser before the next step sees it, killed or not."""
    calm = forked.run("start", f"{GRAPHS}:values", "-t", "calm", "--json", check=0)
    env = {"DIE": "look"}
    forked.run("start", f"{GRAPHS}:values", "-t", "t", env=env)
    again = forked.run("resume", "t", "--json", env=env, check=0)
    assert calm.thread["state"] == again.thread["state"]
    assert again.thread["state"]["seen"] == ["Point", "list"]
