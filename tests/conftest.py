"""Fixtures for every test: a scrubbed environment, and the durajob command to run in it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forked import Forked
from tests.harness import Durajob

_SCRUBBED = (
    "CI", "CLICOLOR", "COLUMNS", "DURAJOB_", "FORCE_COLOR", "LANG", "LC_", "LINES", "NO_COLOR",
    "PYTEST_ADDOPTS", "PYTHON", "TERM", "TMUX", "TTY_", "TYPER_", "TZ", "XDG_", "_TYPER_",
)  # fmt: skip
"""Beginnings of the names of variables that change what durajob does or prints. LangGraph's and
LangSmith's LANG… fall under LANG too."""

# In the background of a script, or under nohup, these are ignored, and what tests start would
# inherit that.
for _number, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


@pytest.fixture(autouse=True)
def scrubbed(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each test works in an empty folder, at home nowhere, with nobody's settings."""
    for name in list(os.environ):
        if name.startswith(_SCRUBBED):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def durajob(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Durajob]:
    """The installed ``durajob`` command, run in ``tmp_path``."""
    command = Durajob(folder=tmp_path_factory.mktemp("output"), cwd=tmp_path)
    yield command
    command.clear_away()


@pytest.fixture
def forked(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forked]:
    """The durajob command in forked processes, run in ``tmp_path``."""
    command = Forked(folder=tmp_path_factory.mktemp("forked"), cwd=tmp_path)
    yield command
    command.clear_away()
