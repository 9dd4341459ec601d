"""kill -9 before, after and in the middle of every call that changes something."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from tests.faults import sweep as sweeps
from tests.faults.sweep import BEGUN_TOO, Point, Report, half_way, sweep
from tests.faults.trial import Trial

DEEDS = ("before", "after", "torn")


def kill(trial: Trial, point: Point) -> str | None:
    """Kill a run at the point, its resumes up to three times more, and let the last one finish."""
    dice = random.Random(point.seed)
    if point.begun:
        half_way(trial)
    _, fired = trial.drive(at=str(point.at), do=point.deed)
    trial.look(killed=fired is not None)
    if fired is not None:
        for _ in range(dice.choice((0, 0, 1, 1, 2, 3))):
            trial.drive(at=str(1 + dice.randrange(150)), do=dice.choice(DEEDS))
            trial.look(killed=False)
    trial.finish()
    return fired


def run(*, cases: Sequence[str] = BEGUN_TOO, **options: Any) -> Report:
    """Sweep the cases; see ``sweep``."""
    return sweep(kill, cases=cases, **{"deeds": DEEDS, **options})


def main(argv: list[str]) -> int:
    """Sweep from the command line."""
    return sweeps.main(argv, __doc__, run, BEGUN_TOO)
