"""A step that kills its process each time fails its thread in the end; nothing else is blamed."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from durajob.store.driver import sqlite
from tests.forked import Forked
from tests.integration.judge import lines

GRAPHS = Path(__file__).with_name("graphs.py")
STORE = ("--store", "s/d.db")

pytestmark = pytest.mark.usefixtures("effects")


def configure(folder: Path, graph: str, extra: str) -> None:
    """Write a workflows.toml with one workflow, ``job``."""
    (folder / "workflows.toml").write_text(
        f'[workflows.job]\ngraph = "{GRAPHS}:{graph}"\n{extra}\n'
    )


def test_a_step_that_kills_its_process_each_time_fails_the_thread(
    forked: Forked, effects: Path
) -> None:
    """Three processes die of it, the fourth does not run it, nor does any after; a person can
    insist."""
    env = {"DIE_EACH_TIME": "c:after"}
    first = forked.run("start", f"{GRAPHS}:chain", "-t", "t", env=env)
    assert -signal.SIGKILL == first.exit_status
    for _ in range(2):
        assert -signal.SIGKILL == forked.run("resume", "t", env=env).exit_status
    failed = forked.run("resume", "t", "--json", env=env, check=1)
    error = failed.thread["error"]
    assert ("c", "CrashLoop", 3) == (error["step"], error["type"], error["attempt"])
    assert "3 times in a row" in error["message"]
    assert ("failed", 4) == (failed.thread["status"], failed.thread["epoch"])
    assert "durajob resume t --reset-resumes" == failed.json["error"]["hint"]
    again = forked.run("resume", "t", env=env, check=1)
    assert "durajob resume t --reset-resumes" in again.stderr
    on = ("--on-exists", "resume", "--json")
    started = forked.run("start", f"{GRAPHS}:chain", "-t", "t", *on, env=env, check=1)
    assert failed.thread == started.thread
    assert ["a", "b", "c", "c", "c"] == lines(effects)

    insisted = forked.run("resume", "t", "--reset-resumes", env=env)
    assert -signal.SIGKILL == insisted.exit_status
    forked.run("resume", "t", check=0)
    assert ["a", "b", *"ccccc", "d"] == lines(effects)


def test_in_a_fan_out_only_the_killer_is_blamed(forked: Forked, effects: Path) -> None:
    """Branches that were in flight whenever their neighbour killed the process finish, alone
    if need be; it fails the thread, and they are kept when it is mended."""
    env = {"KILLER": "2"}
    graph = f"{GRAPHS}:crashing"
    first = forked.run("start", graph, "-t", "t", "-i", "n:=4", env=env)
    assert -signal.SIGKILL == first.exit_status
    assert {"work0": 1, "work1": 1, "work2": 1, "work3": 1} == Counter(lines(effects))
    ended = 0
    for _ in range(10):
        if ended == 1:
            break
        ended = forked.run("resume", "t", env=env).exit_status
        Path(f"{effects}.go").touch()
    failed = forked.run("status", "t", "--json").thread
    assert ("failed", "work[2]") == (failed["status"], failed["error"]["step"])
    assert 3 == Counter(lines(effects))["work2"]
    mended = forked.run("resume", "t", "--reset-resumes", "--json", check=0).thread
    assert [0, 1, 2, 3] == sorted(mended["state"]["out"])
    done = Counter(line for line in lines(effects) if line.startswith("done"))
    assert {f"done{i}": 1 for i in range(4)} == done


def test_a_branch_with_one_try_left_runs_alone(forked: Forked, effects: Path) -> None:
    """Nothing is in flight beside it, so that what its end costs is surely its own."""
    env = {"KILLER": "0"}
    forked.run("start", f"{GRAPHS}:crashing", "-t", "t", "-i", "n:=4", env=env)
    forked.run("resume", "t", env=env)
    # All that was in flight at both deaths has one try left; the killer is mended now.
    Path(f"{effects}.go").touch()
    before = len(lines(effects))
    forked.run("resume", "t", env={"KILLER": "none"}, check=0)
    ran = lines(effects)[before:]
    suspects = {name for name, count in Counter(lines(effects)[:before]).items() if count == 2}
    assert suspects
    for name in suspects:
        assert f"done{name[4:]}" == ran[ran.index(name) + 1]


def test_a_failure_between_two_crashes_begins_the_count_anew(
    forked: Forked, effects: Path, tmp_path: Path
) -> None:
    """In a row means in a row: an attempt that ended by itself has not killed its process."""
    configure(tmp_path, "chain", "[workflows.job.steps.b]\nmax_crashes = 2")
    kill = {"DIE_EACH_TIME": "b:after"}
    assert -signal.SIGKILL == forked.run("start", "job", "-t", "t", env=kill).exit_status
    forked.run("resume", "t", env={"FAIL": "b"}, check=1)
    assert -signal.SIGKILL == forked.run("resume", "t", env=kill).exit_status
    assert -signal.SIGKILL == forked.run("resume", "t", env=kill).exit_status
    failed = forked.run("resume", "t", "--json", env=kill, check=1)
    assert "CrashLoop" == failed.thread["error"]["type"]
    configure(tmp_path, "chain", "[workflows.job.steps.b]\nmax_crashes = 3")
    forked.run("resume", "t", check=0)


@pytest.mark.parametrize("how", ["killed", "take_over", "second_signal", "reboot", "disk_full"])
def test_what_counts_as_a_crash(forked: Forked, effects: Path, tmp_path: Path, how: str) -> None:
    """With max_crashes = 1: a kill fails the thread at the next resume, a takeover, a second
    signal, another boot of the machine and a full disk do not."""
    configure(tmp_path, "held", "max_crashes = 1")
    env = {"FAULTS": "fill_disk"} if how == "disk_full" else {}
    run = forked.begin(*STORE, "start", "job", "-t", "t", env=env)
    run.until(lambda: "hold" in lines(effects))
    if how == "take_over":
        run = forked.begin(*STORE, "resume", "t", "--take-over")
        run.until(lambda: lines(effects).count("hold") == 2)
        run.signal(signal.SIGSTOP)
        run = forked.begin(*STORE, "resume", "t", "--take-over")
        run.until(lambda: lines(effects).count("hold") == 3)
    elif how == "second_signal":
        run.signal(signal.SIGTERM)
        run.until(lambda: "asked to stop" in run.stderr)
        run.signal(signal.SIGTERM)
        run.wait(check=130)
    elif how == "disk_full":
        Path(f"{effects}.go").touch()
        run.wait(check=74)
    else:
        run.kill()
    if how == "reboot":
        connection = sqlite.connect(tmp_path / "s" / "d.db")
        (text,) = connection.execute("SELECT owner FROM threads").fetchone()
        other = json.dumps({**json.loads(text), "boot": "another"})
        connection.execute("UPDATE threads SET owner = ?", (other,))
        connection.commit()
        connection.close()
    Path(f"{effects}.go").touch()
    last = run if how == "take_over" else forked.begin(*STORE, "resume", "t")
    last.wait(check=1 if how == "killed" else 0)
    assert [] == list((tmp_path / "s" / "d.db-logs").rglob("ended.*"))
