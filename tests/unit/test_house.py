"""The rules of the house that a tool can hold: style, types, imports, sizes, nothing private."""

from __future__ import annotations

import re
import socket
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
TOOLS = Path(sysconfig.get_path("scripts"))

LONGEST_FILE = 500
"""Lines. About 400 is where a file asks to be two; here it is refused."""

_MACHINE = ("/work" + "/", "/root" + "/", "/home" + "/", "/Users" + "/")
_MACHINE_PATHS_ALLOWED: dict[str, str] = {}
"""Files that may name such a path, and why."""


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "--quiet", "."),
        ("ruff", "format", "--check", "--quiet", "."),
        ("mypy", "durajob", "tests", "benchmarks"),
        ("lint-imports", "--no-logo"),
    ],
    ids=["lint", "format", "types", "imports"],
)
def test_a_tool_finds_nothing(command: tuple[str, ...]) -> None:
    """Lint, format, strict types and the floors of the house hold everywhere."""
    done = subprocess.run(
        [TOOLS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_is_too_long_to_read() -> None:
    """A Python file that outgrew a sitting is two files."""
    lengths = {
        name: len((ROOT / name).read_text().splitlines())
        for name in _tracked()
        if name.endswith(".py")
    }
    assert {} == {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE}


def test_nothing_names_a_machine() -> None:
    """No committed file holds a path of somebody's machine, or the name of this one."""
    host = socket.gethostname()
    names = [re.escape(path) for path in _MACHINE]
    if len(host) > 8:  # a short name may be a word
        names.append(rf"\b{re.escape(host)}\b")
    private = re.compile("|".join(names))
    found = [
        f"{name}:{number}: {line.strip()}"
        for name in _tracked()
        if name not in _MACHINE_PATHS_ALLOWED
        for number, line in enumerate((ROOT / name).read_text(errors="replace").splitlines(), 1)
        if private.search(line)
    ]
    assert [] == found


def test_the_lock_names_no_place_to_download_from() -> None:
    """The locked dependencies come from whatever index the machine has, checked by hash."""
    lock = (ROOT / "requirements-dev.txt").read_text()
    assert [] == re.findall(r"\S*://\S*|--(?:extra-)?index-url.*|--find-links.*", lock)


def test_the_lock_fits_what_the_project_asks_for() -> None:
    """Every dependency of pyproject.toml is locked, at a version that it allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [
        Requirement(line)
        for line in (*project["project"]["dependencies"], *project["dependency-groups"]["dev"])
    ]
    lock = (ROOT / "requirements-dev.txt").read_text()
    locked = dict(re.findall(r"^([\w.-]+)==([\w.+!-]+)", lock, re.MULTILINE))
    unfit = [
        str(one) for one in asked if one.name not in locked or locked[one.name] not in one.specifier
    ]
    assert [] == unfit


def _tracked() -> list[str]:
    """The files of the repository; in a checkout that another user owns, too."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
