"""What the commands that look back and forward show, printed by the one printer."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from durajob import clock
from durajob.render.printer import Printer
from durajob.render.sink import Sink
from tests.snapshots.made import NOW
from tests.snapshots.screens import SCREENS
from tests.snapshots.snapshot import expect


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is two minutes after what is told."""
    monkeypatch.setattr(clock, "now", lambda: NOW)


def printed(
    name: str, tmp_path: Path, *, terminal: bool, color: bool = False, encoding: str = "utf-8"
) -> str:
    """All that the command writes, to stdout and stderr."""
    path = tmp_path / "printed"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        sink = Sink(descriptor, encoding)
        printer = Printer(
            command=name, out=sink, err=sink, out_tables=terminal, out_color=color, err_color=color
        )
        SCREENS[name](printer)
    finally:
        os.close(descriptor)
    return path.read_bytes().decode(encoding)


@pytest.mark.parametrize("name", SCREENS)
@pytest.mark.parametrize("width", [80, 200])
def test_screens_on_a_terminal(
    name: str, width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the width, but for the sentence of ``why`` and what is to be typed or streamed."""
    monkeypatch.setenv("COLUMNS", str(width))
    text = printed(name, tmp_path, terminal=True)
    expect(f"{name}-{width}", text)
    whole = name in ("why", "watch")
    assert whole or [] == [line for line in text.splitlines() if len(line) > width]


@pytest.mark.parametrize("name", SCREENS)
def test_screens_in_ascii(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the locale is C, marks have ASCII counterparts, and other letters are escaped."""
    monkeypatch.setenv("COLUMNS", "80")
    expect(f"{name}-80-ascii", printed(name, tmp_path, terminal=True, encoding="ascii"))


@pytest.mark.parametrize("name", SCREENS)
def test_screens_off_a_terminal(name: str, tmp_path: Path) -> None:
    """Plain lines: nothing is cut, and there are neither marks nor relative times."""
    expect(f"{name}-plain", printed(name, tmp_path, terminal=False))


@pytest.mark.parametrize("name", SCREENS)
def test_colour_changes_nothing_but_colour(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without colour there is no escape sequence; with it the text is the same."""

    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "c").mkdir()
    dull = printed(name, tmp_path, terminal=True)
    coloured = printed(name, tmp_path / "c", terminal=True, color=True)
    assert (False, dull) == ("\x1b" in dull, re.sub(r"\x1b\[[0-9;]*m", "", coloured))
