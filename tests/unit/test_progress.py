"""``progress`` and ``track``: what a step says of itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, cast

import pytest

from durajob import progress, track
from durajob.model import StepProgress
from durajob.steps.context import StepContext, current


class Told:
    """A step's context that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[StepProgress] = []

    def report(self, progress: StepProgress, /) -> None:
        """Keep it."""
        self.said.append(progress)


@pytest.fixture
def told() -> Iterator[list[StepProgress]]:
    """What a running step has said."""
    context = Told()
    token = current.set(cast("StepContext", context))
    yield context.said
    current.reset(token)


def test_outside_of_a_step_the_items_are_given() -> None:
    """So that a function can be tested alone."""
    assert [1, 2, 3] == list(track(iter([1, 2, 3])))


def test_what_is_done_is_said_when_the_next_is_asked_for(told: list[StepProgress]) -> None:
    """The first at once, and the whole at the end; the total is known of what has a length."""
    seen = [(item, tuple(told)) for item in track("ab", note=lambda item: f"at {item}")]
    assert [("a", ((0, 2, "at a"),))] == seen[:1]
    assert (2, 2, None) == tuple(told[-1])


def test_a_quick_loop_says_little(told: list[StepProgress]) -> None:
    """However many turns it has."""
    for _ in track(range(100_000)):
        pass
    assert (100_000, 100_000, None) == tuple(told[-1])
    assert len(told) < 1000


def test_a_total_is_unknown_unless_it_is_said(told: list[StepProgress]) -> None:
    """A generator has no length."""
    assert [] == list(track(iter(()), note="none"))
    assert [] == list(track(iter(()), total=5))
    assert [(0, None, None), (0, 5, None)] == told


@pytest.mark.parametrize("total", [-1, math.nan, math.inf])
def test_a_total_that_is_none_is_refused_before_the_loop(total: float) -> None:
    """Not at its end."""
    with pytest.raises(ValueError, match="progress: total is"):
        track([], total=total)


def test_what_is_no_number_is_named() -> None:
    """Which of them, and what it is."""
    given: Any = "half"
    with pytest.raises(TypeError, match="progress: done is 'half', not a number"):
        progress(given)


def test_numbers_of_any_kind_can_be_stored(told: list[StepProgress]) -> None:
    """As can a note that is no text."""
    given: Any = (Decimal("1.5"), Decimal(3), 7)
    progress(*given)
    assert [(1.5, float), (3.0, float), ("7", str)] == [(each, type(each)) for each in told[0]]
