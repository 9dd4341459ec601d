"""Limits hold, whatever a step does; a process that dies fails one attempt, and nobody else."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from durajob.store.driver import sqlite
from tests.forked import Forked
from tests.integration.isolated import DEATHS, KINDS, LIMIT
from tests.integration.judge import lines

GRAPHS = Path(__file__).with_name("isolated.py")

pytestmark = pytest.mark.usefixtures("effects")


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of the test's own."""
    monkeypatch.setenv("DURAJOB_STORE", str(tmp_path / "s.db"))
    return tmp_path / "s.db"


def attempts(store: Path, step: str | None = None) -> list[tuple[str, str, Any]]:
    """Step, status and error of each attempt."""
    connection = sqlite.connect(f"file:{store}?mode=ro", uri=True)
    rows = connection.execute("SELECT step, status, error FROM attempts ORDER BY id").fetchall()
    connection.close()
    return [
        (name, status, json.loads(error) if error else None)
        for name, status, error in rows
        if step in (None, name)
    ]


def noted(effects: Path, kind: str) -> list[str]:
    """What was noted after a word and a colon."""
    return [line.partition(":")[2] for line in lines(effects) if line.startswith(f"{kind}:")]


def alive(pids: Iterator[str] | list[str]) -> list[str]:
    """Those of the processes that are there and no corpses."""
    found = []
    for pid in pids:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        if stat.rpartition(")")[2].split()[0] != "Z":
            found.append(pid)
    return found


def test_a_step_that_does_not_end_is_killed_with_all_it_started(
    forked: Forked, effects: Path, store: Path
) -> None:
    """A sleep, a hung socket, a loop, a C call, one deaf to SIGTERM, one that prints for ever,
    one that waits for its thread, one whose daemons have left it: each is timed out within a
    second of its limit, its retry policy applies, and nothing that it started lives on."""
    done = forked.run("start", f"{GRAPHS}:hanging", "-t", "t", "--json", check=0)
    assert list(KINDS) == done.thread["state"]["out"]
    told = attempts(store)
    assert [each for kind in KINDS for each in ((kind, "timed_out"), (kind, "succeeded"))] == [
        (step, status) for step, status, _ in told
    ]
    error = told[0][2]
    assert "StepTimeout" == error["type"]
    assert "took longer than its timeout of 800ms; its process was killed" == error["message"]
    processes = [pid for kind in KINDS for pid in noted(effects, kind)[0].split(":")[:1]]
    processes += noted(effects, "child") + noted(effects, "daemon")
    assert 2 * len(KINDS) + 1 == len(processes)
    assert [] == alive(processes)
    began = float(noted(effects, "daemons")[0].split(":")[1])
    last = float(noted(effects, "tick")[-1])
    assert LIMIT / 2 < last - began < LIMIT + 1
    assert [] == [line for line in lines(effects) if "went" in line]


def test_a_process_that_dies_is_a_failed_attempt_that_says_of_what(
    forked: Forked, effects: Path, store: Path
) -> None:
    """A segmentation fault, a kill for want of memory, an exit: each fails its attempt alone. A
    daemon that a step has left behind ends with the step."""
    done = forked.run("start", f"{GRAPHS}:dying", "-t", "t", "--json", check=0)
    assert list(DEATHS) == done.thread["state"]["out"]
    said = {step: error["message"] for step, status, error in attempts(store) if error}
    assert {
        "segfault": "its process was killed by signal 11 (SIGSEGV)",
        "killed": "its process was killed by signal 9, probably out of memory",
        "exits": "its process ended with exit status 3",
        "aborts": "its process was killed by signal 6 (SIGABRT)",
    } == said
    assert {"failed", "succeeded"} == {status for _, status, _ in attempts(store)}
    log = Path(next(error for _, _, error in attempts(store, "segfault"))["log"]).read_text()
    assert "about to die: segfault" in log
    assert f'File "{GRAPHS}"' in log
    assert [] == alive(noted(effects, "daemon"))


