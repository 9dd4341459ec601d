"""tick: each slot handled once, whatever ticks do; what is due begun; what went wrong told."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from durajob.store.processes import user_name
from tests.forked import Forked
from tests.harness import wait_for

GRAPHS = Path(__file__).with_name("graphs.py")
ASKING = GRAPHS.with_name("asking.py")
WAITING = GRAPHS.with_name("waiting.py")
MINUTE = 60
NOON = "2026-11-22T12:00+00:00"
BASE = 1_795_348_800  # that time, in seconds since the epoch


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A workflows.toml with an hourly job in it."""
    return written(tmp_path)


def written(folder: Path, schedule: str = "", more: str = "", graph: str = "chain") -> Path:
    """A workflows.toml whose job is due each hour."""
    path = folder / "workflows.toml"
    path.write_text(
        f'{more}\n[workflows.job]\ngraph = "{GRAPHS}:{graph}"\n'
        f'[workflows.job.schedule]\ncron = "0 * * * *"\ntimezone = "UTC"\n{schedule}\n'
    )
    return path


def at(minutes: float) -> dict[str, str]:
    """The environment in which it is so many minutes after noon."""
    return {"FAULTS": "set_clock_to", "CLOCK": str(int(BASE + minutes * MINUTE))}


def tick(forked: Forked, minutes: float, *args: str, check: int = 0) -> Any:
    """One tick at that time; it waits for what it begins."""
    return forked.run("tick", "--wait", "--json", *args, env=at(minutes), check=check).data


def look(forked: Forked, minutes: float) -> Any:
    """One tick at that time, which begins none of what it finds due."""
    env = {**at(minutes), "FAULTS": "set_clock_to,drive_nothing"}
    return forked.run("tick", "--json", env=env, check=0).data


def ledger(forked: Forked) -> dict[str, tuple[str, str | None]]:
    """What became of each slot, the latest first: outcome, and how its thread stands."""
    slots = forked.run("schedule", "--json", check=0).data["slots"]
    return {each["slot"][11:16]: (each["outcome"], each["status"]) for each in slots}


def lines(effects: Path) -> list[str]:
    """What the steps have done."""
    return effects.read_text().split() if effects.exists() else []


