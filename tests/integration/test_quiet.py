"""What cron mails of a ``--quiet`` run: nothing where all is well, all that matters where not."""

from __future__ import annotations

from pathlib import Path

from tests.forked import Forked

GRAPHS = Path(__file__).with_name("graphs.py")


def test_a_failure_is_told_with_the_end_of_its_log_and_a_success_is_not(
    forked: Forked, effects: Path
) -> None:
    """The error, the last lines of the log, the command that resumes; by resume as by start."""
    commands = (("start", f"{GRAPHS}:chain", "-t", "x", "-q"), ("resume", "x", "-q"))
    for attempt, command in enumerate(commands, 1):
        failed = forked.run(*command, env={"FAIL": "b"}, check=1)
        first, *lines, log, resume = failed.stderr.splitlines()
        assert (
            f"error: step b failed at attempt {attempt}: ConnectionError: b failed on demand"
            == (first)
        )
        assert {"  | "} == {line[:4] for line in lines}
        assert "  | ConnectionError: b failed on demand" == lines[-1]
        assert f"b.1.{attempt}.log" == Path(log.removeprefix("  log: ")).name
        assert "  resume with: durajob resume x" == resume
        assert "" == failed.stdout
    for command in (("resume", "x", "-q"), ("start", f"{GRAPHS}:chain", "-q")):
        done = forked.run(*command, check=0)
        assert ("", "") == (done.stdout, done.stderr)


def test_who_watches_is_not_told_the_log_twice(forked: Forked, effects: Path) -> None:
    """Only what is quiet quotes it."""
    failed = forked.run("start", f"{GRAPHS}:chain", env={"FAIL": "b"}, check=1)
    assert not any(line.startswith("  | ") for line in failed.stderr.splitlines())
