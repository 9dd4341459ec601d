"""A paused owner keeps others out; once another has the thread, it can write nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.paused import PAUSES, SCENARIOS, Paused
from tests.forked import Forked

SAMPLED = [
    ("kept_out", "chain-begin"),
    ("kept_out", "fan-done"),
    ("another_host", "chain-done"),
    ("another_host", "fan-begin"),
    ("another_host", "subgraph-done"),
    ("another_host", "backoff"),
    ("another_host_at_work", "fan-done"),
    ("another_host_at_work", "subgraph-begin"),
    ("lock_file_removed", "chain-done"),
    ("folder_copied", "fan-done"),
    ("file_replaced", "chain-begin"),
    ("folder_replaced", "subgraph-begin"),
    ("folder_removed", "fan-begin"),
    ("folder_removed", "backoff"),
]


@pytest.mark.parametrize(("scenario", "pause"), SAMPLED)
def test_a_paused_owner(forked: Forked, tmp_path: Path, scenario: str, pause: str) -> None:
    """Stopped there, it comes through this with one owner at a time and nothing repeated."""
    SCENARIOS[scenario](Paused(forked, tmp_path, PAUSES[pause]))
