"""A sample of the year of ticks: the full form is ``python -m tests.faults ticks``."""

from __future__ import annotations

import os
import shutil
from datetime import date
from pathlib import Path

import pytest

from tests.faults.ticks import simulate


@pytest.mark.parametrize("day", ["2026-03-07", "2026-03-28", "2026-04-04", "2026-10-24"])
def test_every_slot_is_accounted_for_once(tmp_path: Path, day: str) -> None:
    """Ticks that die, hours without any, and clocks that jump lose no slot and repeat none."""
    first = date.fromisoformat(day)
    counts = simulate(tmp_path, first=first, days=3, seed=first.toordinal())
    assert counts["started"] > 100


@pytest.mark.skipif(
    shutil.which("cc") is None and "DURAJOB_CI" not in os.environ,
    reason="the preload library needs a C compiler (cc)",
)
def test_ticks_that_are_killed_and_overlap_account_for_every_slot_once(tmp_path: Path) -> None:
    """Processes of their own, killed before, after or in the middle of any call."""
    day = date(2026, 10, 24)
    counts = simulate(tmp_path, first=day, days=1, seed=7, processes=0.2)
    assert counts["killed processes"] > 10
    assert counts["processes beside others"] > 10
