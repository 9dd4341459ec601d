"""``watch``: what a thread does, seen from another process that only reads."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.forked import Forked, ForkedRun

GRAPHS = Path(__file__).with_name("graphs.py")
WAITING = Path(__file__).with_name("waiting.py")


def said(run: ForkedRun, text: str) -> None:
    """Wait until the watch has said this."""
    run.until(lambda: text in run.stderr)


def objects(text: str) -> list[dict[str, Any]]:
    """What --json-lines printed."""
    return [json.loads(line) for line in text.splitlines()]


def test_a_watch_follows_a_thread_over_its_owners(forked: Forked, effects: Path) -> None:
    """Killed, resumed, completed: it tells each, and ends with the thread."""
    env = {"DIE": "c:after"}
    chain = ("start", f"{GRAPHS}:chain", "-t", "t")
    assert forked.run(*chain, env=env).exit_status == -signal.SIGKILL
    watch = forked.begin("watch", "t", merged=True)
    said(watch, "interrupted")
    forked.run("resume", "t", check=0)
    lines = watch.wait(check=0).stdout.splitlines()
    assert "thread t (" in lines[0]
    assert ": interrupted, 2 of " in lines[0]
    assert "t completed: 4 steps" in lines
    assert ["c", "d"] == [line.split()[1][0] for line in lines if ": succeeded in" in line]


def test_a_watch_tells_that_the_owner_has_died(forked: Forked) -> None:
    """Nothing is committed by a death: it is the lock that tells."""
    run = forked.begin("start", "durable", "-t", "t", "-i", "seconds:=60")
    run.until(lambda: "A: running" in run.stderr)
    watch = forked.begin("watch", "t", merged=True)
    said(watch, "A: running")
    run.kill()
    said(watch, "thread t is interrupted")
    forked.run("cancel", "t", check=0)
    assert "t cancelled: 0 of 3 steps\n" in watch.wait(check=0).stdout


def test_the_exit_status_of_a_watch_is_not_the_threads(forked: Forked) -> None:
    """It only reads: 0, and the command that goes on."""
    forked.run("start", "retry", "-t", "bad", "-i", "failure_rate:=-1", check=1)
    watched = forked.run("watch", "bad", check=0)
    assert "bad failed: 0 of " in watched.stdout
    assert "resume with: durajob resume bad" in watched.stderr
    assert "failed" == forked.run("watch", "ba", "--json", check=0).thread["status"]
    assert "" == forked.run("watch", "bad", "-q", check=0).stdout
    forked.run("watch", "nobody", check=66)


def test_an_interrupt_ends_the_watching_alone(forked: Forked) -> None:
    """130; the job is none the wiser."""
    run = forked.begin("start", "durable", "-t", "t", "-i", "seconds:=60")
    run.until(lambda: "A: running" in run.stderr)
    watch = forked.begin("watch", "t", merged=True)
    said(watch, "A: running")
    watch.signal(signal.SIGINT)
    assert "no longer watched" in watch.wait(check=130).stdout
    assert "running" == forked.run("status", "t", "--json", check=0).thread["status"]
    run.kill()


def test_each_change_is_an_object(forked: Forked, effects: Path) -> None:
    """A fan-out, as JSON lines: every branch ends, nothing is told twice, the end comes last."""
    run = forked.begin("start", f"{GRAPHS}:fan", "-t", "f", "-i", "n:=8")
    run.until(lambda: "started" in run.stderr)
    watch = forked.begin("watch", "f", "--json-lines")
    told = objects(watch.wait(check=0).stdout)
    run.wait(check=0)
    assert ("thread", "completed") == (told[-1]["change"], told[-1]["now"]["status"])
    steps = [each["now"] for each in told if each["change"] == "step"]
    ended = sorted(each["step"] for each in steps if each["status"] == "succeeded")
    assert sorted(["plan", "collect", *(f"work[{i}]" for i in range(8))]) == ended
    assert len(steps) == len({json.dumps(each, sort_keys=True) for each in steps})


def test_a_watch_shows_retries_to_come_and_locks(forked: Forked, effects: Path) -> None:
    """Due times, holders of locks, and questions, as ``status`` has them."""
    env = {"HOLD": "first"}
    first = forked.begin("start", f"{WAITING}:policy", "-t", "first", "-i", "name=first", env=env)
    first.until(lambda: effects.exists() and "+first" in effects.read_text())
    second = forked.begin("start", f"{WAITING}:policy", "-t", "second")
    second.until(lambda: "started" in second.stderr)
    watch = forked.begin("watch", "second", merged=True)
    holder = f"step guarded of thread first (process {first.pid})"
    said(watch, f"step guarded: waits for lock L: held by {holder}")
    effects.with_name("effects.go").touch()
    first.wait(check=0)
    assert "second completed" in watch.wait(check=0).stdout


def test_a_store_that_goes_away_ends_the_watch(forked: Forked, tmp_path: Path) -> None:
    """It is said, not waited for."""
    run = forked.begin("--store", "s/d.db", "start", "durable", "-t", "t", "-i", "seconds:=60")
    run.until(lambda: "A: running" in run.stderr)
    watch = forked.begin("--store", "s/d.db", "watch", "t", merged=True)
    said(watch, "A: running")
    os.rename(tmp_path / "s", tmp_path / "moved")
    assert "no store at" in watch.wait(check=69).stdout
    run.kill()


@pytest.mark.parametrize("args", [("--json", "--json-lines")])
def test_one_form_of_json_at_a_time(args: tuple[str, ...], forked: Forked) -> None:
    """An envelope is one object, and lines are many."""
    forked.run("watch", "t", *args, check=2)
