"""The live view on a real terminal: a pseudo-terminal that the command believes in."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect  # type: ignore[import-untyped]  # it has no types
import pytest

from tests.harness import COMMAND, DEADLINE

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).parent / "live_script.py"
COLOUR = re.compile(r"\x1b\[[0-9;]*[1-9][0-9;]*m")


@pytest.fixture
def terminal() -> Iterator[Any]:
    """Starts commands on a terminal of 80 by 24."""
    begun: list[Any] = []

    def begin(command: str, *args: str, **env: str) -> Any:
        child = pexpect.spawn(
            command,
            list(args),
            dimensions=(24, 80),
            timeout=DEADLINE,
            env={**os.environ, "PYTHONPATH": str(ROOT), **env},
            encoding="utf-8",
            codec_errors="backslashreplace",
        )
        child.delaybeforesend = None
        begun.append(child)
        return child

    yield begin
    for child in begun:
        child.close(force=True)


def ended(child: Any) -> tuple[int, str]:
    """Everything that is still to come, and the exit status."""
    child.expect(pexpect.EOF)
    return child.wait(), child.before


def interrupted(child: Any) -> tuple[int, str]:
    """What comes after Ctrl-C was pressed until it was heard twice, and the exit status."""
    while True:
        child.sendintr()
        if child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=0.5) == 0:
            return child.wait(), child.before


def test_a_job_is_seen_to_its_end(terminal: Any) -> None:
    """Each step has a line with its mark; the last frame stays, and the summary follows."""
    status, text = ended(terminal(str(COMMAND), "start", "durable", "-t", "d", "-i", "seconds:=0"))
    last = "\n".join(text.splitlines()[-4:-1])
    assert (0, ["A", "B", "C"]) == (status, re.findall(r"✓\S* (\w) ", last))
    assert "3 steps in " in text.splitlines()[-1]


def test_the_cursor_is_never_hidden(terminal: Any) -> None:
    """A job that is killed with -9 leaves the terminal as it found it."""
    child = terminal(str(COMMAND), "start", "durable", "-t", "d")
    child.expect("A ")
    child.kill(signal.SIGKILL)
    child.expect(pexpect.EOF)
    assert "\x1b[?25l" not in child.before


def test_a_second_interrupt_ends_at_once_and_says_how_to_go_on(terminal: Any) -> None:
    """Ctrl-C twice: 130, and the command that resumes."""
    child = terminal(str(COMMAND), "start", "durable", "-t", "d", "-i", "seconds:=60")
    child.expect("A ")
    status, text = interrupted(child)
    assert (130, True) == (status, "durajob resume d" in text)


def test_a_second_interrupt_leaves_an_envelope(terminal: Any) -> None:
    """With --json the process that ends at once still prints its envelope."""
    child = terminal(str(COMMAND), "start", "durable", "-t", "d", "-i", "seconds:=60", "--json")
    child.expect("A: running")
    status, text = interrupted(child)
    assert (130, True) == (status, '"code": "interrupted"' in text)


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_can_be_declined(env: dict[str, str], terminal: Any) -> None:
    """NO_COLOR and TERM=dumb are honoured on a terminal."""
    status, text = ended(terminal(str(COMMAND), "start", "saga", "-t", "s", **env))
    assert (0, []) == (status, COLOUR.findall(text))
    status, text = ended(terminal(str(COMMAND), "list", **env))
    assert (0, []) == (status, COLOUR.findall(text))


def test_a_dumb_terminal_gets_plain_lines(terminal: Any) -> None:
    """Where the cursor cannot be moved, nothing tries to."""
    status, text = ended(terminal(str(COMMAND), "start", "saga", "-t", "s", TERM="dumb"))
    assert (0, False) == (status, "\x1b" in text)


def test_an_ascii_terminal_gets_ascii(terminal: Any) -> None:
    """In the C locale the same view is drawn with ASCII marks."""
    child = terminal(str(COMMAND), "start", "saga", "-t", "s", LC_ALL="C")
    status, text = ended(child)
    assert (0, True) == (status, text.isascii())
    assert "+ s completed" in COLOUR.sub("", text).replace("\x1b[0m", "")


def test_a_fan_out_of_thousands_is_one_line(terminal: Any) -> None:
    """Branches are counted on one line, printed lines stand above, markup is not obeyed."""
    status, text = ended(terminal(sys.executable, str(SCRIPT), "0.05", "3000"))
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert (0, True, True, True) == (
        status,
        "found 3 files [bold]not markup[/bold]" in plain,
        re.search(r"copy +\S+ +\d+ done, \d running", plain) is not None,
        "copy[" not in plain,
    )


def test_the_view_follows_the_width_of_the_terminal(terminal: Any) -> None:
    """A terminal that is made narrower gets lines that fit."""
    child = terminal(sys.executable, str(SCRIPT), "0.3", "3000")
    child.expect("scan")
    child.setwinsize(24, 40)
    child.expect("copy")
    child.expect(pexpect.EOF)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", child.before)
    frames = [line for line in text.splitlines() if line.startswith("  ")]
    assert (True, []) == (len(frames) > 10, [line for line in frames if len(line) > 40])


def test_a_watch_is_a_live_view_that_follows_the_width(terminal: Any) -> None:
    """Of a job elsewhere: resized, then left with Ctrl-C, and the job goes on."""
    job = terminal(str(COMMAND), "start", "durable", "-t", "d", "-i", "seconds:=60")
    job.expect("A ")
    watch = terminal(str(COMMAND), "watch", "d")
    watch.expect("0 of 3 steps")
    watch.setwinsize(24, 33)
    watch.expect("0 of 3 steps")
    watch.expect(r"\r\n")
    watch.sendintr()
    status, text = ended(watch)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).partition("no longer watched")[0]
    frames = [line.rstrip("\r\n") for line in plain.splitlines()]
    assert (130, []) == (status, [line for line in frames if len(line) > 33])
    status, text = ended(terminal(str(COMMAND), "status", "d"))
    assert "running" in text
