"""How long a chain and a fan-out of steps that do nothing take, beside plain LangGraph.

The peer is plain LangGraph with SqliteSaver, ``synchronous = FULL`` and ``durability="sync"``,
on the same graph. Two ratios each: of whole processes, imports and all, and of the driving
alone (from the claim to the end, beside the time that ``invoke`` took).
"""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from itertools import count
from pathlib import Path

from benchmarks.measure import (
    DURAJOB,
    GRAPHS,
    PEERS,
    PYTHON,
    Taken,
    environment,
    machine,
    report,
    run_for_output,
    take_turns,
    workplace,
)


def main(*, quick: bool) -> None:
    """Print the ratios for a chain of 1,000 and fan-outs of 1,000 and 10,000."""
    cases = [("chain", 1_000, 0.9, 5), ("fanout", 1_000, 0.6, 5), ("fanout", 10_000, 0.4, 1)]
    with workplace() as folder:
        print(machine(folder))
        shutil.copy(GRAPHS, folder)
        for graph, steps, target, rounds in cases[:2] if quick else cases:
            sides = {side: Side(side, graph, steps, folder) for side in ("durajob", "plain")}
            whole = take_turns(
                sides, rounds=2 if quick else rounds, warm_up=0 if steps > 1_000 else 1
            )
            title = f"{graph} of {steps:,}"
            report(f"{title}, process", whole["durajob"], whole["plain"], target=target)
            report(
                f"{title}, driving",
                *(side.driving[-len(whole["plain"]) :] for side in sides.values()),
                target=target,
            )


class Side:
    """One contender on one graph: gives what its process took, keeps what its driving took."""

    def __init__(self, side: str, graph: str, steps: int, folder: Path) -> None:
        self.driving: list[Taken] = []
        self._side, self._graph, self._folder = side, graph, folder
        self._steps = steps
        self._numbers = count()

    def __call__(self) -> Taken:
        store = self._folder / f"{self._side}-{self._graph}-{next(self._numbers)}.db"
        env = environment(self._folder, store) | {"BENCH_STEPS": str(self._steps)}
        argv = (
            durajob_argv(self._graph) if self._side == "durajob" else plain_argv(self._graph, store)
        )
        taken, printed = run_for_output(argv, cwd=self._folder, env=env)
        if self._side == "durajob":
            thread = json.loads(printed)["data"]["thread"]
            assert thread["state"]["done"] == self._steps, thread["state"]
            began_at, ended_at = (
                datetime.fromisoformat(thread[key]) for key in ("started_at", "finished_at")
            )
            self.driving.append(Taken(wall=(ended_at - began_at).total_seconds()))
        else:
            self.driving.append(Taken(wall=float(printed)))
        for left in self._folder.glob(f"{store.name}*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        return taken


def durajob_argv(graph: str) -> list[str]:
    """``durajob start`` of a graph in the folder's graphs.py."""
    return [DURAJOB, "start", f"./graphs.py:{graph}", "-t", "bench", "-i", "done:=0", "--json"]


def plain_argv(graph: str, store: Path) -> list[str]:
    """The same graph driven by plain LangGraph."""
    return [
        PYTHON,
        str(PEERS / "langgraph_run.py"),
        f"{store.parent}/graphs.py:{graph}",
        str(store),
    ]
