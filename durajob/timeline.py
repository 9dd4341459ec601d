"""What ``timeline`` shows: when each attempt of a thread ran."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from durajob.model import AttemptStatus, Result, StepError, Thread


class Bar(NamedTuple):
    """One attempt; where its end is not known, it is drawn to its owner's last sign of life."""

    step: str
    visit: int
    attempt: int
    status: AttemptStatus
    started_at: int
    finished_at: int
    ended: bool  # False: it runs, or its process died
    seconds: float | None
    error: StepError | None


class Gap(NamedTuple):
    """A time in which nothing ran that is too long to be drawn to scale."""

    start: int
    end: int


class Timeline(Result):
    """The answer to ``timeline``."""

    thread: Thread
    bars: Sequence[Bar]  # in the order of beginning
    now: int  # when it was asked
    page: str | None = None  # where the page is written to


_SHARE = 0.2
"""Of the time in which something ran: a pause that is longer is not drawn to scale."""

_MOST_GAPS = 8


class Scale:
    """Where on a line of width 1 a time stands; long pauses take a fixed part of it each."""

    def __init__(self, bars: Sequence[Bar], *, gap_width: float = 0.03) -> None:
        busy = _busy(bars)
        self.start = busy[0][0] if busy else 0
        self.end = busy[-1][1] if busy else 1
        worked = sum(end - start for start, end in busy)
        pauses = [Gap(before[1], after[0]) for before, after in pairwise(busy)]
        pauses.sort(key=lambda gap: gap.start - gap.end)
        long = [gap for gap in pauses if gap.end - gap.start > max(worked * _SHARE, 1_000_000)]
        self.gaps = tuple(sorted(long[:_MOST_GAPS]))
        drawn = max(self.end - self.start - sum(gap.end - gap.start for gap in self.gaps), 1)
        scale = (1 - gap_width * len(self.gaps)) / drawn
        self._pieces: list[tuple[int, int, float, float]] = []
        at, position = self.start, 0.0
        for gap in (*self.gaps, Gap(max(self.end, self.start + 1), 0)):
            width = (gap.start - at) * scale
            self._pieces.append((at, gap.start, position, position + width))
            position += width
            if gap.end:
                self._pieces.append((gap.start, gap.end, position, position + gap_width))
                position += gap_width
                at = gap.end

    def position(self, at: int) -> float:
        """From 0 to 1."""
        for start, end, left, right in self._pieces:
            if at <= end:
                share = (at - start) / (end - start) if end > start else 0.0
                return left + (right - left) * min(max(share, 0.0), 1.0)
        return 1.0

    def time(self, position: float) -> int:
        """The other way round."""
        for start, end, left, right in self._pieces:
            if position <= right:
                share = (position - left) / (right - left) if right > left else 0.0
                return round(start + (end - start) * share)
        return self.end


def _busy(bars: Sequence[Bar]) -> list[tuple[int, int]]:
    """The times in which something ran, one after the other."""
    busy: list[tuple[int, int]] = []
    for start, end in sorted(
        (bar.started_at, max(bar.finished_at, bar.started_at)) for bar in bars
    ):
        if busy and start <= busy[-1][1]:
            busy[-1] = (busy[-1][0], max(busy[-1][1], end))
        else:
            busy.append((start, end))
    return busy
