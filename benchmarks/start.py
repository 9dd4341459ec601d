"""What ``durajob start`` costs beside plain LangGraph, and beside ``status``."""

from __future__ import annotations

from functools import partial
from itertools import count
from pathlib import Path

from benchmarks.measure import (
    DURAJOB,
    PEERS,
    PYTHON,
    Taken,
    environment,
    machine,
    report,
    run,
    take_turns,
    workplace,
)


def main(*, quick: bool) -> None:
    """Print both ratios."""
    with workplace() as folder:
        print(machine(folder))
        store = folder / "durajob.db"
        env = environment(folder, store)
        numbers = count()

        def start() -> Taken:
            argv = [DURAJOB, "start", "durable", "-t", f"job-{next(numbers)}", "-i", "seconds:=0"]
            return run(argv, cwd=folder, env=env)

        def bare() -> Taken:
            argv = [PYTHON, str(PEERS / "durable.py"), str(folder / "bare.db"), str(next(numbers))]
            return run(argv, cwd=folder, env=env)

        taken = take_turns({"durajob": start, "bare": bare}, rounds=5 if quick else 15)
        report("start durable / bare LangGraph", taken["durajob"], taken["bare"], target=1.1)

        found = [DURAJOB, "start", "durable", "-t", "job-0", "--on-exists", "resume"]
        found += ["-i", "seconds:=0"]
        _turns_of_reads(folder, env, found, [DURAJOB, "status", "job-0"], 11 if quick else 41)


def _turns_of_reads(
    folder: Path, env: dict[str, str], found: list[str], status: list[str], rounds: int
) -> None:
    taken = take_turns(
        {
            "start": partial(run, found, cwd=folder, env=env),
            "status": partial(run, status, cwd=folder, env=env),
        },
        rounds=rounds,
    )
    report("start that finds it completed / status", taken["start"], taken["status"], target=1.1)
