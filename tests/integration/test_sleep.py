"""Durable sleep: a time that is said once holds, whatever becomes of process and clock."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from durajob import clock
from durajob.store.driver import sqlite
from tests.forked import Forked
from tests.integration.judge import lines

WAITING = Path(__file__).with_name("waiting.py")
HOUR = 3600


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that the tests can look into."""
    monkeypatch.setenv("DURAJOB_STORE", "s.db")


def later(seconds: float) -> dict[str, str]:
    """An environment in which so much time has passed."""
    return {"FAULTS": "set_clock", "OFFSET": str(round(seconds))}


def wakes_in(thread: Any) -> float:
    """Seconds until the thread wakes."""
    return (datetime.fromisoformat(thread["wake_at"]) - datetime.now(UTC)).total_seconds()


def test_a_long_sleep_ends_the_process_and_holds(forked: Forked, effects: Path) -> None:
    """Exit 3 and a time to wake at, which no resume and no clock changes; then on at once."""
    begun = forked.run("start", f"{WAITING}:sleeper", "-t", "t", "--json", check=3)
    assert ("sleeping", "sleeping") == (begun.thread["status"], begun.json["error"]["code"])
    assert 2 * HOUR - 60 < wakes_in(begun.thread) <= 2 * HOUR
    wake_at = begun.thread["wake_at"]
    for offset in (0, HOUR, -HOUR):
        early = forked.run("resume", "t", "--json", env=later(offset), check=3)
        assert wake_at == early.thread["wake_at"]
        assert early.thread["steps"] == []
    assert "wakes" in forked.run("status", "t", check=0).stdout
    assert [] == lines(effects)
    late = forked.run("resume", "t", "--json", env=later(3 * HOUR), check=0)
    assert ["slept", "after"] == lines(effects)
    assert (None, [1, 1]) == (
        late.thread["wake_at"],
        [step["attempts"] for step in late.thread["steps"]],
    )


def test_what_was_slept_is_slept(forked: Forked, effects: Path) -> None:
    """A step that fails after its sleep does not sleep again, even with the clock set back."""
    env = {"FAIL": "nap"}
    forked.run("start", f"{WAITING}:sleeper", "-t", "t", env=env, check=3)
    forked.run("resume", "t", env={**env, **later(3 * HOUR)}, check=1)
    forked.run("resume", "t", env=later(-HOUR), check=0)
    assert ["slept", "slept", "after"] == lines(effects)


def test_to_wake_is_not_to_try_again(forked: Forked, effects: Path) -> None:
    """A step that sleeps often is not held back by max_resumes."""
    (forked.cwd / "workflows.toml").write_text(
        f'[workflows.naps]\ngraph = "{WAITING}:naps"\nmax_resumes = 1\n'
    )
    forked.run("start", "naps", "-t", "t", check=3)
    for hours in (2, 4):
        forked.run("resume", "t", env=later(hours * HOUR), check=3)
    forked.run("resume", "t", env=later(6 * HOUR), check=0)
    assert ["slept"] == lines(effects)


def test_any_step_may_sleep(forked: Forked, effects: Path) -> None:
    """Of a subgraph, in a fan-out, as a coroutine; each branch wakes at its own time."""
    forked.run("start", f"{WAITING}:everywhere", "-t", "t", check=3)
    slept = []
    for hours, status in ((3, 3), (4.5, 3), (6, 3), (9, 0)):
        forked.run("resume", "t", env=later(hours * HOUR), check=status)
        slept.append(len(lines(effects)))
    assert [1, 2, 3, 4] == slept
    assert ["sub", "branch", "branch", "coroutine"] == lines(effects)


def test_a_short_sleep_stays_in_the_process(forked: Forked, effects: Path) -> None:
    """Killed in it, the thread goes on with what is left; what is left of a long one likewise."""
    run = forked.begin("start", f"{WAITING}:sleeper", "-t", "t", env={"FOR": "9s"})
    run.until(lambda: asleep(forked))
    run.kill()
    forked.run("resume", "t", env=later(60), check=0)
    assert ["slept", "after"] == lines(effects)
    forked.run("start", f"{WAITING}:sleeper", "-t", "u", check=3)
    forked.run("resume", "u", env=later(2 * HOUR - 1), check=0)


