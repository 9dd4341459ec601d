"""A clock that is set back, set forward, and that jumps between steps.

The wall clock of the runs is off by what a file says, and each step writes another number into
it. Durations go by the monotonic clock, and order by what was written when: neither may be
touched by that, and no step may be repeated.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from tests.faults import sweep as sweeps
from tests.faults.journal import HOURS, set_clock
from tests.faults.sweep import Point, Report, sweep
from tests.faults.trial import Trial

CASES = ("chain", "fan", "loop", "nested", "retried", "once_only", "saga")
DEEDS = ("before", "after")
_LONGEST = 60.0  # seconds that a step which does nothing can take on a busy machine


def jump(trial: Trial, point: Point) -> str | None:
    """Kill a run whose clock jumps, and one after it, and let the last one finish."""
    dice = random.Random(point.seed)
    clock = trial.folder / "clock"
    set_clock(clock, 0.0)
    trial.env = {**trial.env, "FAULT_CLOCK": str(clock), "FAULT_JUMPS": str(point.seed)}
    _, fired = trial.drive(at=str(point.at), do=point.deed)
    trial.look(killed=fired is not None)
    for _ in range(2):
        set_clock(clock, 3600.0 * dice.choice(HOURS))
        trial.drive(at=str(40 + dice.randrange(120)), do=dice.choice(DEEDS))
        trial.look(killed=False)
    set_clock(clock, 3600.0 * dice.choice(HOURS))
    trial.finish()
    thread = trial.look(killed=False)
    for step in () if thread is None else thread["steps"]:
        if step["status"] == "succeeded" and not 0 <= step["seconds"] <= _LONGEST:
            trial.journal.faults.append(f"{step['step']} took {step['seconds']} s")
    return fired


def run(*, cases: Sequence[str] = CASES, **options: Any) -> Report:
    """Sweep the cases; see ``sweep``."""
    return sweep(jump, cases=cases, **{"deeds": DEEDS, **options})


def main(argv: list[str]) -> int:
    """Sweep from the command line."""
    return sweeps.main(argv, __doc__, run, CASES)
