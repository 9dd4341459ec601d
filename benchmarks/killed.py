"""A fan-out of 10,000 tasks is killed when 5,000 have finished, and resumed.

How many tasks ran again, and how soon the first new one began, beside a fresh start's first.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.drive import durajob_argv, plain_argv
from benchmarks.measure import (
    DURAJOB,
    GRAPHS,
    Taken,
    environment,
    machine,
    missed,
    report,
    workplace,
)

IN_FLIGHT = 4
"""Steps that durajob runs at once, and so the most that may run again."""


def main(*, quick: bool) -> None:
    """Print how many tasks ran again, for plain LangGraph too unless it must be quick."""
    tasks = 10_000
    with workplace() as folder:
        print(machine(folder))
        shutil.copy(GRAPHS, folder)
        fresh, resumed = [], []
        for number in range(1 if quick else 3):
            store = folder / f"{number}.db"
            again, first, next_first = _kill_and_resume(
                durajob_argv("fanout"), [DURAJOB, "resume", "bench", "--json"], store, tasks
            )
            fresh.append(Taken(wall=first))
            resumed.append(Taken(wall=next_first))
            verdict = "ok" if again <= IN_FLIGHT else "MISSED"
            if again > IN_FLIGHT:
                missed.append("ran again")
            print(
                f"durajob: killed at {tasks // 2:,} of {tasks:,}: {again} ran again "
                f"(target: the {IN_FLIGHT} in flight)  {verdict}",
                flush=True,
            )
        report("first task after resume / after a fresh start", resumed, fresh, target=1.5)
        if not quick:
            store = folder / "plain.db"
            argv = plain_argv("fanout", store)
            again, _, _ = _kill_and_resume(argv, argv, store, tasks)
            print(f"plain LangGraph: killed at {tasks // 2:,} of {tasks:,}: {again:,} ran again")


def _kill_and_resume(
    start: Sequence[str], resume: Sequence[str], store: Path, tasks: int
) -> tuple[int, float, float]:
    """Tasks that ran again; seconds to the first task of the start, and of the resume."""
    log = store.with_suffix(".log")
    env = environment(store.parent, store) | {"BENCH_STEPS": str(tasks), "BENCH_LOG": str(log)}
    began = time.time_ns()
    process = subprocess.Popen(
        start, cwd=store.parent, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not log.exists() or log.read_bytes().count(b"\n") < tasks // 2:
        if process.poll() is not None:
            raise SystemExit(f"{' '.join(start)}: ended before it could be killed")
        time.sleep(0.01)
    process.kill()
    process.wait()
    before = _entries(log)
    again_at = time.time_ns()
    done = subprocess.run(resume, cwd=store.parent, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(resume)}: exit {done.returncode}\n{done.stderr}")
    entries = _entries(log)
    times_run = Counter(number for number, _ in entries)
    assert len(times_run) == tasks, f"only {len(times_run)} of {tasks} tasks ran"
    first = (min(at for _, at in before) - began) / 1e9
    next_first = (min(at for _, at in entries[len(before) :]) - again_at) / 1e9
    return sum(times_run.values()) - tasks, first, next_first


def _entries(log: Path) -> list[tuple[int, int]]:
    """Task number and time, in nanoseconds since the epoch, of every task that began."""
    lines = [line.split() for line in log.read_text().splitlines()]
    return [(int(number), int(at)) for number, at in lines]
