"""Retries as workflows.toml says them: by name, predicate, exit code, within a total."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from durajob.store.driver import sqlite
from tests.forked import Forked
from tests.integration.judge import lines

FAILING = Path(__file__).with_name("failing.py")


def configure(folder: Path, retry: str, *, wait: str = "1ms") -> None:
    """A workflows.toml in which the step is retried so."""
    (folder / "workflows.toml").write_text(
        f'[workflows.w]\ngraph = "{FAILING}:wf"\n'
        f'[workflows.w.steps.fails]\nretry = {{ attempts = 3, wait = "{wait}", {retry} }}\n'
    )


@pytest.mark.parametrize(
    ("retry", "how", "attempts"),
    [
        ("on_exit = [1, 5]", "program5", 3),
        ("on_exit = [1, 5]", "program2", 1),
        ("on_exit = 137", "program137", 3),
        ("on_exit = 7", "exit7", 3),
        ("on_exit = 7", "exit8", 1),
        ("on = 'tests.integration.failing:is_worth_it'", "busy", 3),
        ("on = 'tests.integration.failing:is_worth_it'", "broken", 1),
        ("on = 'KeyError', on_exit = 5", "busy", 1),
    ],
)
def test_what_is_tried_again(
    forked: Forked, effects: Path, retry: str, how: str, attempts: int
) -> None:
    """Exit codes of programs and of sys.exit(), predicates; nothing else."""
    configure(forked.cwd, retry)
    failed = forked.run("start", "w", "-t", "t", "--json", env={"HOW": how}, check=1).thread
    assert attempts == failed["error"]["attempt"] == len(lines(effects))
    assert 3 == failed["steps"][0]["max_attempts"]
    assert "due_at" not in failed["steps"][0]


def test_validate_refuses_what_names_nothing(forked: Forked) -> None:
    """A module, a name, a class that is no exception: known before anything runs."""
    for on in ("no.such:Thing", "tests.integration.failing:nothing", "NoSuchError",
               "tests.integration.failing:NoException"):  # fmt: skip
        configure(forked.cwd, f'on = "{on}"')
        assert repr(on) in forked.run("validate", check=78).stdout.replace("\n", " ")


def test_a_total_holds_across_processes(forked: Forked, effects: Path) -> None:
    """Killed and resumed when the total is over, the thread tries once, and no more; a later
    resume has a total of its own."""
    configure(forked.cwd, 'on = "ConnectionError", total = "30s"')
    env = {"HOW": "busy", "DIE": "try"}
    forked.run("start", "w", "-t", "t", env=env)
    late = {"HOW": "busy", "FAULTS": "set_clock", "OFFSET": "60"}
    failed = forked.run("resume", "t", "--json", env=late, check=1).thread
    assert (2, 2) == (failed["error"]["attempt"], len(lines(effects)))
    forked.run("resume", "t", env=late, check=1)
    assert 5 == len(lines(effects))


def test_status_shows_the_attempt_and_when_the_next_is_due(forked: Forked, effects: Path) -> None:
    """In a backoff: attempt 1 of 3, and a time, in JSON and for people."""
    configure(forked.cwd, 'on = "ConnectionError"', wait="1m")
    run = forked.begin("start", "w", "-t", "t", env={"HOW": "busy"})

    def failed() -> bool:
        done = forked.run("status", "t", "--json")
        return done.exit_status == 0 and '"due_at"' in done.stdout

    run.until(failed)
    (step,) = forked.run("status", "t", "--json", check=0).thread["steps"]
    assert ("failed", 1, 3) == (step["status"], step["attempts"], step["max_attempts"])
    assert step["finished_at"] < step["due_at"]
    shown = forked.run("status", "t", check=0).stdout
    assert "1/3" in shown
    assert f"again at {step['due_at']}: ConnectionError: busy" in shown
    run.kill()
    stopped = forked.run("resume", "t", "--timeout", "300ms", "--json", check=124).thread
    assert step["due_at"] == stopped["steps"][0]["due_at"]


def test_an_attempt_keeps_its_whole_error(forked: Forked, effects: Path) -> None:
    """Traceback, cause and notes of each attempt stand in the ledger and in its log."""
    configure(forked.cwd, 'on = "ConnectionError"')
    failed = forked.run("start", "w", "-t", "t", "--json", env={"HOW": "busy"}, check=1).thread
    with sqlite.connect(forked.cwd / ".durajob" / "durajob.db") as connection:
        rows = connection.execute("SELECT error FROM attempts ORDER BY attempt").fetchall()
    connection.close()
    traces = [json.loads(error)["trace"] for (error,) in rows]
    assert 3 == len(traces)
    for trace in traces:
        assert "KeyError: 'the cause'" in trace
        assert "ConnectionError: busy\nand a note" in trace
        assert "in fails" in trace
    log = Path(failed["error"]["log"]).read_text()
    assert [] == [line for line in traces[-1].splitlines() if line not in log]