def test_a_worker_is_used_again(forked: Forked, store: Path) -> None:
    """One process runs step after step, and the second step begins at once."""
    done = forked.run("start", f"{GRAPHS}:reused", "-t", "t", "--json", check=0)
    assert 1 == len(set(done.thread["state"]["out"]))
    assert os.getpid() not in done.thread["state"]["out"]
    took = [step["seconds"] for step in done.thread["steps"][1:]]
    assert min(took) < 0.02


@pytest.mark.parametrize("how", ["kill -9", "second signal"])
def test_nothing_outlives_its_owner(forked: Forked, effects: Path, how: str) -> None:
    """Killed, or ended by a second signal: the thread is free only when the worker, its child
    and its daemon are gone; and the same command goes on from there."""
    run = forked.begin("start", f"{GRAPHS}:long", "-t", "t")
    run.until(lambda: len(noted(effects, "pid")) == 2)
    if how == "kill -9":
        run.kill()
    else:
        run.signal(signal.SIGINT)
        run.until(lambda: "asked to stop" in run.stderr)
        run.signal(signal.SIGINT)
        run.wait(check=130)
    processes = noted(effects, "pid") + noted(effects, "daemon")
    again = forked.begin("resume", "t")
    again.until(lambda: len(noted(effects, "pid")) == 4)
    assert [] == alive(processes)
    Path(f"{effects}.go").touch()
    again.wait(check=0)
    assert ["before", "held"] == [line for line in lines(effects) if ":" not in line]


def test_the_first_signal_lets_an_isolated_step_finish(forked: Forked, effects: Path) -> None:
    """A terminal's Ctrl-C and a service manager's SIGTERM do not reach the worker."""
    run = forked.begin("start", f"{GRAPHS}:long", "-t", "t", "--json")
    run.until(lambda: len(noted(effects, "pid")) == 2)
    worker = int(noted(effects, "pid")[-1])
    assert os.getsid(worker) != os.getsid(run.pid)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(worker, number)
    run.signal(signal.SIGTERM)
    Path(f"{effects}.go").touch()
    ended = run.wait()
    assert "held" in lines(effects)
    assert "succeeded" == ended.thread["steps"][-1]["status"]


def test_the_runs_own_timeout_ends_an_isolated_step(
    forked: Forked, effects: Path, store: Path
) -> None:
    """It is killed, not left behind; the attempt is timed_out and the thread resumable."""
    env = {"FAULTS": "run_out"}
    run = forked.begin("start", f"{GRAPHS}:long", "-t", "t", "--timeout", "1h", "--json", env=env)
    run.until(lambda: noted(effects, "pid") and noted(effects, "daemon"))
    run.run_out()
    ended = run.wait(check=124)
    assert "stopped" == ended.thread["status"]
    assert [] == alive(noted(effects, "pid") + noted(effects, "daemon"))
    assert [("held", "timed_out")] == [each[:2] for each in attempts(store, "held")]
    Path(f"{effects}.go").touch()
    forked.run("resume", "t", check=0)


def test_a_step_in_a_worker_is_as_one_outside(forked: Forked, effects: Path, store: Path) -> None:
    """Types of the state, the config, output of programs, progress, and errors: a class that
    cannot be pickled is retried by its name, and its attempt keeps the traceback, its cause and
    notes."""
    run = forked.begin("start", f"{GRAPHS}:tidy", "-t", "t", "--json")
    done = run.wait(check=0)
    assert ["async"] == done.thread["state"]["out"]
    first = attempts(store, "odd")[0]
    assert ("odd", "failed", "Odd", "7 at home") == (
        *first[:2], first[2]["type"], first[2]["message"],
    )  # fmt: skip
    for text in ("KeyError: 'the cause'", "direct cause", "a note", f'File "{GRAPHS}"', "Odd: 7"):
        assert text in first[2]["trace"]
    log = (Path(f"{store}-logs") / "1" / "prints.1.1.log").read_text()
    outside = next(line for line in lines(effects) if line.startswith("types:"))
    said = [
        f"out {outside}",
        "out thread: t",
        "out a program",
        "out its error",
        "log INFO root: so",
    ]
    assert said == [line.partition(" ")[2] for line in log.splitlines()]
    assert "prints| a program" in run.stderr


