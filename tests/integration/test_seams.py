"""Where facilities meet: each keeps its promise when a step uses another as well."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from durajob.store.driver import sqlite
from tests.forked import Forked
from tests.integration.judge import lines

SEAMS = Path(__file__).with_name("seams.py")
LATER = {"FAULTS": "set_clock", "OFFSET": str(3 * 3600)}


@pytest.fixture(autouse=True)
def store(effects: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that the tests can look into."""
    monkeypatch.setenv("DURAJOB_STORE", "s.db")


def test_an_isolated_step_sleeps_locks_asks_and_prints(forked: Forked, effects: Path) -> None:
    """And its effect is done once, though it is left for a sleep and for a question."""
    start = forked.run("start", f"{SEAMS}:apart", "-t", "t", "--json", check=3)
    assert "sleeping" == start.thread["status"]
    asked = forked.run("resume", "t", "--json", env=LATER, check=3)
    assert "go on?" == asked.thread["waiting_for"][0]["prompt"]
    done = forked.run("answer", "t", "yes", "--json", env=LATER, check=0)
    assert ["yes", True] == done.thread["state"]["said"]
    assert ["effect"] == lines(effects)
    assert [("all_at_once", 1)] == [(s["step"], s["attempts"]) for s in done.thread["steps"]]
    said = forked.run("logs", "t", "--json").data["lines"]
    assert {"begins"} == {line["line"] for line in said}


def test_a_lock_is_no_part_of_the_timeout_and_free_after_it(forked: Forked, effects: Path) -> None:
    """The wait for it costs no time, and the attempt that is killed does not keep it."""
    holder = forked.begin("start", f"{SEAMS}:holds", "-t", "h")
    holder.until(lambda: "holds" in lines(effects))
    waiter = forked.begin("start", f"{SEAMS}:limited", "-t", "t", "--json")
    waiter.until(lambda: "waits for lock" in waiter.stderr)
    Path(f"{effects}.go").touch()
    holder.wait(check=0)
    done = waiter.wait(check=0)
    assert 2 == done.thread["steps"][0]["attempts"]
    assert ["holds", "begins", "begins"] == lines(effects)


def test_to_wait_for_durajob_is_not_to_hang(forked: Forked, effects: Path) -> None:
    """A lock and a short sleep take longer than the idle timeout, which does not end the step."""
    holder = forked.begin("start", f"{SEAMS}:holds", "-t", "h")
    holder.until(lambda: "holds" in lines(effects))
    waiter = forked.begin("start", f"{SEAMS}:waits", "-t", "t", "--json")
    waiter.until(lambda: "waits for lock" in waiter.stderr)
    enough = time.monotonic() + 1.2
    waiter.until(lambda: time.monotonic() > enough)
    Path(f"{effects}.go").touch()
    holder.wait(check=0)
    done = waiter.wait(check=0)
    assert 1 == done.thread["steps"][0]["attempts"]


def test_a_compensation_may_sleep(forked: Forked, effects: Path) -> None:
    """The thread sleeps, and goes on with that compensation."""
    env = {"UNDO_SLEEPS": "1"}
    begun = forked.run("start", f"{SEAMS}:trip", "-t", "t", "--json", env=env, check=3)
    assert ("sleeping", "compensating") == (begun.thread["status"], begun.thread["outcome"])
    early = forked.run("resume", "t", "--json", env=env, check=3)
    assert begun.thread["wake_at"] == early.thread["wake_at"]
    done = forked.run("resume", "t", "--json", env={**env, **LATER}, check=1)
    assert ("failed", "compensated") == (done.thread["status"], done.thread["outcome"])
    assert "taken-back" == lines(effects)[-1]
    assert 1 == lines(effects).count("taken-back")


@pytest.mark.parametrize(("stay", "status"), [("ask", "waiting"), ("sleep", "sleeping")])
def test_what_waits_is_left_alone_by_recover_and_can_be_cancelled(
    forked: Forked, effects: Path, stay: str, status: str
) -> None:
    """What it has done is compensated then, and nothing waits any more."""
    env = {"STAY": stay}
    forked.run("start", f"{SEAMS}:trip", "-t", "t", env=env, check=3)
    assert "nothing to recover" in forked.run("recover", "--wait", env=env, check=0).stderr
    assert status == forked.run("status", "t", "--json").thread["status"]
    done = forked.run("cancel", "t", "--json", env=env, check=0)
    thread = done.thread
    assert ("cancelled", "compensated") == (thread["status"], thread["outcome"])
    assert (None, None, []) == (thread["waiting_for"], thread["wake_at"], thread["next"])
    assert ["book", "taking-back", "taken-back"] == lines(effects)
    assert [] == forked.run("approvals", "--json", check=0).data["threads"]
    forked.run("resume", "t", env=env, check=4)


def test_what_a_compensated_thread_had_asked_is_asked_no_more(
    forked: Forked, effects: Path
) -> None:
    """Only the question of its compensation is open."""
    run = forked.begin("start", f"{SEAMS}:party", "-t", "t", "--json")
    run.until(lambda: "asks" in lines(effects))
    Path(f"{effects}.go").touch()
    asked = run.wait(check=3).thread
    assert ["call off?"] == [question["prompt"] for question in asked["waiting_for"]]
    late = forked.run("answer", "t", "7", "--question", "asks", "--json", check=66)
    assert "is asked no more" in late.json["error"]["message"]
    forked.run("answer", "t", "yes", check=1)
    assert "called-off:yes" == lines(effects)[-1]


def test_a_worker_tells_no_secret(forked: Forked, effects: Path) -> None:
    """Not in its question, its progress, its error, its traceback nor its log."""
    Path("workflows.toml").write_text(
        f'secrets = ["password"]\n[workflows.w]\ngraph = "{SEAMS}:secret"\n'
    )
    start = ("start", "w", "-t", "t", "-i", "password=hunter22")
    texts = [str(forked.run(*start, check=3))[len(str(start)) :]]
    for args in (("status", "t"), ("status", "t", "--json"), ("approvals",), ("answer", "t", "no")):
        texts.append(str(forked.run(*args)))
    for args in (
        ("status", "t"),
        ("status", "t", "--json"),
        ("logs", "t"),
        ("logs", "t", "--json"),
    ):
        texts.append(str(forked.run(*args)))
    texts += [path.read_text() for path in Path("s.db-logs").rglob("*.log")]
    assert [] == [text for text in texts if "hunter22" in text]
    error = forked.run("status", "t", "--json").thread["error"]["message"]
    assert "no *** was refused" == error
    connection = sqlite.connect("file:s.db?mode=ro", uri=True)
    stored = connection.execute("SELECT error FROM attempts WHERE error IS NOT NULL").fetchall()
    connection.close()
    assert ["hunter22" in text for (text,) in stored] == [False]
