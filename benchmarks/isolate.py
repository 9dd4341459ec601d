"""Steps in processes of their own: all cores at work, and a process that is there already."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.measure import (
    DURAJOB,
    GRAPHS,
    Taken,
    environment,
    machine,
    report,
    run_for_output,
    take_turns,
    workplace,
)

_LIMIT = 0.020
"""Seconds in which a further isolated step, which does nothing, must have finished."""


def main(*, quick: bool) -> None:
    """Print both ratios."""
    with workplace() as folder:
        print(machine(folder))
        tables = [
            f'[workflows.{graph}-{width}]\ngraph = "{GRAPHS}:{graph}"\nconcurrency = {width}\n'
            f"steps.{step}.isolate = true\n"
            for graph, step, width in (("burn", "work", 1), ("burn", "work", 2), ("again", "s", 1))
        ]
        (folder / "workflows.toml").write_text("\n".join(tables))
        numbers = count()

        def burn(width: int) -> Taken:
            state = _run(folder, f"burn-{width}", next(numbers))["state"]
            # From when the first task begins: the processes are there by then.
            return Taken(wall=max(state["ended"]) - min(state["began"]))

        def again() -> Taken:
            steps = _run(folder, "again-1", next(numbers))["steps"][1:]
            return Taken(wall=sorted(step["seconds"] for step in steps)[len(steps) // 2])

        rounds = 3 if quick else 9
        taken = take_turns({"two": lambda: burn(2), "one": lambda: burn(1)}, rounds=rounds)
        report("CPU-bound fan-out, 2 at once / 1", taken["two"], taken["one"], target=1 / 1.7)
        took = take_turns({"again": again}, rounds=rounds)["again"]
        limit = [Taken(wall=_LIMIT)] * len(took)
        report("an isolated step after the first / 20 ms", took, limit, target=1)


def _run(folder: Path, workflow: str, number: int) -> dict[str, Any]:
    env = environment(folder, folder / "durajob.db")
    argv = [DURAJOB, "start", workflow, "-t", f"job-{number}", "--json", "-q"]
    thread: dict[str, Any] = json.loads(run_for_output(argv, cwd=folder, env=env)[1])["data"][
        "thread"
    ]
    return thread
