"""Effects done through ``once``, killed at each instant around them, and tried again."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.forked import Forked
from tests.integration.judge import lines

EFFECTS = Path(__file__).with_name("effects.py")


pytestmark = pytest.mark.usefixtures("effects")


@pytest.mark.parametrize(
    ("instant", "times"), [("before", 1), ("begun", 1), ("done", 2), ("recorded", 1)]
)
def test_an_effect_is_done_once_wherever_the_process_dies(
    forked: Forked, effects: Path, instant: str, times: int
) -> None:
    """Only between the effect and its record is there a doubt; then it is tried again, with the
    same key."""
    env = {"DIE": f"pay:{instant}"}
    died = forked.run("start", f"{EFFECTS}:one", "-t", "t", env=env)
    assert -signal.SIGKILL == died.exit_status
    done = forked.run("resume", "t", "--json", env=env, check=0)
    key = lines(effects)[0].removeprefix("pay:")
    assert [f"pay:{key}"] * times == lines(effects)
    assert [f"receipt {key}"] == done.thread["state"]["out"]


@pytest.mark.parametrize(("graph", "n"), [("fan", 3), ("loop", 3)])
def test_each_branch_and_each_visit_has_effects_of_its_own(
    forked: Forked, effects: Path, graph: str, n: int
) -> None:
    """One name, and a key for each place; a kill in one of them changes none."""
    env = {"DIE": "pay1:done,pay2:recorded"}
    begin = ("start", f"{EFFECTS}:{graph}", "-t", "t", "-i", f"n:={n}", "-i", "out:=[]")
    assert -signal.SIGKILL == forked.run(*begin, env=env).exit_status
    assert -signal.SIGKILL == forked.run("resume", "t", env=env).exit_status
    done = forked.run("resume", "t", "--json", env=env, check=0)
    keys = dict(line.split(":") for line in lines(effects))
    assert {"pay0", "pay1", "pay2"} == keys.keys()
    assert 3 == len(set(keys.values()))
    assert len(set(lines(effects))) == 3, "a key that changed"
    assert sorted(f"receipt {key}" for key in keys.values()) == sorted(done.thread["state"]["out"])


def test_an_effect_in_doubt_fails_the_step_where_that_is_said(
    forked: Forked, effects: Path
) -> None:
    """It names the effect and its key, is not retried, and stays so until the step says more."""
    env = {"DIE": "pay:done", "DOUBT": "fail"}
    forked.run("start", f"{EFFECTS}:one", "-t", "t", env=env)
    for _ in range(2):
        failed = forked.run("resume", "t", "--json", env=env, check=1)
        assert "EffectInDoubt" == failed.thread["error"]["type"]
        key = lines(effects)[0].removeprefix("pay:")
        assert key in failed.thread["error"]["message"]
        assert "'charge' of step pay" in failed.thread["error"]["message"]
    assert [f"pay:{key}"] == lines(effects)
    done = forked.run("resume", "t", "--json", env={**env, "DOUBT": "retry"}, check=0)
    assert [f"receipt {key}"] == done.thread["state"]["out"]


def test_an_effect_that_raised_is_tried_again_and_the_others_are_not(
    forked: Forked, effects: Path
) -> None:
    """An exception is its own word that it was not done; the same name twice is one effect."""
    done = forked.run("start", f"{EFFECTS}:retried", "-t", "t", "--json", check=0)
    key = done.thread["state"]["out"][2]
    assert ["first", *[f"second:{key}"] * 3] == lines(effects)
    assert ["0", "0", key] == done.thread["state"]["out"]


def test_a_result_is_the_same_before_and_after_a_crash(forked: Forked, effects: Path) -> None:
    """The caller is given what came back from the store, the first time too."""
    env = {"DIE": "values"}
    forked.run("start", f"{EFFECTS}:values", "-t", "t", env=env)
    forked.run("resume", "t", env=env, check=0)
    first, second = lines(effects)
    assert first == second


def test_a_result_that_cannot_be_stored_leaves_the_effect_in_doubt(
    forked: Forked, effects: Path
) -> None:
    """It was done, but its result is lost: once mended, it is tried again with the same key."""
    env = {"WRONG": "1"}
    failed = forked.run("start", f"{EFFECTS}:unstorable", "-t", "t", "--json", env=env, check=1)
    assert "ResultNotStorable" == failed.thread["error"]["type"]
    assert "the effect 'make' of step run" in failed.thread["error"]["message"]
    assert "under 'lock' (of type lock)" in failed.thread["error"]["message"]
    done = forked.run("resume", "t", "--json", check=0)
    assert ["receipt"] == done.thread["state"]["out"]
    assert 2 == len(lines(effects))
    assert 1 == len(set(lines(effects)))


def test_threads_of_a_step_do_one_effect_between_them(forked: Forked, effects: Path) -> None:
    """Whoever comes second waits, and is given the first one's result."""
    done = forked.run("start", f"{EFFECTS}:together", "-t", "t", "--json", check=0)
    assert [0, 0, 0, 0, 1, 1, 1, 1] == done.thread["state"]["out"]
    assert ["effect0", "effect1"] == sorted(lines(effects))
