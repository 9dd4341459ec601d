"""The command line itself: its errors, its streams, its exit statuses; commands are made up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from durajob.cli.verbs import VERBS

ROOT = Path(__file__).parents[2]
STUB = Path(__file__).parent / "cli_stub.py"


def run(
    scenario: str, *args: str, shell: str = "", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the stubbed command line; ``shell`` is redirections, as a shell reads them."""
    command = ["sh", "-c", f'exec "$@" {shell}', "sh", sys.executable, str(STUB), scenario, *args]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
    )


def envelope(done: subprocess.CompletedProcess[str]) -> Any:
    """The one JSON line on stdout."""
    assert 1 == done.stdout.count("\n"), done
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        ((), "durajob --help"),
        (("statsu",), "did you mean durajob status?"),
        (("frobnicate",), "durajob --help"),
        (("status", "--jsno"), "did you mean --json? see: durajob status --help"),
        (("status", "-x"), "durajob status --help"),
        (("status", "a", "b"), "durajob status --help"),
        (("status", "--store", "x"), "--store goes before the command: durajob --store … status"),
        (("start",), "durajob start --help"),
        (("--color", "blue", "list"), "durajob --help"),
    ],
)
def test_usage_errors_are_a_line_and_a_hint(args: tuple[str, ...], hint: str) -> None:
    """A command line that cannot be understood gets one line, one hint, and 2."""
    done = run("", *args)
    lines = done.stderr.splitlines()
    assert (2, "", 2) == (done.returncode, done.stdout, len(lines))
    assert lines[0].startswith("error: ")
    assert f"  hint: {hint}" == lines[1]


@pytest.mark.parametrize(
    ("args", "command"),
    [
        (("statsu", "--json"), "durajob"),
        (("--json",), "durajob"),
        (("status", "--bogus", "--json"), "status"),
        (("start", "--json"), "start"),
    ],
)
def test_usage_errors_have_an_envelope_too(args: tuple[str, ...], command: str) -> None:
    """With --json anywhere, a usage error is an envelope on stdout, and stderr stays empty."""
    done = run("", *args)
    got = envelope(done)
    assert (2, "") == (done.returncode, done.stderr)
    assert (command, False, 2, None) == (
        got["command"],
        got["ok"],
        got["exit_code"],
        got["data"],
    )
    assert "usage" == got["error"]["code"]


def test_json_after_a_double_dash_is_an_argument() -> None:
    """What stands behind -- is never taken for an option."""
    done = run("", "status", "--", "missing", "--json")
    assert (2, "") == (done.returncode, done.stdout)


def test_an_argument_may_begin_with_a_dash_behind_a_double_dash() -> None:
    """``-- -x`` reaches the command as a thread id."""
    assert 0 == run("", "status", "--", "-x").returncode


def test_a_domain_error_is_a_line_and_a_hint() -> None:
    """What a command refuses keeps its exit status, message and hint."""
    done = run("", "status", "missing")
    assert (66, "") == (done.returncode, done.stdout)
    assert "error: no thread 'missing'\n  hint: durajob list\n" == done.stderr


def test_a_hints_command_has_the_file_and_store_that_were_named() -> None:
    """What a person is told to type works as it stands, also where options named another store."""
    done = run("", "--store", "an other.db", "status", "missing")
    assert "  hint: durajob --store 'an other.db' list\n" in done.stderr
    shown = envelope(run("", "--store", "s.db", "status", "missing", "--json"))
    assert "durajob --store s.db list" == shown["error"]["hint"]


def test_a_domain_error_as_json() -> None:
    """The envelope of a refusal is the contract's."""
    done = run("", "status", "missing", "--json")
    error = {
        "code": "thread_not_found",
        "message": "no thread 'missing'",
        "hint": "durajob list",
    }
    expected = {
        "version": 1,
        "command": "status",
        "ok": False,
        "exit_code": 66,
        "data": None,
        "error": error,
    }
    assert expected == envelope(done)


def test_a_bug_is_one_line_without_a_traceback() -> None:
    """An unexpected exception is 70, one line, and a hint at --debug."""
    done = run("bug", "start", "nightly", "-q")
    expected = "error: this is a bug in durajob: ZeroDivisionError: division by zero"
    assert (70, expected) == (done.returncode, done.stderr.splitlines()[0])
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback() -> None:
    """With --debug the traceback comes before the line."""
    done = run("bug", "--debug", "start", "nightly", "-q")
    assert (70, True) == (done.returncode, done.stderr.startswith("Traceback"))


def test_an_interrupt_outside_a_drive_is_130() -> None:
    """Ctrl-C while nothing is driven ends with 130 and no traceback."""
    done = run("interrupt", "start", "nightly", "-q")
    assert (130, "error: interrupted\n") == (done.returncode, done.stderr)


def test_success_says_one_line_on_stdout() -> None:
    """A thread that completed is one line of data; lines of progress go to stderr."""
    done = run("", "start", "nightly")
    assert 0 == done.returncode
    assert done.stdout.startswith("nightly-1 completed: 3 steps in ")
    assert 1 == done.stdout.count("\n")
    assert [
        "thread nightly-1 (nightly): started",
        "a| café \\udcff ✓",
        "step a: succeeded in 10ms",
        "a note",
    ] == done.stderr.splitlines()


