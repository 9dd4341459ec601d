"""Which spent checkpoints are kept."""

from __future__ import annotations

from itertools import pairwise

from durajob.store.spent import Kept, budget, too_many


def left(sizes: list[int], allowed: int) -> list[int]:
    """The supersteps that are kept of checkpoints of these sizes."""
    kept = [Kept(str(number), number, size) for number, size in enumerate(sizes)]
    gone = too_many(kept, allowed)
    return [each.superstep for each in kept if each.id not in gone]


def test_the_first_and_the_last_stay() -> None:
    """Where all began, and what the latest step began with, are kept before any other."""
    assert [0, 9] == left([10] * 10, 25)
    assert [9] == left([10] * 10, 5)


def test_the_older_the_sparser() -> None:
    """Of equal ones, those that are kept lie the wider apart, the longer ago they are."""
    kept = left([10] * 1000, 400)
    gaps = [after - before for before, after in pairwise(kept)]
    assert 25 <= len(kept) <= 40
    assert gaps[-3:] == [1, 1, 1]
    assert max(gaps[:5]) > 50 > max(gaps[-10:])


def test_a_few_small_ones_are_kept_rather_than_a_large_one() -> None:
    """What would leave no room for others goes first."""
    assert [0, 1, 2, 4] == left([10, 10, 10, 100, 100], 150)


def test_what_spent_checkpoints_may_take_grows_with_state_and_steps() -> None:
    """As much as the latest and a kilobyte a step, and half a megabyte in any case."""
    assert 500_000 == budget(Kept("a", 10, 1_000))
    assert 1_001_000_000 == budget(Kept("a", 1_000, 1_000_000_000))