def test_a_stop_ends_a_sleep(forked: Forked, effects: Path) -> None:
    """Stopped cleanly, no attempt spent."""
    run = forked.begin("start", f"{WAITING}:sleeper", "-t", "t", "--json", env={"FOR": "9s"})
    run.until(lambda: asleep(forked))
    run.signal(signal.SIGTERM)
    assert ("stopped", []) == (run.wait(check=75).thread["status"], run.wait().thread["steps"])
    forked.run("resume", "t", "--timeout", "200ms", check=124)
    forked.run("resume", "t", env=later(60), check=0)


def test_a_delay_is_waited_out_before_the_step(forked: Forked, effects: Path) -> None:
    """The step begins that long after it was due, and then once."""
    forked.run("start", f"{WAITING}:delayed", "-t", "t", check=3)
    forked.run("resume", "t", env=later(HOUR), check=3)
    assert ["first"] == lines(effects)
    forked.run("resume", "t", env=later(3 * HOUR), check=0)
    assert ["first", "after"] == lines(effects)


def test_workflows_toml_delays_any_step(forked: Forked, effects: Path) -> None:
    """A plain graph's step, too; a delay that is none is refused."""
    file = forked.cwd / "workflows.toml"
    graph = f'[workflows.p]\ngraph = "{WAITING.with_name("graphs.py")}:chain"\n'
    file.write_text(f'{graph}[workflows.p.steps.c]\ndelay = "1h"\n')
    assert 0 < wakes_in(forked.run("start", "p", "-t", "t", "--json", check=3).thread) <= HOUR
    assert ["a", "b"] == lines(effects)
    for bad in ('"-1s"', '"400d"', "5", '"soon"'):
        file.write_text(f"{graph}[workflows.p.steps.c]\ndelay = {bad}\n")
        assert "steps.c.delay: " in forked.run("validate", check=78).stdout


@pytest.mark.parametrize("ask", [False, True], ids=["alone", "asked"])
def test_other_branches_finish_before_the_thread_sleeps(
    forked: Forked, effects: Path, ask: bool
) -> None:
    """What can run runs; then it sleeps, or waits for an answer, with the time to wake shown."""
    env = {"ask": "1"} if ask else {}
    run = forked.begin("start", f"{WAITING}:beside", "-t", "t", "--json", env=env)
    run.until(lambda: "begin" in lines(effects))
    effects.with_name("effects.go").touch()
    shown = run.wait(check=3).thread
    assert ("waiting" if ask else "sleeping") == shown["status"]
    assert 0 < wakes_in(shown) <= 2 * HOUR
    assert ["begin", "works"] == lines(effects)
    if not ask:
        forked.run("resume", "t", env=later(3 * HOUR), check=0)
        assert ["begin", "works", "long", "joined"] == lines(effects)


def test_a_sleep_that_is_over_when_the_others_are_done_is_not_left_for_later(
    forked: Forked, effects: Path
) -> None:
    """The process goes on with it itself."""
    env = {"NAP": "500ms", "FAULTS": "sleep_elsewhere"}
    run = forked.begin("start", f"{WAITING}:beside", "-t", "t", env=env)
    run.until(lambda: asleep(forked))
    wake_at = asked(forked.cwd / "s.db", "SELECT wake_at FROM sleeps")
    run.until(lambda: clock.now() > wake_at)
    effects.with_name("effects.go").touch()
    run.wait(check=0)
    assert ["begin", "works", "long", "joined"] == lines(effects)


def asleep(forked: Forked) -> bool:
    """Whether a step has said when it wakes."""
    path = forked.cwd / "s.db"
    return path.exists() and bool(asked(path, "SELECT count(*) FROM sleeps"))


def asked(path: Path, query: str) -> Any:
    """What the store answers, None before it has tables."""
    connection = sqlite.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchone()[0]
    except sqlite.OperationalError:
        return None
    finally:
        connection.close()
