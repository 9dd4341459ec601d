"""What the history of a thread tells: of kills, stops, questions, and what was done by hand."""

from __future__ import annotations

import json
import signal
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from durajob.store.processes import user_name
from tests.forked import Forked
from tests.harness import Completed, wait_for
from tests.integration.judge import lines

HERE = Path(__file__).parent
GRAPHS, ASKING, EFFECTS, SAGAS, WAITING = (
    HERE / f"{name}.py" for name in ("graphs", "asking", "effects", "sagas", "waiting")
)


def told(forked: Forked, thread: str, *args: str, **options: Any) -> list[dict[str, Any]]:
    """The entries of a history."""
    done = forked.run("history", thread, "--json-lines", *args, **options, check=0)
    return [json.loads(line) for line in done.stdout.splitlines()]


def brief(entry: dict[str, Any]) -> str:
    """What an entry is, and of what, in a word or three."""
    kind = entry["kind"]
    of = {
        "claimed": ("epoch",),
        "left": ("status", "reason"),
        "attempt": ("step", "status"),
        "checkpoint": ("superstep",),
        "intervention": ("verb", "reason"),
        "answered": ("answer",),
    }.get(kind, ())
    return " ".join([kind, *(str(entry[name]) for name in of if entry[name] is not None)])


def test_owners_attempts_and_checkpoints_stand_in_order(forked: Forked, effects: Path) -> None:
    """Of a thread that was killed, stopped and then completed: who drove it, and how they left."""
    env = {"DIE": "b:after"}
    first = forked.begin("start", f"{GRAPHS}:chain", "-t", "t", env=env)
    assert -signal.SIGKILL == first.wait().exit_status
    assert "left interrupted" == brief(told(forked, "t")[-1])
    forked.run("resume", "t", "-q", env=env, check=0)
    entries = told(forked, "t")
    assert [
        "admitted",
        "claimed 1",
        "checkpoint -1",
        "checkpoint 0",
        "attempt a succeeded",
        "checkpoint 1",
        "attempt b abandoned",
        "left interrupted",
        "claimed 2",
        "attempt b succeeded",
        "checkpoint 2",
        "attempt c succeeded",
        "checkpoint 3",
        "attempt d succeeded",
        "checkpoint 4",
        "left completed",
    ] == [brief(entry) for entry in entries]
    assert first.pid == entries[1]["owner"]["pid"] == entries[7]["owner"]["pid"]
    assert None is entries[7]["at"]
    times = [datetime.fromisoformat(entry["at"]) for entry in entries if entry["at"]]
    assert sorted(times) == times
    for count in (1, 3, 7, 100):
        assert entries[-count:] == told(forked, "t", "--tail", str(count))


def test_a_clock_that_jumped_orders_nothing(forked: Forked, effects: Path) -> None:
    """An owner whose clock is a day behind comes after the one that it followed."""
    env = {"DIE": "poll2:after"}
    forked.run("start", f"{GRAPHS}:loop", "-t", "t", "-i", "n:=4", env=env)
    late = {**env, "FAULTS": "set_clock", "OFFSET": "-86400"}
    forked.run("resume", "t", "-q", env=late, check=0)
    shown = [brief(entry) for entry in told(forked, "t")]
    assert ["claimed 2", "attempt poll succeeded", "checkpoint 3", "attempt poll succeeded"] == (
        shown[shown.index("claimed 2") :][:4]
    )
    assert ["checkpoint 4", "left completed"] == shown[-2:]


def test_errors_are_a_line_and_whole_where_asked(forked: Forked, effects: Path) -> None:
    """The traceback stands in JSON, and under the line with --full; retries say when."""
    (forked.cwd / "f.py").write_text(
        "from durajob import Workflow\n"
        "w = Workflow('w', dict)\n"
        "@w.step(retry={'on': OSError, 'attempts': 2, 'wait': '1ms'})\n"
        "def fails(state):\n"
        "    raise OSError('first line\\nsecond line')\n"
    )
    forked.run("start", "./f.py:w", "-t", "t", "-q", check=1)
    tried = [entry for entry in told(forked, "t") if entry["kind"] == "attempt"]
    assert [(1, 2), (2, 2)] == [(each["attempt"], each["max_attempts"]) for each in tried]
    assert [True, False] == [each["due_at"] is not None for each in tried]
    assert all("in fails" in each["traceback"] for each in tried)
    plain = forked.run("history", "t", check=0).stdout
    assert 1 == plain.count("OSError: first line second line; the next is due at ")
    assert 0 == plain.count("in fails")
    assert 2 == forked.run("history", "t", "--full", check=0).stdout.count("in fails")


