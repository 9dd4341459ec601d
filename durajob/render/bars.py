"""The timeline of a thread in a terminal: a row of bars for each step, to scale.

Where a step has many branches, one row shows when any of them ran, and a few rows those that
failed or took longest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

from durajob import clock
from durajob.durations import format_duration
from durajob.model import AttemptStatus
from durajob.render import marks
from durajob.render.objects import step_error
from durajob.render.pages import Block, Cell, Column, Fields, Grid, group_of
from durajob.render.text import cut, error_text, moment, one_line
from durajob.timeline import Bar, Scale, Timeline

MANY = 12
"""Branches of one step that have a row each."""

_WORST = 4
"""Of more branches, so many have a row: those that failed, then the longest."""

_LEAST_WIDTH = 10
_TICK = 14  # cells between two times of the axis
_RANK = {
    AttemptStatus.FAILED: 5,
    AttemptStatus.TIMED_OUT: 5,
    AttemptStatus.ABANDONED: 4,
    AttemptStatus.RUNNING: 3,
    AttemptStatus.SKIPPED: 2,
    AttemptStatus.SUCCEEDED: 1,
}

Piece = tuple[str, str]
"""A text and its style."""


def bar_lines(timeline: Timeline, *, width: int, color: bool) -> Iterator[str]:
    """The lines of the picture, none wider than ``width`` cells."""
    for pieces in _lines(timeline, width):
        yield "".join(marks.paint(text, style if color else "") for text, style in pieces)


def timeline_data(result: Timeline) -> dict[str, Any]:
    """Each attempt."""
    return {
        "thread": result.thread.thread,
        "status": result.thread.status.value,
        "attempts": [_attempt(bar) for bar in result.bars],
        "page": result.page,
    }


def timeline_page(result: Timeline, now: int, terminal: bool) -> list[Block]:
    """The same where there is no room for bars: a row for each attempt."""
    if result.page is not None:
        return [Fields(rows=[("page", Cell(text=one_line(result.page)))])]
    titles = ("step", "attempt", "status", "began", "time", "what")
    columns = [Column(title=title, right=title in ("attempt", "time")) for title in titles]
    rows = [_attempt_row(bar, terminal) for bar in result.bars]
    return [Grid(columns=columns, rows=rows)] if rows else []


def _attempt(bar: Bar) -> dict[str, Any]:
    return {
        "step": bar.step,
        "visit": bar.visit,
        "attempt": bar.attempt,
        "status": bar.status.value,
        "started_at": clock.to_rfc3339(bar.started_at),
        "finished_at": clock.to_rfc3339(bar.finished_at) if bar.ended else None,
        "seconds": None if bar.seconds is None else round(bar.seconds, 6),
        "error": step_error(bar.error),
    }


def _attempt_row(bar: Bar, terminal: bool) -> list[Cell]:
    look = marks.ATTEMPT[bar.status]
    visit = f" visit {bar.visit}" if bar.visit > 1 else ""
    began = moment(bar.started_at) if terminal else clock.to_rfc3339(bar.started_at) or ""
    return [
        Cell(text=one_line(bar.step) + visit),
        Cell(text=str(bar.attempt)),
        Cell(text=bar.status.value, mark=look.mark, style=look.style),
        Cell(text=began),
        Cell(text=format_duration((bar.finished_at - bar.started_at) / 1e6)),
        Cell(text="" if bar.error is None else error_text(bar.error), style="red"),
    ]


def _lines(timeline: Timeline, width: int) -> Iterator[list[Piece]]:
    thread, bars = timeline.thread, timeline.bars
    look = marks.THREAD[thread.status]
    took = "" if not bars else f"  {moment(bars[0].started_at)}"
    head = f" {one_line(thread.workflow)}  {thread.thread}  {thread.status.value}{took}"
    yield [(look.mark, look.style), (cut(head, width - 1), "")]
    if not bars:
        return
    rows = list(_rows(bars))
    label = min(max(len(name) for name, _, _ in rows), max(width // 4, 12))
    note = min(max(len(said) for _, said, _ in rows), max(width // 5, 10))
    cells = max(width - label - note - 6, _LEAST_WIDTH)
    scale = Scale(bars, gap_width=3 / cells)
    yield [(" " * (label + 4) + _axis(scale, cells), marks.LABEL)]
    for name, said, own in rows:
        yield [
            (f"  {cut(name, label):<{label}}  ", ""),
            *_bar(own, scale, cells),
            (f"  {cut(said, note)}", marks.LABEL),
        ]
    for gap in scale.gaps:
        paused = format_duration((gap.end - gap.start) / 1e6)
        told = f"  {marks.GAP} nothing ran for {paused}, from {moment(gap.start)}"
        yield [(cut(told, width), marks.LABEL)]


def _rows(bars: Sequence[Bar]) -> Iterator[tuple[str, str, Sequence[Bar]]]:
    groups: dict[str, dict[str, list[Bar]]] = {}
    for bar in bars:
        groups.setdefault(group_of(bar.step), {}).setdefault(bar.step, []).append(bar)
    for group, steps in groups.items():
        if len(steps) <= MANY:
            for step, own in steps.items():
                yield one_line(step), _said(own), own
            continue
        every = [bar for own in steps.values() for bar in own]
        wrong = sum(
            _RANK[own[-1].status] >= _RANK[AttemptStatus.ABANDONED] for own in steps.values()
        )
        told = f"{wrong} failed" if wrong else format_duration(_span(every))
        yield f"{one_line(group)} {marks.TIMES}{len(steps)}", told, every
        worst = sorted(
            steps, key=lambda step: (-_RANK[steps[step][-1].status], -_span(steps[step]))
        )
        for step in worst[:_WORST]:
            yield f" {one_line(step)}", _said(steps[step]), steps[step]
        yield f" {marks.CUT} {len(steps) - _WORST} more", "", ()


def _said(own: Sequence[Bar]) -> str:
    """How long it took, and what is worth saying besides."""
    last = own[-1]
    took = format_duration(sum((bar.finished_at - bar.started_at) / 1e6 for bar in own))
    if last.visit > 1:
        return f"{took}  {last.visit} visits"
    return f"{took}  attempt {last.attempt}" if last.attempt > 1 else took


def _span(own: Sequence[Bar]) -> float:
    return (max(b.finished_at for b in own) - min(b.started_at for b in own)) / 1e6


def _bar(own: Sequence[Bar], scale: Scale, cells: int) -> Iterator[Piece]:
    """A row: in each cell the worst that happened there, a mark where an attempt ended badly."""
    ranks = [0] * cells
    drawn: list[Piece] = [(" ", "")] * cells
    for gap in scale.gaps:
        left, right = (int(scale.position(at) * cells) for at in gap)
        for cell in range(left, min(right, cells)):
            drawn[cell] = (marks.GAP, marks.LABEL)
    for bar in own:
        first = min(int(scale.position(bar.started_at) * cells), cells - 1)
        last = min(max(int(scale.position(bar.finished_at) * cells - 1e-9), first), cells - 1)
        look, rank = marks.ATTEMPT[bar.status], _RANK[bar.status]
        for cell in range(first, last + 1):
            if rank >= ranks[cell]:
                bad = cell == last and bar.status is not AttemptStatus.SUCCEEDED
                ranks[cell] = rank
                drawn[cell] = (look.mark if bad else marks.BAR_DONE, look.style)
    yield from _joined(drawn)


def _joined(drawn: Sequence[Piece]) -> Iterator[Piece]:
    text, style = "", ""
    for cell, own in drawn:
        if own != style and text:
            yield text, style
            text = ""
        text, style = text + cell, own
    yield text, style


def _axis(scale: Scale, cells: int) -> str:
    """Times since the beginning, each where it stands."""
    line, end = "", -1
    for tick in range(0, cells, _TICK):
        # Within a pause that is not to scale a time says nothing: it stands where that ends.
        after = (
            ceil(scale.position(gap.end) * cells)
            for gap in scale.gaps
            if gap.start < scale.time(tick / cells) < gap.end
        )
        cell = next(after, tick)
        told = format_duration((scale.time(cell / cells) - scale.start) / 1e6)
        if cell > end and cell + len(told) <= cells:
            line = f"{line:<{cell}}{told}"
            end = cell + len(told) + 1
    return line
