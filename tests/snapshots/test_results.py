"""What people see of every kind of result, at two widths, with and without colour and UTF-8."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from durajob.render.envelope import envelope
from durajob.render.pages import pages
from durajob.render.plain import plain_text
from durajob.render.sink import Sink
from durajob.render.tables import draw
from tests.snapshots.made import NOW, RESULTS
from tests.snapshots.snapshot import expect


def drawn(name: str, tmp_path: Path, *, encoding: str, color: bool) -> str:
    """The result as a terminal of COLUMNS would get it."""
    path = tmp_path / "drawn"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        draw(pages(RESULTS[name], now=NOW, terminal=True), Sink(descriptor, encoding), color=color)
    finally:
        os.close(descriptor)
    return path.read_bytes().decode(encoding)


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize("width", [80, 200])
def test_tables_fit_the_terminal(
    name: str, width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table is drawn within the terminal's width, marks and all."""
    monkeypatch.setenv("COLUMNS", str(width))
    text = drawn(name, tmp_path, encoding="utf-8", color=False)
    assert [] == [line for line in text.splitlines() if len(line) > width]
    expect(f"{name}-{width}", text)


@pytest.mark.parametrize("name", ["failed", "list"])
def test_tables_in_colour(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours are the terminal's own eight, so that they suit its theme."""
    monkeypatch.setenv("COLUMNS", "80")
    expect(f"{name}-80-colour", drawn(name, tmp_path, encoding="utf-8", color=True))


@pytest.mark.parametrize("name", ["failed", "list", "fan_out"])
def test_tables_in_ascii(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an encoding cannot show the marks, ASCII ones of the same width stand for them."""
    monkeypatch.setenv("COLUMNS", "80")
    expect(f"{name}-80-ascii", drawn(name, tmp_path, encoding="ascii", color=False))


@pytest.mark.parametrize("name", RESULTS)
def test_plain_text(name: str) -> None:
    """Off a terminal there are no marks and no relative times."""
    expect(f"{name}-plain", plain_text(pages(RESULTS[name], now=NOW, terminal=False)))


@pytest.mark.parametrize("name", sorted(set(RESULTS) - {"fan_out"}))
def test_json(name: str) -> None:
    """The envelope is the contract's, field by field."""
    expect(f"{name}-json", envelope("made", RESULTS[name]).replace(', "', ',\n"') + "\n")
