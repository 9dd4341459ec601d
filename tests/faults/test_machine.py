"""A short walk of the state machine; ``python -m tests.faults machine`` goes on."""

from __future__ import annotations

from tests.faults.machine import explore


def test_random_commands_and_faults_break_no_promise() -> None:
    """Starts, kills, failing calls and cancels in random order agree with the model."""
    explore(examples=4, steps=6, shorten=False)
