"""Timelines and graphs: what is drawn, where, and that nothing of users' gets power by it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from durajob.model import AttemptStatus, StepError
from durajob.picture import Edge, Picture, flat, layers
from durajob.render.bars import bar_lines
from durajob.render.drawn import mermaid, tree_lines
from durajob.render.svg import svg
from durajob.render.webpage import webpage
from durajob.timeline import Bar, Scale, Timeline
from tests.snapshots.made import T0, step, thread

NASTY = "a<script>\"&'\u202e\x1b[31m"
SECOND = 1_000_000


def bar(name: str, start: float, end: float, **changes: Any) -> Bar:
    """An attempt, in seconds after T0."""
    values: dict[str, Any] = {
        "step": name,
        "visit": 1,
        "attempt": 1,
        "status": AttemptStatus.SUCCEEDED,
        "started_at": T0 + int(start * SECOND),
        "finished_at": T0 + int(end * SECOND),
        "ended": True,
        "seconds": end - start,
        "error": None,
    }
    return Bar(**(values | changes))


def timeline(*bars: Bar, **changes: Any) -> Timeline:
    """The timeline of a failed thread."""
    return Timeline(thread=thread(**changes), bars=bars, now=T0)


def lines(made: Timeline, width: int) -> list[str]:
    """As a terminal of that width would get it."""
    return list(bar_lines(made, width=width, color=False))


@pytest.mark.parametrize("width", [40, 80, 200])
def test_bars_fit_the_width(width: int) -> None:
    """However long the names are, and however many branches there are."""
    long = bar("x" * 300, 0, 4, status=AttemptStatus.FAILED)
    made = timeline(long, *(bar(f"work[{i}]", i / 100, i / 100 + 1) for i in range(1000)))
    drawn = lines(made, width)
    assert [] == [line for line in drawn if len(line) > width]
    assert ["… 996 more"] == [line.strip(" ┊") for line in drawn if "more" in line]


def test_a_night_in_which_nothing_ran_is_cut_out_and_told() -> None:
    """The bars beside it keep their scale."""
    night = 8 * 3600.0
    drawn = lines(timeline(bar("a", 0, 10), bar("b", night, night + 10)), 80)
    assert 1 == sum("nothing ran for 7h59m" in line for line in drawn)
    a, b = (next(line for line in drawn if line.startswith(f"  {name} ")) for name in "ab")
    assert abs(a.count("━") - b.count("━")) <= 1
    assert a.count("━") > 15


def test_a_bar_that_ends_badly_ends_in_its_mark() -> None:
    """So that it is seen without colour."""
    ended = [
        bar("a", 0, 5, status=AttemptStatus.FAILED),
        bar("a", 5, 10, status=AttemptStatus.ABANDONED, attempt=2),
        bar("a", 10, 15, attempt=3),
    ]
    (row,) = (line for line in lines(timeline(*ended), 80) if "attempt 3" in line)
    assert re.search(r"━✗━+!━+ ", row), row


def test_the_scale_goes_both_ways() -> None:
    """A time is where it stands, also beside and within what is cut out."""
    scale = Scale([bar("a", 0, 2), bar("b", 100, 103)])
    for second in (0, 1, 2, 50, 100, 101.5, 103):
        at = T0 + int(second * SECOND)
        assert abs(scale.time(scale.position(at)) - at) < 1000
    ends = [round(scale.position(T0 + at * SECOND), 9) for at in (0, 103)]
    assert [0.0, 1.0] == ends


def test_a_page_takes_no_text_for_markup() -> None:
    """Whatever a step or an error is called; and nothing is fetched."""
    error = StepError(step=NASTY, type="ValueError", message=NASTY, attempt=1)
    page = webpage(timeline(bar(NASTY, 0, 1, error=error), workflow=NASTY, error=error), made_by="")
    assert "<script" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert [] == re.findall(r"https?:|src=|href=|url\(", page)


def test_a_page_holds_ten_thousand_attempts() -> None:
    """In as many lanes as ran at once."""
    bars = [bar(f"work[{i}]", i / 4, i / 4 + 0.9) for i in range(10_000)]
    page = webpage(timeline(*bars), made_by="")
    assert 10_000 == page.count('<rect class="succeeded"')
    assert 'viewBox="0 0 10000 56"' in page
    assert len(page) < 6_000_000


SHAPE = {
    "steps": ["a", "b", "c", "d", "sub"],
    "edges": [
        ["__start__", "a"],
        ["a", "route", ["b", "c"]],
        ["b", "sub"],
        [["c", "sub"], "d"],
        ["d", "again", ["__end__", "a"]],
    ],
    "inside": ["sub/x", "sub/y", "sub/__start__→x", "sub/x→y", "sub/y→__end__"],
}


def picture(**changes: Any) -> Picture:
    """Of SHAPE."""
    steps, edges = flat(SHAPE)
    values: dict[str, Any] = {"name": "w", "steps": steps, "edges": edges, "form": "tree"}
    return Picture(**(values | changes))


def test_a_subgraph_is_drawn_as_its_steps() -> None:
    """What led to it leads to its first, and its last lead on."""
    steps, edges = flat(SHAPE)
    assert {"a", "b", "c", "d", "sub/x", "sub/y"} == set(steps)
    assert {Edge("b", "sub/x"), Edge("sub/x", "sub/y"), Edge("sub/y", "d")} <= set(edges)


def test_a_loop_does_not_count_as_depth() -> None:
    """A join stands below the longest way to it."""
    steps, edges = flat(SHAPE)
    found = {"a": 0, "b": 1, "c": 1, "sub/x": 2, "sub/y": 3, "d": 4}
    assert found == layers(steps, edges)


def test_the_tree_has_each_step_once() -> None:
    """Branches, joins and loops are told of without repeating any."""
    drawn = list(tree_lines(picture(), width=80, color=False, drawn=False))
    assert [
        "a  (by route)",
        "├─ b",
        "│  sub/x",
        "│  sub/y",
        "│  d  → the end, a (by again)",
        "└─ c  → d",
    ] == drawn


def test_progress_is_drawn_on_the_steps() -> None:
    """Branches are counted, the next steps are marked."""
    steps = (step("a"), step("b", AttemptStatus.FAILED, attempts=3), step("c[0]"), step("c[1]"))
    drawn = picture(thread=thread(steps=steps, next=("b",)))
    text = "\n".join(tree_lines(drawn, width=80, color=False, drawn=True))
    assert all(part in text for part in ("✓ a", "✗ b  attempt 3", "✓ c  2 succeeded", "○ d"))
    assert "classDef failed" in mermaid(drawn)
    assert "#x27;" not in mermaid(drawn)


def test_pictures_take_no_text_for_markup() -> None:
    """Mermaid and SVG hold what a step is called as text."""
    named = picture(steps=[NASTY], edges=[Edge("__start__", NASTY), Edge(NASTY, NASTY, NASTY)])
    assert "<script" not in svg(named)
    assert "<script" not in mermaid(named)
    root = ET.fromstring(svg(named))
    assert any("script" in (each.text or "") for each in root.iter())


def test_a_long_and_a_wide_graph_are_drawn() -> None:
    """A thousand steps in a row, and a thousand side by side."""
    names = [f"s{i}" for i in range(1000)]
    chain = [Edge(a, b) for a, b in zip(["__start__", *names], names, strict=False)]
    wide = [Edge("__start__", name) for name in names]
    for edges in (chain, wide):
        made = picture(steps=names, edges=edges)
        assert 1000 == len(list(tree_lines(made, width=80, color=False, drawn=True)))
        assert 1001 == svg(made).count("<rect ")
