"""What a job leaves in the store whose list grows by a kilobyte a step.

The limit is three times the final state and two kilobytes a step, in the store's file and its
log, when the job has ended.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.measure import DURAJOB, GRAPHS, environment, machine, missed, run, workplace


def main(*, quick: bool) -> None:
    """Print the bytes for 1,000 steps; for 300, if ``quick``."""
    steps = 300 if quick else 1_000
    with workplace() as folder:
        print(machine(folder))
        shutil.copy(GRAPHS, folder)
        store = folder / "growth.db"
        env = environment(folder, store) | {"BENCH_STEPS": str(steps)}
        argv = (DURAJOB, "start", f"./{GRAPHS.name}:growing", "-t", "t", "-q")
        taken = run(argv, cwd=folder, env=env)
        left = sum(path.stat().st_size for path in (store, Path(f"{store}-wal")) if path.exists())
        limit = 3 * 1_000 * steps + 2_000 * steps
        if left > limit:
            missed.append("growth")
        verdict = "MISSED" if left > limit else "ok"
        print(f"{steps:,} steps: {left:,} bytes (limit {limit:,}) {verdict}; {taken.wall:.1f} s")
