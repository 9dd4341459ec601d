"""Signals in every phase of a job, and a job where there is no terminal, or nothing at all."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import subprocess
import termios
from pathlib import Path

import pytest

from tests.faults import crowd_jobs, crowd_judge
from tests.faults.signals import JOBS, PHASES, TIMES, Job, at_random
from tests.forked import Forked
from tests.harness import COMMAND, DEADLINE, Durajob, wait_for

SAMPLED = [
    ("blocking step", "SIGTERM", "twice"),
    ("last step", "SIGHUP", "once"),
    ("fan-out", "SIGINT", "once"),
    ("fan-out", "SIGTERM", "twice"),
    ("subgraph", "SIGHUP", "twice"),
    ("compensating", "SIGHUP", "once"),
    ("compensating", "SIGTERM", "twice"),
    ("last compensation", "SIGINT", "once"),
    ("backoff", "SIGINT", "once"),
    ("busy", "SIGTERM", "once"),
    ("seat", "SIGINT", "once"),
    ("importing", "SIGTERM", "once"),
    ("importing", "SIGINT", "twice"),
]


@pytest.mark.parametrize(("phase", "name", "times"), SAMPLED)
def test_a_signal_in_a_phase(
    forked: Forked, tmp_path: Path, phase: str, name: str, times: str
) -> None:
    """Exit status and status are true, and the job goes on with nothing repeated."""
    TIMES[times](Job(forked, tmp_path, PHASES[phase]), signal.Signals[name])


def test_a_signal_at_any_instant(durajob: Durajob, tmp_path: Path) -> None:
    """The installed command, from its first instants on: no traceback, and a true status."""
    at_random(durajob, tmp_path, random.Random())


def test_a_terminal_that_is_closed(forked: Forked, tmp_path: Path) -> None:
    """The kernel hangs up: the step in flight finishes, though nobody takes what is printed."""
    journal = tmp_path / "journal"
    env = {**os.environ, "JOURNAL": str(journal), "HOLD": "b:begin"}
    terminal, its_end = os.openpty()
    with (tmp_path / "said").open("wb") as said:
        run = subprocess.Popen(
            [COMMAND, "start", f"{JOBS}:chain", "-t", "t"],
            stdin=its_end,
            stdout=its_end,
            stderr=said,
            env=env,
            cwd=tmp_path,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
    os.close(its_end)
    wait_for(lambda: len(crowd_judge.read(journal).get("t", ())) == 3)
    os.close(terminal)
    wait_for(lambda: "asked to stop (SIGHUP)" in (tmp_path / "said").read_text())
    Path(f"{journal}.go").touch()
    assert 75 == run.wait(DEADLINE)
    thread = forked.run("status", "t", "--json", check=0).thread
    assert ("stopped", ["c"]) == (thread["status"], thread["next"])
    forked.run("resume", "t", env=env, check=0)
    events = crowd_judge.read(journal)["t"]
    assert [] == crowd_judge.violations(
        events, steps=crowd_jobs.CHAIN, after=crowd_jobs.AFTER_CHAIN
    )


@pytest.mark.parametrize("home", [True, False])
def test_crons_environment(tmp_path: Path, home: bool) -> None:
    """No terminal, a session of its own, and hardly a variable: the job runs as ever."""
    env = {"SHELL": "/bin/sh", "PATH": "/usr/bin:/bin", "LOGNAME": "nobody"}
    if home:
        env["HOME"] = str(tmp_path)
    command = [str(COMMAND), "--store", "s/d.db", "start", "durable", "-t", "t", "-i", "seconds:=0"]
    done = subprocess.run(
        command, env=env, cwd=tmp_path, capture_output=True, text=True, start_new_session=True
    )
    assert (0, True) == (done.returncode, done.stdout.startswith("t completed")), done.stderr
    assert "Traceback" not in done.stderr


def test_closed_descriptors(durajob: Durajob, tmp_path: Path) -> None:
    """Without any standard stream the job runs, and nothing is written into its store."""
    script = f'exec "{COMMAND}" --store s/d.db start durable -t t -i seconds:=0 <&- >&- 2>&-'
    done = subprocess.run(["/bin/sh", "-c", script], cwd=tmp_path, env=os.environ)
    assert 0 == done.returncode
    shown = durajob.run("--store", "s/d.db", "status", "t", "--json", check=0)
    assert "completed" == shown.thread["status"]
