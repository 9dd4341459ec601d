"""What cron mails of a ``--quiet`` run: nothing where all is well, all that matters where not."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.forked import Forked
from tests.harness import Durajob

GRAPHS = Path(__file__).with_name("graphs.py")
TALKS = """
import os
from typing import TypedDict

from durajob import Workflow

talks = Workflow("talks", TypedDict("State", {"x": int}))

@talks.step()
def b(state):
    print("half done")
    if "FAIL" in os.environ:
        raise ConnectionError("b failed on demand")
"""


def test_a_failure_is_told_with_the_end_of_its_log_and_a_success_is_not(
    forked: Forked,
) -> None:
    """The error, the last lines that the step printed, the command that resumes; by resume as
    by start."""
    (forked.cwd / "talks.py").write_text(TALKS)
    commands = (("start", "./talks.py:talks", "-t", "x", "-q"), ("resume", "x", "-q"))
    for attempt, command in enumerate(commands, 1):
        failed = forked.run(*command, env={"FAIL": "b"}, check=1)
        first, *lines, log, resume = failed.stderr.splitlines()
        assert (
            f"error: step b failed at attempt {attempt}: ConnectionError: b failed on demand"
            == (first)
        )
        assert ["  | half done"] == lines
        assert f"b.1.{attempt}.log" == Path(log.removeprefix("  log: ")).name
        assert "  resume with: durajob resume x" == resume
        assert "" == failed.stdout
    for command in (("resume", "x", "-q"), ("start", "./talks.py:talks", "-q")):
        done = forked.run(*command, check=0)
        assert ("", "") == (done.stdout, done.stderr)


def test_who_watches_is_not_told_the_log_twice(forked: Forked, effects: Path) -> None:
    """Only what is quiet quotes it."""
    failed = forked.run("start", f"{GRAPHS}:chain", env={"FAIL": "b"}, check=1)
    assert not any(line.startswith("  | ") for line in failed.stderr.splitlines())


def test_the_line_of_a_crontab_mails_the_failure_of_a_slot_once(
    durajob: Durajob, tmp_path: Path
) -> None:
    """As cron runs it: by sh, with little in its environment, from another folder."""
    (tmp_path / "workflows.toml").write_text(
        '[workflows.job]\nthread = "job-{slot:%Y-%m-%d}"\n'
        '[workflows.job.schedule]\ncron = "0 0 1 1 *"\n'
        '[[workflows.job.steps]]\nname = "b"\nrun = "echo half done; exit 3"\n'
    )
    printed = durajob.run("schedule", "install", "--cron", check=0).stdout
    line = printed.splitlines()[-1].removeprefix("* * * * * ")

    def cron() -> tuple[int, str, str]:
        env = {"HOME": "/", "LOGNAME": "ada", "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
        done = subprocess.run(
            ["/bin/sh", "-c", line], cwd="/", env=env, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    assert (0, "", "") == cron()
    durajob.run("start", "job", "--slot", "2026-01-01", "-q", check=1)
    status, out, told = cron()
    assert (0, "") == (status, out)
    first, *lines, log, resume = told.splitlines()
    assert "error: thread job-2026-01-01 failed in step b: CommandFailed: exit status 3" in first
    assert "  | half done" in lines
    assert "b.1.1.log" == Path(log.removeprefix("  log: ")).name
    assert resume.startswith("  resume with: ")
    assert resume.endswith("resume job-2026-01-01")
    assert (0, "", "") == cron()
