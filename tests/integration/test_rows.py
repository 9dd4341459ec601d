"""What docs/langgraph.md says of LangGraph's facilities, where no other test holds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.forked import Forked
from tests.integration.judge import lines
from tests.integration.test_nested import problem

ROWS = Path(__file__).with_name("rows.py")

pytestmark = pytest.mark.usefixtures("effects")


def test_durajobs_saver_takes_the_place_of_a_graphs_own(forked: Forked, effects: Path) -> None:
    """So a thread outlives its process."""
    env = {"DIE": "b:before"}
    forked.run("start", f"{ROWS}:own_saver", "-t", "t", env=env)
    done = forked.run("resume", "t", "--json", env=env, check=0)
    assert ["a", "b"] == done.thread["state"]["out"] == lines(effects)


def test_a_delta_channel_keeps_what_was_written(forked: Forked, effects: Path) -> None:
    """Over a kill, too; ``status`` does not show its key."""
    env = {"DIE": "b:before"}
    forked.run("start", f"{ROWS}:delta", "-t", "t", env=env)
    done = forked.run("resume", "t", "--json", env=env, check=0)
    assert {"seen": ["a", "b"]} == done.thread["state"]
    assert ["a", "b"] == lines(effects)


def test_defaults_of_nodes_become_durajobs(forked: Forked, effects: Path) -> None:
    """Their retry policy counts attempts in the store."""
    env = {"FAIL": "b"}
    failed = forked.run("start", f"{ROWS}:defaults", "-t", "t", "--json", env=env, check=1).thread
    assert ["a", "b", "b"] == lines(effects)
    assert [("a", 1), ("b", 2)] == [(one["step"], one["attempts"]) for one in failed["steps"]]


def test_a_remote_graph_is_one_step(forked: Forked) -> None:
    """Here one that fails, since nobody answers."""
    failed = forked.run("start", f"{ROWS}:remote", "-t", "t", "--json", check=1).thread
    assert ("far", "ConnectError") == (failed["error"]["step"], failed["error"]["type"])


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        ("inner_saver", "the subgraph 'sub' was compiled with a checkpointer of its own"),
        ("inner_store", "the subgraph 'sub' was compiled with a store"),
        ("idle", "a LangGraph idle_timeout that LangGraph's own events refresh"),
    ],
)
def test_what_could_not_be_kept_is_refused(forked: Forked, graph: str, said: str) -> None:
    """By validate, with the reason."""
    assert said in problem(forked, "validate", f"{ROWS}:{graph}")


def test_a_task_in_an_isolated_step_is_refused_at_its_call(forked: Forked) -> None:
    """The step fails, and says why."""
    failed = forked.run("start", f"{ROWS}:apart", "-t", "t", "--json", check=1).thread
    assert "@task" in failed["error"]["message"]
