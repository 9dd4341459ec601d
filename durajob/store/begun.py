"""The attempts of a thread as their logs need them, asked for again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from durajob.store import past_queries
from durajob.store.look import Look


class Begun(NamedTuple):
    """An attempt that has begun."""

    step: str
    visit: int
    attempt: int
    at: int
    running: bool


class BegunBook:
    """Which attempts of a thread may have said something since they were looked at last."""

    def __init__(self, row: int) -> None:
        """``row`` is the thread's."""
        self._row = row
        self._running: set[int] = set()
        self._end: int | None = None  # the row after the last; None before the first look

    def look(self, look: Look) -> Sequence[Begun]:
        """At first every attempt, in the order of beginning; then those that were running at the
        look before, and those that have begun since."""
        if self._end is None:
            self._end = 0
            return self._taken(look.rows(past_queries.BEGUN, (self._row,)))
        # One that only found out that it must wait is taken back, and its row's number given
        # to another: where one is gone, all after it are looked for anew.
        asked = sorted(self._running)
        marks = ", ".join("?" * len(asked))
        found = list(look.rows(past_queries.BEGUN_AGAIN.format(marks), (*asked, self._row)))
        gone = self._running - {each[0] for each in found}
        self._running -= gone
        self._end = min(gone, default=self._end)
        fresh = look.rows(past_queries.BEGUN_SINCE, (self._end, self._row))
        return self._taken({each[0]: each for each in (*found, *fresh)}.values())

    def _taken(self, rows: Any) -> list[Begun]:
        found = []
        for number, step, visit, attempt, at, status in rows:
            found.append(Begun(step, visit, attempt, at, status == "running"))
            if status == "running":
                self._running.add(number)
            else:
                self._running.discard(number)
            self._end = max(self._end or 0, number + 1)
        return found
