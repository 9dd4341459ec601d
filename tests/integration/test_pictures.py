"""``timeline`` and ``graph`` as commands: of real threads, and files that are not theirs."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tests.forked import Forked

GRAPHS = Path(__file__).with_name("graphs.py")


def test_a_page_is_written_over_nothing_but_a_page(forked: Forked, effects: Path) -> None:
    """0600; again over its own; never over a file, a link or a folder."""
    forked.run("start", f"{GRAPHS}:fan", "-t", "t", "-i", "n:=3", check=0)
    page = forked.cwd / "t.html"
    for _ in range(2):
        forked.run("timeline", "t", "--html", "t.html", check=0)
    assert 0o600 == stat.S_IMODE(os.stat(page).st_mode)
    assert "collect" in page.read_text()
    foreign = forked.cwd / "mine.html"
    foreign.write_text("mine")
    (forked.cwd / "link.html").symlink_to(page)
    assert "is there already" in forked.run("timeline", "t", "--html", foreign, check=2).stderr
    forked.run("timeline", "t", "--html", ".", check=2)
    forked.run("timeline", "t", "--html", "link.html", check=77)
    forked.run("timeline", "t", "--html", "no/where.html", check=74)
    assert ("mine", ["link.html", "mine.html", "t.html"]) == (
        foreign.read_text(),
        sorted(path.name for path in forked.cwd.glob("*.html")),
    )


def test_a_timeline_has_every_attempt(forked: Forked, effects: Path) -> None:
    """Also those of an owner that died, whose end nobody knows."""
    env = {"DIE": "c:after"}
    forked.run("start", f"{GRAPHS}:chain", "-t", "t", env=env)
    forked.run("resume", "t", check=0)
    attempts = forked.run("timeline", "t", "--json", check=0).data["attempts"]
    found = [(each["step"], each["status"], each["finished_at"] is None) for each in attempts]
    assert [
        ("a", "succeeded", False),
        ("b", "succeeded", False),
        ("c", "abandoned", True),
        ("c", "succeeded", False),
        ("d", "succeeded", False),
    ] == found


def test_a_thread_is_drawn_without_its_code(forked: Forked, effects: Path) -> None:
    """The shape is in the store; a workflow must be loaded."""
    source = forked.cwd / "g.py"
    source.write_text(GRAPHS.read_text())
    forked.run("start", "./g.py:fan", "-t", "t", "-i", "n:=3", check=0)
    source.unlink()
    shown = forked.run("graph", "t", check=0).stdout.splitlines()
    assert "t  fan  completed, 5 steps done" == shown[0]
    assert ["plan", "work", "collect"] == [line.split()[0] for line in shown[1:]]
    assert "3 succeeded" in shown[2]
    assert forked.run("graph", "t", "--format", "svg", check=0).stdout.startswith("<svg ")
    assert forked.run("graph", "saga", "--format", "mermaid", check=0).stdout.startswith(
        "flowchart"
    )
    forked.run("graph", "./g.py:fan", check=78)
    forked.run("graph", "nothing", check=66)
    forked.run("graph", "t", "--format", "png", check=2)
