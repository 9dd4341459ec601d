"""The harness held against itself: with each cure taken out in turn, it must find the fault."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from durajob.store.driver import sqlite
from tests.faults import clocks, kills, paused, power
from tests.faults.cases import CASES
from tests.faults.sweep import Report
from tests.faults.trial import Trial, remove, scratch
from tests.faults.zygote import Zygote
from tests.forked import Forked

Search = Callable[[dict[str, str], int], Report]


def _kills(case: str) -> Search:
    return lambda env, sample: kills.run(cases=(case,), sample=sample, env=env)


def oversize(env: dict[str, str]) -> Report:
    """A result that SQLite refuses: nothing of its transaction may stay."""
    report, zygote, folder = Report(), Zygote(), scratch()
    try:
        # Another thread first, so that there is a store in which the refusal can be put.
        Trial(CASES["chain"], zygote, folder / "trial", thread="other").drive()
        trial = Trial(CASES["large"], zygote, folder / "trial", env=env)
        _execute(trial, _REFUSAL)
        trial.drive()
        trial.look(killed=False)
        _execute(trial, "DROP TRIGGER refusal")
        trial.env = {}
        trial.finish()
        report.faults = trial.faults
    finally:
        zygote.close()
        remove(folder)
    return report


_REFUSAL = """
CREATE TRIGGER refusal BEFORE INSERT ON results WHEN length(NEW.value) > 1000000
BEGIN SELECT hex(zeroblob(2000000000)); END"""
"""Makes SQLite say of a large result that it is too big, after the attempt was updated."""


def _execute(trial: Trial, statement: str) -> None:
    connection = sqlite.connect(trial.folder / trial.store)
    connection.execute(statement)
    connection.close()


def _pause(mutant: str) -> Report:
    """An owner without its cure is stopped, loses its thread to another host, and is woken."""
    report, folder = Report(), scratch()
    (folder / "out").mkdir()
    forked = Forked(folder=folder / "out", cwd=folder)
    os.environ["FAULTS"] = mutant  # the second owner, which is sound, gets other ones
    try:
        paused.another_host(paused.Paused(forked, folder, paused.PAUSES["chain-begin"]))
    except AssertionError as error:
        report.faults.append(str(error))
    finally:
        del os.environ["FAULTS"]
        forked.clear_away()
        remove(folder)
    return report


SEARCHES: dict[str, tuple[Search, str]] = {
    "trust_next": (_kills("lost"), "ended with 0, completed"),
    "commit_later": (_kills("chain"), "no longer said to be"),
    "order_by_id": (
        lambda env, sample: clocks.run(cases=("chain",), sample=sample, env=env),
        "which had finished",
    ),
    "commit_finally": (lambda env, sample: oversize(env), "lost: "),
    "sync_nothing": (
        lambda env, sample: power.run(cases=("chain",), sample=sample, env=env),
        "no longer said to be",
    ),
    "fence_nothing": (lambda env, sample: _pause(env["FAULT_CONTROL"]), "exit status"),
}
"""Each mutant, the part of the harness that must find it, and what that must say."""


def found(mutant: str, sample: int) -> list[str]:
    """What the harness says of durajob without one of its cures."""
    search, words = SEARCHES[mutant]
    return [one for one in search({"FAULT_CONTROL": mutant}, sample).faults if words in one]


def main(argv: list[str]) -> int:
    """Try every mutant; 1 when one of them was not found out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutant", action="append", choices=SEARCHES, help="only these (all)")
    parser.add_argument("--sample", type=int, default=20, help="calls of each case to try")
    args = parser.parse_args(argv)
    missed = 0
    for mutant in args.mutant or SEARCHES:
        faults = found(mutant, args.sample)
        missed += not faults
        verdict = f"found, {len(faults)} times; the first: {faults[0]}" if faults else "MISSED"
        print(f"{mutant}: {verdict}")  # noqa: T201 - a command's answer
    return bool(missed)
