"""What the README says is run: its commands, and what they print.

The installing halves of its two first commands are compared with what CI runs; that a clean
clone gets through them is what CI itself shows.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.harness import COMMAND, DEADLINE

ROOT = Path(__file__).parents[2]
INSTALL = "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/"


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader has activated the environment that durajob is installed in."""
    monkeypatch.setenv("PATH", f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}")


def test_ci_passes_the_tests_as_the_readme_says() -> None:
    """CI's last line is the README's second command, word for word."""
    assert _blocks("sh")[1] == (ROOT / ".ci" / "run").read_text().splitlines()[-1]


def test_the_first_command_runs_a_real_job(tmp_path: Path) -> None:
    """What follows the installation copies the files of .venv."""
    command = _blocks("sh")[0]
    assert command.startswith(INSTALL)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "pyvenv.cfg").write_text("home = here\n")
    done = _bash(command.removeprefix(INSTALL))
    assert done.returncode == 0, done.stdout
    copies = [path for path in (tmp_path / ".durajob" / "copy").rglob("*") if path.is_file()]
    assert b"home = here\n" in [path.read_bytes() for path in copies]


def test_a_job_killed_in_the_middle_goes_on_as_shown() -> None:
    """The transcript is what these commands print, but for times and for how far B got."""
    (transcript,) = _blocks("console")
    # B has said that it is a second on by then: what durajob says of A has long been printed.
    far = r'"step": "B".*"done": [1-9][.0-9]*, "total": 4'
    wait = f"until durajob status second --json | grep -qE '{far}'; do :; done"
    commands = [line[2:] for line in transcript.splitlines() if line.startswith("$ ")]
    script = "\n".join(f"echo '$ {command}'\n{command}" for command in commands)
    # What the reader's sleep stands for is waited for, and bash's own word of the kill is not
    # durajob's.
    assert script.count("\nsleep 7; kill -9 $!") == 1
    script = script.replace(
        "\nsleep 7; kill -9 $!", f"\n{wait}\nkill -9 $!; wait $! 2>{os.devnull}"
    )
    assert _shape(transcript) == _shape(_bash(script).stdout)


def _blocks(language: str) -> list[str]:
    """The README's blocks of code in one language."""
    readme = (ROOT / "README.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)\n```$", readme, re.MULTILINE | re.DOTALL)


def _bash(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=2 * DEADLINE,
    )


def _shape(text: str) -> list[str]:
    """The lines as they are whenever it is run: no times, no beats of a step that goes on, and
    what a job in the background prints beside the command that follows it."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", "TIME", text)
    text = re.sub(r"\b\d+(\.\d+)?m?s\b", "DURATION", text)
    text = re.sub(r"\b[\d.]+/4\b", "SO FAR", text)
    lines = [re.sub(r" +", " ", line).strip() for line in text.splitlines()]
    lines = [line for line in lines if not line.endswith(": running")]
    begun = [line for line in lines if line.startswith("$ sleep")]
    return begun + [line for line in lines if line not in begun]