def test_idle_timeouts_and_coroutines(forked: Forked, effects: Path, store: Path) -> None:
    """Heartbeats and progress keep a step alive, silence ends it; a coroutine is cancelled and
    cleans up, and one that refuses to end is run no further."""
    done = forked.run("start", f"{GRAPHS}:idle", "-t", "t", "--json", check=0)
    assert ["beats", "reports"] == done.thread["state"]["out"]
    timed_out = {step: e["message"] for step, status, e in attempts(store) if status == "timed_out"}
    assert {
        "silent": "gave no heartbeat for 800ms (idle_timeout); its process was killed",
        "cancelled": "took longer than its timeout of 800ms; it was cancelled",
        "refuses": "took longer than its timeout of 800ms; it was cancelled",
    } == timed_out
    assert "cleaned up" in effects.read_text()
    assert ["refused"] == [line for line in lines(effects) if line == "refused"]


def test_commands_sends_and_langgraphs_own_timeout(
    forked: Forked, effects: Path, tmp_path: Path, store: Path
) -> None:
    """Policies of workflows.toml isolate a plain graph; what its steps return works as ever, and
    a LangGraph timeout on a step of a subgraph is kept."""
    (tmp_path / "workflows.toml").write_text(
        f'[workflows.job]\ngraph = "{GRAPHS}:guests"\n'
        "[workflows.job.steps]\nsends = { isolate = true }\nbranch = { timeout = '1m' }\n"
    )
    done = forked.run("start", "job", "-t", "t", "--json", check=1)
    assert "StepTimeout" == done.thread["error"]["type"]
    assert ["branch:1", "branch:2"] == sorted(lines(effects))
    assert ["timed_out"] == [status for _, status, _ in attempts(store, "inner/slow")]


def test_what_steps_call_works_in_a_worker(forked: Forked, tmp_path: Path, store: Path) -> None:
    """A lock, an effect, a question by interrupt() and one by approval(), answered in turn."""
    (tmp_path / "workflows.toml").write_text(
        f'[workflows.job]\ngraph = "{GRAPHS}:questions"\nsteps.question.isolate = true\n'
    )
    done = forked.run("start", "job", "-t", "t", "--json", check=3)
    assert "how many?" == done.thread["waiting_for"][0]["prompt"]
    done = forked.run("answer", "t", "3", "--json", check=3)
    assert "sure?" == done.thread["waiting_for"][0]["prompt"]
    done = forked.run("answer", "t", "true", "--json", check=0)
    assert [3, True, 7] == done.thread["state"]["out"]
    assert [("question", "succeeded")] == [each[:2] for each in attempts(store)]


def test_an_idle_workers_death_fails_nothing(forked: Forked, effects: Path) -> None:
    """The next step gets another."""
    run = forked.begin("start", f"{GRAPHS}:between", "-t", "t", "--json")

    def worker() -> list[str]:
        return [
            pid
            for pid in os.listdir("/proc")
            if pid.isdigit() and _comm(pid) == "durajob-worker" and _owner(int(pid)) == run.pid
        ]

    run.until(lambda: lines(effects) == ["paused"])
    (found,) = worker()
    os.kill(int(found), signal.SIGKILL)
    Path(f"{effects}.go").touch()
    run.wait(check=0)


def _comm(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _owner(worker: int) -> int:
    def parent(pid: int) -> int:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

    try:
        return parent(parent(worker))
    except OSError:
        return 0
