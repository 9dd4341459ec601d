"""What cron mails of a ``--quiet`` run: nothing where all is well, all that matters where not."""

from __future__ import annotations

from pathlib import Path

from tests.forked import Forked

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