def test_questions_answers_and_what_was_done_by_hand(forked: Forked, effects: Path) -> None:
    """Who was asked what and answered, how a run was stopped, and who cancelled it and why."""
    forked.run("start", f"{SAGAS}:sale", "-t", "t", "-q", env={"FAIL": "deliver"}, check=3)
    forked.run("answer", "t", "maybe", "-q", "--no-resume", check=0)
    forked.run("cancel", "t", "--reason", "no good", "-q", check=0)
    entries = told(forked, "t")
    shown = [brief(entry) for entry in entries]
    asked = shown.index("asked")
    assert [
        "asked",
        "left waiting",
        "answered maybe",
        "intervention cancel no good",
        "claimed 2",
        "attempt sell:compensate succeeded",
        "left cancelled",
    ] == shown[asked:]
    answered = next(entry for entry in entries if entry["kind"] == "answered")
    assert (entries[asked]["id"], "take it back?") == (answered["id"], entries[asked]["prompt"])
    assert not answered["expired"]
    assert user_name() == answered["by"]


def test_stops_sleeps_and_effects(forked: Forked, effects: Path) -> None:
    """The signal that stopped a run, until when a step slept, and an effect in doubt."""
    run = forked.begin("start", f"{GRAPHS}:held", "-t", "stopped")
    run.until(effects.exists)
    run.signal(signal.SIGTERM)
    wait_for(lambda: "asked to stop" in run.stderr)
    Path(f"{effects}.go").touch()
    run.wait(check=75)
    assert "left stopped SIGTERM" == brief(told(forked, "stopped")[-1])
    forked.run("start", f"{WAITING}:sleeper", "-t", "asleep", "-q", check=3)
    sleep, left = told(forked, "asleep")[-2:]
    assert ("nap", False, "sleeping") == (sleep["step"], sleep["is_over"], left["status"])
    assert sleep["until"] == left["wake_at"]
    env = {"DIE": "pay:done"}
    forked.run("start", f"{EFFECTS}:one", "-t", "paid", env=env)
    forked.run("resume", "paid", "-q", env=env, check=0)
    first, second = [e["effects"] for e in told(forked, "paid") if e["kind"] == "attempt"]
    assert [] == first  # the effect is shown with the attempt that began it last
    assert [("charge", "done", 2)] == [(e["name"], e["status"], e["times"]) for e in second]
    assert f"pay:{second[0]['key']}" in lines(effects)


def test_inner_checkpoints_and_branches(forked: Forked, effects: Path) -> None:
    """Steps inside a subgraph, and its checkpoints, stand in the superstep that they are in."""
    forked.run("start", f"{GRAPHS}:nested", "-t", "t", env={"DIE": "two1:before"})
    shown = [
        (each.get("graph"), each.get("superstep"), each.get("step"))
        for each in told(forked, "t")
        if each["kind"] in ("checkpoint", "attempt")
    ]
    assert (
        [
            (None, 0, None),
            (None, None, "sub/one"),
            (None, None, "sub/two"),
            (None, 1, None),  # those of the subgraph are dropped with it
            (None, None, "count"),
            (None, 2, None),
            ("sub", -1, None),
            ("sub", 0, None),
            (None, None, "sub/one"),
            ("sub", 1, None),
            (None, None, "sub/two"),
        ]
        == shown[1:]
    )


def test_a_thread_of_version_1_has_its_history(
    forked: Forked, effects: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where claims were not kept, the epochs of attempts say that there were some."""
    monkeypatch.setenv("DURAJOB_STORE", "s.db")
    env = {"DIE": "b:after"}
    forked.run("start", f"{GRAPHS}:chain", "-t", "t", env=env)
    forked.run("resume", "t", "-q", env=env, check=0)
    with sqlite3.connect("s.db") as connection:
        connection.execute("DELETE FROM claims")
    connection.close()
    shown = [brief(entry) for entry in told(forked, "t")]
    assert ["claimed 1", "claimed 2"] == [each for each in shown if "claimed" in each]
    assert ["attempt d succeeded", "checkpoint 4", "left completed"] == shown[-3:]


def test_what_cannot_be_shown_is_said(forked: Forked, effects: Path) -> None:
    """No thread, no store, no number: each has its own answer."""

    def refused(*args: str) -> Completed:
        done = forked.run("history", *args)
        assert "" == done.stdout
        return done

    assert 66 == refused("t").exit_status
    assert 2 == refused("t", "--tail", "0").exit_status
    assert 2 == refused("t", "--json-lines", "--tail", "x").exit_status
    assert 2 == forked.run("history", "t", "--json", "--json-lines").exit_status
