"""A sample of each sweep; ``python -m tests.faults`` has the full forms."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import clocks, controls, fails, keeping, kills, power, telling
from tests.faults.sweep import Report

pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None and "DURAJOB_CI" not in os.environ,
    reason="the preload library needs a C compiler (cc)",
)
SEED = int(os.environ.get("FAULT_SEED", "1"))


def _is_clean(report: Report) -> None:
    assert [] == report.faults
    assert report.total > 0


def test_a_kill_at_any_call_repeats_and_loses_nothing() -> None:
    """kill -9 before, after or in the middle of a call, and again in the resumes."""
    _is_clean(kills.run(sample=1, seed=SEED))


def test_a_prune_or_an_import_that_was_killed_is_ended_by_the_next() -> None:
    """Until then each thread is there whole, or not at all, and what can run still does."""
    _is_clean(keeping.run(sample=1, seed=SEED))


def test_a_kill_after_the_end_forgets_nobody_who_is_to_be_told() -> None:
    """Wherever the process is killed between ending the thread and noting that it was told."""
    _is_clean(telling.run(sample=6, seed=SEED))


def test_a_call_that_fails_ends_the_run_and_loses_nothing() -> None:
    """ENOSPC, EIO, EDQUOT, once or from there on: 74 or 69, and a thread that goes on after."""
    _is_clean(fails.run(cases=("chain", "fan", "retried"), sample=1, seed=SEED))


def test_a_clock_that_jumps_repeats_nothing() -> None:
    """Neither steps nor durations depend on the wall clock."""
    _is_clean(clocks.run(cases=("chain", "fan"), sample=2, seed=SEED))


def test_a_power_cut_takes_back_nothing_that_finished(tmp_path: Path) -> None:
    """What was written and not synced is gone, on ext4 and on XFS."""
    # In a process of its own: it moves into a mount namespace.
    command = [sys.executable, "-m", "tests.faults", "power", "--sample", "3", "--case", "chain"]
    ended = subprocess.run(
        [*command, "--seed", str(SEED)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    if ended.returncode == power.IMPOSSIBLE:
        pytest.skip(ended.stderr)
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    assert "6 points" in ended.stdout


@pytest.mark.parametrize("mutant", ["trust_next", "commit_later", "commit_finally"])
def test_the_harness_finds_durajob_without_a_cure(mutant: str) -> None:
    """The judge can see: it finds the fault when a cure is taken out."""
    assert [] != controls.found(mutant, sample=5)
    # Without the mutant the same search is clean: see the tests above.


def test_what_the_store_refuses_leaves_nothing_behind() -> None:
    """A result that SQLite refuses half-way through its transaction is not half there."""
    assert [] == controls.oversize({}).faults