def test_a_slot_is_run_once_by_the_ticks_of_its_minute(
    forked: Forked, effects: Path, file: Path
) -> None:
    """The first tick only begins to follow the schedule; the slot's thread has the slot in it."""
    assert [] == look(forked, -5)["slots"]
    done = tick(forked, 0)
    assert [("started", "job-2026-11-22T1200", 0.0)] == [
        (each["outcome"], each["thread"], each["late_seconds"] // 10) for each in done["slots"]
    ]
    assert ["completed"] == [each["status"] for each in done["threads"]]
    assert [] == tick(forked, 0)["slots"] + tick(forked, 1)["slots"]
    assert ["a", "b", "c", "d"] == lines(effects)
    shown = forked.run("status", "job-2026-11-22T1200", "--json", check=0).thread
    assert NOON == shown["slot"]
    assert {"12:00": ("started", "completed")} == ledger(forked)


def test_eight_ticks_at_once_start_a_slot_once(forked: Forked, effects: Path, file: Path) -> None:
    """However many come to it at the same instant."""
    look(forked, -1)
    runs = [forked.begin("tick", "--wait", "--json", env=at(0)) for _ in range(8)]
    slots = [each for run in runs for each in run.wait(check=0).data["slots"]]
    assert ["job-2026-11-22T1200"] == [each["thread"] for each in slots]
    assert ["a", "b", "c", "d"] == lines(effects)


@pytest.mark.parametrize("fault", ["die_before_slots", "die_after_slots"])
def test_a_tick_that_dies_leaves_its_slot_to_the_next(
    forked: Forked, effects: Path, file: Path, fault: str
) -> None:
    """Before its commit nothing has happened; after it the thread is there to be driven."""
    look(forked, -1)
    env = {**at(0), "FAULTS": f"set_clock_to,{fault}"}
    assert -signal.SIGKILL == forked.run("tick", env=env).exit_status
    assert [] == lines(effects)
    tick(forked, 1)
    assert ["a", "b", "c", "d"] == lines(effects)
    assert {"12:00": ("started", "completed")} == ledger(forked)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ('missed = "none"', ["missed", "missed", "missed"]),
        ('catchup = "3h"', ["missed", "missed", "started"]),
        ('catchup = "3h"\nmissed = "all"', ["started", "queued", "queued"]),
        ('catchup = "2h"\nmissed = "all"', ["missed", "started", "queued"]),
    ],
)
def test_slots_that_were_missed(
    forked: Forked, tmp_path: Path, schedule: str, expected: list[str]
) -> None:
    """No tick for three hours: what is run then, in order, and what is told."""
    written(tmp_path, schedule)
    look(forked, -1)
    told = look(forked, 175)["alerts"]
    slots = forked.run("schedule", "--json", check=0).data["slots"]
    assert expected == [each["outcome"] for each in reversed(slots)]
    assert [175, 115, 55] == [each["late_seconds"] // 60 for each in reversed(slots)]
    assert (["slot_missed"] if "missed" in expected else []) == [each["code"] for each in told]


@pytest.mark.parametrize(
    ("said", "second", "at_last"), [("skip", "skipped", 3), ("queue", "queued", 6)]
)
def test_overlap(
    forked: Forked, effects: Path, tmp_path: Path, said: str, second: str, at_last: int
) -> None:
    """While the slot before still runs, the next is skipped, or waits for its end."""
    written(tmp_path, f'overlap = "{said}"', graph="held")
    look(forked, -1)
    first = forked.begin("tick", "--wait", env=at(0))
    first.until(lambda: lines(effects))
    tick(forked, 60)
    assert [(second, None), ("started", "running")] == list(ledger(forked).values())
    Path(f"{effects}.go").touch()
    first.wait(check=0)
    tick(forked, 61)
    assert at_last == len(lines(effects))


def test_the_same_slot_by_hand(forked: Forked, effects: Path, file: Path) -> None:
    """It has the thread that a tick would give it, in whatever zone it is named, and a tick
    finds it handled."""
    look(forked, -1)
    by_hand = forked.run("start", "job", "--slot", "2026-11-22T13:00+01:00", "--json", check=0)
    assert ("job-2026-11-22T1200", NOON) == (by_hand.thread["thread"], by_hand.thread["slot"])
    assert [] == tick(forked, 0)["slots"]
    assert ["a", "b", "c", "d"] == lines(effects)
    (slot,) = forked.run("schedule", "--json", check=0).data["slots"]
    assert ("hand", "completed") == (slot["handled_by"], slot["status"])


def test_a_clock_that_is_set_back_runs_no_slot_again(forked: Forked, file: Path) -> None:
    """Nor does one that was far ahead silence the schedule."""
    found = [look(forked, minutes)["slots"] for minutes in (-1, 0, -30, 1, 525_600, 61, 119)]
    assert [[], ["started"], [], [], ["missed", "skipped"], [], []] == [
        [each["outcome"] for each in slots] for slots in found
    ]
    assert [NOON[:11] + "14:00+00:00"] == [each["slot"] for each in look(forked, 120)["slots"]]


def test_a_schedule_that_was_changed_or_removed(forked: Forked, tmp_path: Path) -> None:
    """From the change on the new one holds; what the old one owed is entered as missed."""
    path = written(tmp_path)
    look(forked, -1)
    path.write_text(path.read_text().replace('"0 * * * *"', '"30 * * * *"'))
    (owed,) = look(forked, 5)["slots"]
    assert ("missed", NOON) == (owed["outcome"], owed["slot"])
    assert ["started"] == [each["outcome"] for each in look(forked, 30)["slots"]]
    path.write_text(path.read_text().partition("[workflows.job.schedule]")[0])
    (gone,) = look(forked, 95)["slots"]
    assert ("missed", "2026-11-22T13:30+00:00") == (gone["outcome"], gone["slot"])
    assert [] == look(forked, 300)["slots"]


def test_without_wait_it_returns_and_jobs_run_on(
    forked: Forked, effects: Path, tmp_path: Path
) -> None:
    """One process in the background drives what is due, a queued slot once its turn has come."""
    written(tmp_path, 'overlap = "queue"', graph="held")
    look(forked, -1)
    for hour in (0, 60):
        forked.run("tick", env=at(hour), check=0)
    wait_for(lambda: lines(effects))
    assert [("queued", None), ("started", "running")] == list(ledger(forked).values())
    Path(f"{effects}.go").touch()
    wait_for(lambda: 6 == len(lines(effects)))
    wait_for(lambda: {("started", "completed")} == set(ledger(forked).values()))


def test_sleepers_are_woken_and_what_was_interrupted_is_recovered_where_asked(
    forked: Forked, effects: Path, tmp_path: Path
) -> None:
    """A thread whose process was killed is told of once; with recover it goes on."""
    path = written(tmp_path)
    env = {"DIE": "b:after"}
    died = forked.run("start", "job", "--slot", NOON, env=env)
    assert -signal.SIGKILL == died.exit_status
    told = tick(forked, 1)
    assert ([], ["interrupted"]) == (told["threads"], [each["code"] for each in told["alerts"]])
    assert ([], []) == (tick(forked, 2)["threads"], tick(forked, 2)["alerts"])
    text = path.read_text().replace("[workflows.job]\n", "[workflows.job]\nrecover = true\n")
    path.write_text(text)
    assert ["completed"] == [each["status"] for each in tick(forked, 3)["threads"]]
    assert ["a", "b", "b", "c", "d"] == lines(effects)


def test_what_cannot_be_resumed_is_told_once_and_tried_again_later(
    forked: Forked, effects: Path, tmp_path: Path
) -> None:
    """A target that does not load holds no other workflow up, nor does a typo in one."""
    path = written(tmp_path)
    good = path.read_text().replace("workflows.job", "workflows.good")
    bad = path.read_text().replace(f"{GRAPHS}:chain", f"{GRAPHS}:nothing")
    typo = '[workflows.typo]\ngraphh = "x"\n'
    path.write_text(bad + good + typo)
    tick(forked, -1, check=78)
    refused = tick(forked, 0, check=78)
    assert {"job-2026-11-22T1200": 78, "good-2026-11-22T1200": 0} == {
        each["thread"]: each["exit_code"] for each in refused["outcomes"]
    }
    assert ["a", "b", "c", "d"] == lines(effects)
    path.write_text(bad + good)
    told = forked.run("tick", "-q", env=at(0.5), check=0)
    assert "thread job-2026-11-22T1200 could not be resumed" in told.stderr
    assert ("", "") == (told.stdout, forked.run("tick", "-q", env=at(0.6), check=0).stderr)
    path.write_text(path.read_text().replace(":nothing", ":chain"))
    assert ["completed"] == [each["status"] for each in tick(forked, 2)["threads"]]


def test_quiet_says_nothing_of_success_and_all_of_a_failure(
    forked: Forked, effects: Path, file: Path
) -> None:
    """What cron mails: the first error, where the log is, the command that resumes."""
    look(forked, -1)
    env = {**at(0), "FAIL": "b"}
    forked.run("tick", "--wait", "--quiet", env=env, check=1)
    told = forked.run("tick", "--quiet", env=at(1), check=0)
    assert "" == told.stdout
    first, *rest = told.stderr.splitlines()
    assert (
        "error: thread job-2026-11-22T1200 failed in step b: ConnectionError: b failed on demand"
        == first
    )
    assert any(line.startswith("  log: ") for line in rest)
    assert "  resume with: durajob resume job-2026-11-22T1200" == rest[-1]
    assert ("", "") == (lambda again: (again.stdout, again.stderr))(
        forked.run("tick", "--quiet", env=at(2), check=0)
    )


def test_a_backfill_shows_its_plan_and_runs_one_after_the_other(
    forked: Forked, effects: Path, tmp_path: Path
) -> None:
    """What has run is left alone; what was missed is run after all."""
    written(tmp_path, 'missed = "none"')
    look(forked, -1)
    tick(forked, 0)
    look(forked, 115)
    args = ("backfill", "job", "--from", "2026-11-22T11:00", "--to", "2026-11-22T13:30")
    plan = forked.run("schedule", *args, "--json", env=at(116), check=0).data
    assert [("11:00", None), ("13:00", "missed")] == [
        (each["slot"][11:16], each["outcome"]) for each in plan["coming"]
    ]
    assert 4 == len(lines(effects))
    run = forked.run("schedule", *args, "--yes", "--json", env=at(116), check=0).data
    assert 2 == run["queued"]
    wait_for(lambda: {("started", "completed")} == set(ledger(forked).values()))
    assert ["11:00", "12:00", "13:00"] == sorted(ledger(forked))
    assert 12 == len(lines(effects))


def test_a_backfill_is_in_the_history_of_what_it_has_run(
    forked: Forked, effects: Path, file: Path
) -> None:
    """Who asked for it, and for which slot."""
    args = ("backfill", "job", "--from", "2026-11-22T11:00", "--to", "2026-11-22T11:00")
    look(forked, -1)
    forked.run("schedule", *args, "--yes", env=at(0.2), check=0)
    wait_for(lambda: ("started", "completed") in ledger(forked).values())
    entries = forked.run("history", "job-2026-11-22T1100", "--json", check=0).data["entries"]
    assert [("backfill", user_name(), {"slot": "2026-11-22T11:00+00:00"})] == [
        (each["verb"], each["user"], each["details"])
        for each in entries
        if each["kind"] == "intervention"
    ]


def test_what_waits_for_a_person_or_a_time_goes_on_when_that_is_over(
    forked: Forked, effects: Path
) -> None:
    """A sleeper is woken when it is due, a question that has expired takes its answer."""
    forked.run("start", f"{ASKING}:send", "-t", "asks", "-q", env={**at(0), "EXPIRY": "1"}, check=3)
    forked.run(
        "start", f"{WAITING}:sleeper", "-t", "sleeps", "-q", env={**at(0), "FOR": "30m"}, check=3
    )
    assert [] == tick(forked, 29)["threads"]
    for minutes, thread in ((31, "sleeps"), (61, "asks")):
        (done,) = tick(forked, minutes)["threads"]
        assert (thread, "completed") == (done["thread"], done["status"])


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_tick_that_is_asked_to_stop_leaves_its_threads_stopped(
    forked: Forked, effects: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """The step in flight finishes; with recover the next tick goes on with the thread."""
    written(tmp_path, more="[defaults]\nrecover = true", graph="stopping")
    look(forked, -1)
    run = forked.begin("tick", "--wait", "-q", env=at(0))
    run.until(lambda: lines(effects))
    run.signal(number)
    run.wait(check=75)
    assert {"12:00": ("started", "stopped")} == ledger(forked)
    assert ["completed"] == [each["status"] for each in tick(forked, 2)["threads"]]


def test_old_slots_go_with_their_threads_where_retention_says_so(
    forked: Forked, effects: Path, file: Path
) -> None:
    """A tick sees to that once a day, though nothing else is due; what is followed stays so."""
    look(forked, -1)
    tick(forked, 0)
    tick(forked, 60)
    file.write_text(file.read_text().replace("0 * * * *", "0 0 1 1 *"))
    file.write_text(f'{file.read_text()}\n[retention]\ncompleted = "1ms"\n')
    look(forked, 61)
    assert ["12:00", "13:00"] == sorted(ledger(forked))
    tick(forked, 60 * 24 + 62)
    wait_for(lambda: [] == list(ledger(forked)))
    assert [] == tick(forked, 60 * 24 + 64)["slots"]
    # Nobody knows any more of these whether they have run.
    file.write_text(file.read_text().replace("0 0 1 1 *", "0 * * * *"))
    args = ("backfill", "job", "--from", "2026-11-22T11:00", "--to", "2026-11-22T14:00")
    plan = forked.run("schedule", *args, "--json", env=at(60 * 24 + 65), check=0)
    assert ["14:00"] == [each["slot"][11:16] for each in plan.data["coming"]]
    told = forked.run("schedule", *args, env=at(60 * 24 + 65), check=0).stderr
    assert "3 slots may have run" in told


def test_a_prune_that_follows_retention_tells_of_rows_of_the_ledger(
    forked: Forked, effects: Path, file: Path
) -> None:
    """How many went with what it has deleted."""
    look(forked, -1)
    tick(forked, 0)
    file.write_text(f'{file.read_text()}\n[retention]\ncompleted = "1ms"\n')
    told = forked.run("prune", "--yes", check=0)
    assert "1 row of the ledger of slots deleted, too" in told.stderr
    assert [] == list(ledger(forked))


def test_a_slot_whose_thread_was_pruned_by_hand_is_not_run_again(
    forked: Forked, effects: Path, file: Path
) -> None:
    """Its row stays, and says that it has run."""
    look(forked, -1)
    tick(forked, 0)
    forked.run("prune", "--older-than", "1ms", "--yes", check=0)
    assert {"12:00": ("started", None)} == ledger(forked)
    args = ("backfill", "job", "--from", "2026-11-22T12:00", "--to", "2026-11-22T12:00")
    assert [] == forked.run("schedule", *args, "--json", env=at(2), check=0).data["coming"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_shutdown_leaves_what_a_tick_has_begun_stopped(
    forked: Forked, effects: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """The signal comes to the process in the background and to the thread's own at once."""
    written(tmp_path, more="[defaults]\nrecover = true", graph="stopping")
    look(forked, -1)
    forked.run("tick", env=at(0), check=0)
    wait_for(lambda: lines(effects))
    owner = forked.run("status", "job-2026-11-22T1200", "--json", check=0).thread["owner"]["pid"]
    stat = Path(f"/proc/{owner}/stat").read_text()
    conductor = int(stat.rpartition(")")[2].split()[1])
    for process in (conductor, owner):
        os.kill(process, number)
    wait_for(lambda: {"12:00": ("started", "stopped")} == ledger(forked))
    wait_for(lambda: not Path(f"/proc/{conductor}").exists())
    assert ["completed"] == [each["status"] for each in tick(forked, 2)["threads"]]


def test_a_schedule_that_goes_under_a_running_slot_leaves_its_thread_alone(
    forked: Forked, effects: Path, tmp_path: Path
) -> None:
    """It runs to its end; what was queued behind it is skipped, and says why."""
    path = written(tmp_path, 'overlap = "queue"', graph="held")
    look(forked, -1)
    first = forked.begin("tick", "--wait", env=at(0))
    first.until(lambda: lines(effects))
    look(forked, 60)
    path.write_text(path.read_text().partition("[workflows.job.schedule]")[0])
    (gone,) = look(forked, 61)["slots"]
    assert ("skipped", "its workflow has no schedule any more") == (gone["outcome"], gone["reason"])
    Path(f"{effects}.go").touch()
    first.wait(check=0)
    assert [("skipped", None), ("started", "completed")] == list(ledger(forked).values())


def test_a_workflows_toml_that_is_as_it_was_is_read_only_where_something_is_due(
    forked: Forked, tmp_path: Path
) -> None:
    """What a tick has not read is neither let go nor left behind, whoever reads it next."""
    path = written(tmp_path)
    other = path.read_text().replace("workflows.job", "workflows.other").replace("0 *", "30 *")
    path.write_text(path.read_text() + other)
    due = {minutes: look(forked, minutes)["slots"] for minutes in (-1, 0, 30, 60)}
    assert [[], ["job"], ["other"], ["job"]] == [
        [each["workflow"] for each in slots] for slots in due.values()
    ]
    path.write_text(path.read_text().replace('"30 *', '"45 *'))
    assert ["missed"] == [each["outcome"] for each in look(forked, 91)["slots"]]
    assert ["other"] == [each["workflow"] for each in look(forked, 105)["slots"]]