@pytest.mark.parametrize("args", [("start", "nightly", "-q"), ("-q", "start", "nightly")])
def test_quiet_success_says_nothing(args: tuple[str, ...]) -> None:
    """With -q, before or after the command, all is well when nothing is said."""
    done = run("", *args)
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_quiet_failure_says_what_where_and_how_to_go_on() -> None:
    """With -q a failure still tells step, error, log and the command that resumes."""
    done = run("fails", "start", "nightly", "--quiet")
    assert (1, "") == (done.returncode, done.stdout)
    assert [
        "error: step load failed at attempt 3: ConnectionError: could not reach db.example.org: "
        "connection refused after 3 tries",
        "  log: /var/lib/etl/logs/nightly-1/load.3.log",
        "  resume with: durajob resume nightly-1",
    ] == done.stderr.splitlines()


def test_a_stopped_thread_says_how_to_go_on() -> None:
    """A clean stop is no success: it names the command that resumes."""
    done = run("stopped", "start", "nightly", "-q")
    assert 75 == done.returncode
    assert "  resume with: durajob resume nightly-1" == done.stderr.splitlines()[-1]


def test_a_failed_workflow_has_its_thread_in_the_envelope() -> None:
    """``ok`` is false, the thread is under data, the error's code is workflow_failed."""
    done = run("fails", "start", "nightly", "--json")
    got = envelope(done)
    assert (1, False, "workflow_failed", "failed") == (
        done.returncode,
        got["ok"],
        got["error"]["code"],
        got["data"]["thread"]["status"],
    )


def test_json_is_ascii_whatever_the_state_holds() -> None:
    """Values that JSON does not know are shown by the stated rules, in ASCII."""
    done = run("strange", "status", "x", "--json", env={"LC_ALL": "C"})
    state = envelope(done)["data"]["thread"]["state"]
    assert done.stdout.isascii()
    assert {
        "nan": "NaN",
        "bytes": {"base64": "/w=="},
        "set": [1, 2],
        "odd": "<class 'object'>",
        "s": "\udcff",
    } == state


def test_the_c_locale_gets_ascii() -> None:
    """Where the locale is C, nothing but ASCII is written, and nothing is lost silently."""
    done = run("", "start", "nightly", env={"LC_ALL": "C", "LANG": "C"})
    assert (0, True) == (done.returncode, done.stderr.isascii())
    assert r"a| caf\xe9 \udcff +" in done.stderr


@pytest.mark.parametrize(
    "shell",
    [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>&1"],
)
@pytest.mark.parametrize(("scenario", "status"), [("", 0), ("fails", 1), ("stopped", 75)])
def test_output_that_nobody_takes_changes_no_exit_status(
    scenario: str, status: int, shell: str
) -> None:
    """A closed or full stream never changes how the job ended."""
    done = run(scenario, "start", "nightly", shell=shell)
    assert (status, False) == (done.returncode, "Traceback" in done.stderr)


@pytest.mark.parametrize("args", [("start", "nightly"), ("list",), ("--help",), ("--version",)])
@pytest.mark.parametrize("extra", [(), ("--json",)])
def test_a_reader_that_left_changes_no_exit_status(
    args: tuple[str, ...], extra: tuple[str, ...]
) -> None:
    """Writing into a pipe whose reader is gone ends quietly, with the status it would have."""
    read, write = os.pipe()
    os.close(read)
    more = () if args[0].startswith("-") else extra
    try:
        done = subprocess.run(
            [sys.executable, str(STUB), "", *args, *more],
            stdout=write,
            stderr=write,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            timeout=60,
        )
    finally:
        os.close(write)
    assert 0 == done.returncode


def test_a_reader_that_hangs_does_not_hold_the_job_up(tmp_path: Path) -> None:
    """When nobody reads stderr and the pipe is full, the command ends all the same."""
    read, write = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, str(STUB), "flood", "start", "nightly"],
            stdout=subprocess.PIPE,
            stderr=write,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            timeout=60,
        )
    finally:
        os.close(write)
        os.close(read)
    assert (0, b"nightly-1 completed") == (done.returncode, done.stdout[:19])


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    """--help of every verb says what it does and shows how it is called."""
    done = run("", verb, "--help")
    assert (0, "") == (done.returncode, done.stderr)
    assert f"    durajob {verb}" in done.stdout.split("Examples:")[1]


def test_help_lists_every_verb() -> None:
    """The list of commands is the table's, group by group."""
    done = run("", "--help")
    listed = done.stdout.split("Drive:\n")[1].splitlines()
    verbs = [line.split()[0] for line in listed if line.startswith("  ")]
    heads = [line for line in listed if line.endswith(":")]
    assert (list(VERBS), 4) == (verbs, len(heads))


def test_colour_can_be_demanded_and_refused() -> None:
    """--color always colours a pipe; auto and never do not."""
    always = run("", "--color", "always", "list").stdout
    never = run("", "--color", "never", "list").stdout
    auto = run("", "list").stdout
    assert (True, False, False) == ("\x1b[" in always, "\x1b[" in never, "\x1b[" in auto)
