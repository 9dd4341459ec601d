"""Sessions of the documentation, run: each ``$`` line with durajob itself, its output compared.

Every ``console`` block of a page is run, in order and in one folder, but for those that
``<!-- not run: why -->`` stands before. A ``python``, ``toml`` or ``sh`` block whose first line
is a comment that names a file is written to it. Commands of durajob run in forked processes, any
other in bash; ``&`` waits for the lines that are shown under it, ``kill`` ends what ``&`` began.

What is shown and what was printed are compared after ``normalised``; a line ``…`` stands for
any lines. DURAJOB_UPDATE_SNAPSHOTS=1 writes what was printed into the page: read the diff.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess

from tests.docs.pages import blocks
from tests.forked import Forked, ForkedRun

UPDATE = os.environ.get("DURAJOB_UPDATE_SNAPSHOTS") == "1"  # before tests scrub the environment
FOLDER = "/srv/jobs"
"""What the pages show in place of the folder that the session runs in."""
HOME = "/srv/ada"
HOST = "laptop"
"""What the pages show in place of the name of this machine."""

_RULE = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.]*[+-]\d\d:\d\d", "TIME"),
    (r"-\d{8}T\d{6}-[a-z0-9]{4}", "-ID"),
    (r"\b(\d+(\.\d+)?m?s|\d+m\d\ds)\b", "DURATION"),
    (r'("seconds": )\d+(\.\d+)?(e-\d+)?', r"\1SECONDS"),
    (r'(process |pid |"pid": )\d+', r"\1PID"),
    (r" {2,}", " "),
)


def normalised(text: str) -> list[str]:
    """The lines of a text without what differs from run to run: times, durations, the random
    part of thread ids, process ids, widths of columns, and that a step still runs."""
    for what, name in _RULE:
        text = re.sub(what, name, text)
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if not line.endswith(": running")]


def matches(shown: str, printed: str) -> bool:
    """Whether a page shows what was printed."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == "…" else re.escape(line) + r"\n" for line in normalised(shown)
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in normalised(printed))) is not None


def run_page(page: str, forked: Forked) -> tuple[str, list[str]]:
    """Run all sessions of a page: the page as it should be, and what it shows wrongly."""
    session = _Session(forked)
    written, wrong, end = "", list[str](), 0
    for block in blocks(page):
        if block.file is not None and block.language in ("python", "toml", "sh"):
            (forked.cwd / block.file).write_text(block.text)
        if block.language != "console" or block.not_run:
            continue
        written += page[end : block.start]
        end = block.end
        for command, shown in steps(block.text):
            printed = session.run(command, shown)
            right = matches(shown, printed)
            if not right:
                wrong.append(f"$ {command}\n--- shown\n{shown}--- printed\n{printed}")
            written += f"$ {command}\n{shown if right else printed}"
    return written + page[end:], wrong


def steps(text: str) -> list[tuple[str, str]]:
    """The commands of a session, each with what is shown under it."""
    parts = re.split(r"^\$ (.*\n)", text, flags=re.MULTILINE)
    assert parts[0] == "", f"a session begins with a command: {text}"
    return [(parts[i].strip(), parts[i + 1]) for i in range(1, len(parts), 2)]


class _Session:
    """One shell, as it were: a folder, the last exit status, what runs in the background."""

    def __init__(self, forked: Forked) -> None:
        self._forked = forked
        self._status = 0
        self._background: ForkedRun | None = None
        self._told = 0  # how much of the background's output was shown

    def run(self, command: str, shown: str) -> str:
        """Run one line; what a terminal shows under it."""
        if command == "echo $?":
            return f"{self._status}\n"
        if command.startswith("kill"):
            return self._kill(command)
        if not command.startswith("durajob"):
            return self._show(self._bash(command))
        command, _, piped = command.partition(" | ")
        *words, last = shlex.split(command, comments=True)[1:]
        if last == "&":
            return self._begin(words, shown)
        run = self._forked.begin(*words, last, merged=not piped)
        done = run.wait()
        self._status = done.exit_status
        return self._show(self._bash(piped, done.stdout) if piped else done.stderr)

    def _begin(self, words: list[str], shown: str) -> str:
        run = self._background = self._forked.begin(*words, merged=True)
        wanted = normalised(shown)
        run.until(lambda: normalised(self._show(run.stderr))[: len(wanted)] == wanted)
        self._told = len(wanted)
        return shown

    def _kill(self, command: str) -> str:
        assert self._background is not None, f"nothing to kill: {command}"
        number = signal.SIGKILL if command == "kill -9 $!" else signal.SIGTERM
        assert command in ("kill -9 $!", "kill $!"), command
        run, self._background = self._background, None
        run.signal(number)
        self._status = run.wait().exit_status
        said = self._show(run.stderr).splitlines(keepends=True)
        beats = [line for line in said if not line.endswith(": running\n")]
        return "".join(beats[self._told :])

    def _bash(self, command: str, given: str = "") -> str:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._forked.cwd,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._status = done.returncode
        return done.stdout

    def _show(self, text: str) -> str:
        text = text.replace(str(self._forked.cwd), FOLDER).replace(os.environ["HOME"], HOME)
        host = re.escape(os.uname().nodename)
        return re.sub(rf'(on |"host": "){host}\b', rf"\1{HOST}", text)
