"""kill -9 at each call of ``prune`` and ``import``: what stays is whole, the next one ends it."""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from tests.faults.cases import CASES
from tests.faults.kills import DEEDS
from tests.faults.sweep import Report
from tests.faults.trial import Trial, remove, scratch
from tests.faults.zygote import Ended, Zygote

STORE = "s/d.db"
COMMANDS = {
    "prune": ("prune", "--yes"),
    "import": ("--store", "o/d.db", "import", "x", "--on-exists", "skip"),
}


def run(*, sample: int | None = None, seed: int = 1) -> Report:
    """Kill each command at each call, or at a sample of them."""
    report, dice, began = Report(), random.Random(seed), time.monotonic()
    zygote, folder = Zygote(), scratch()
    try:
        _prepare(folder / "template", zygote)
        for name in COMMANDS:
            calls = _count(folder, name, zygote)
            for deed in DEEDS:
                points = range(1, calls + 1)
                for at in points if sample is None else dice.sample(points, min(sample, calls)):
                    found = _try(folder, name, deed, at, zygote)
                    report.tried[f"{name}: {deed}"] += 1
                    report.faults += [f"{name} {deed} at {at}: {fault}" for fault in found]
    finally:
        zygote.close()
        remove(folder)
    report.seconds = time.monotonic() - began
    return report


def _prepare(folder: Path, zygote: Zygote) -> None:
    """A store with threads that have ended, one that was killed, and an export of them all."""
    for number in range(3):
        trial = Trial(CASES["chain"], zygote, folder, thread=f"done{number}")
        trial.drive(at="0", trace=str(folder / f"calls{number}"))
    calls = len((folder / "calls2").read_text().splitlines())
    Trial(CASES["chain"], zygote, folder, thread="living").drive(at=str(calls // 2), do="before")
    for row in range(1, 5):
        (folder / f"{STORE}-work" / str(row)).mkdir(parents=True)
        (folder / f"{STORE}-work" / str(row) / "file").write_text("x" * 5000)
    ended = _command(folder, zygote, "export", "--all", "-o", "x")
    assert ended.exit_status == 0, ended
    (folder / "o").mkdir()


def _try(folder: Path, name: str, deed: str, at: int, zygote: Zygote) -> list[str]:
    place, faults = folder / "trial", list[str]()
    shutil.copytree(folder / "template", place, symlinks=True)
    log = place / "fired"
    env = {"FAULT_AT": str(at), "FAULT_DO": deed, "FAULT_LOG": str(log)}
    _command(place, zygote, *COMMANDS[name], **env)
    store = STORE if name == "prune" else "o/d.db"

    def look(*args: str, expected: int = 0) -> Ended:
        ended = _command(place, zygote, "--store", store, *args)
        if ended.exit_status != expected:
            faults.append(f"{args} gives {ended.exit_status}: {ended.out[-500:]}{ended.err[-500:]}")
        return ended

    if (place / store).exists() and _threads(place / store):
        look("doctor", "--no-definitions")
        look("list")
        for thread in _threads(place / store):
            look("status", thread)
    look(*COMMANDS[name][-2:] if name == "prune" else COMMANDS[name][2:])
    wanted = {"living"} if name == "prune" else {"done0", "done1", "done2", "living"}
    if name == "import":
        look("prune", "--yes", "--older-than", "1d")  # what the killed one had begun
    found = _threads(place / store)
    if found != wanted:
        faults.append(f"there are {found}")
    if name == "prune" and (left := _orphans(place / store)):
        faults.append(f"left behind: {left}")
    said = look("doctor", "--no-definitions").out
    if "belongs to no thread" in said or "that belong" in said:
        faults.append(said)
    look("resume", "living")
    state = json.loads(look("status", "living", "--json").out)["data"]["thread"]["state"]
    if state != CASES["chain"].state:
        faults.append(f"its state is {state}")
    remove(place)
    return faults


def _count(folder: Path, name: str, zygote: Zygote) -> int:
    place = folder / "trial"
    shutil.copytree(folder / "template", place, symlinks=True)
    calls = place / "calls"
    ended = _command(place, zygote, *COMMANDS[name], FAULT_AT="0", FAULT_TRACE=str(calls))
    assert ended.exit_status == 0, ended
    count = len(calls.read_text().splitlines())
    remove(place)
    return count


def _command(folder: Path, zygote: Zygote, *args: str, **env: str) -> Ended:
    own = {
        "DURAJOB_FILE": str(folder / "workflows.toml"),
        "DURAJOB_STORE": STORE,
        "FAULT_JOURNAL": str(folder / "journal.living"),
        "FAULT_RUN": "1",
    }
    return zygote.run(*args, cwd=folder, env={**own, **env})


def _threads(store: Path) -> set[str]:
    with closing(sqlite3.connect(store)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
            return set()  # it was just about to be made
        return {thread for (thread,) in connection.execute("SELECT thread FROM threads")}


def _orphans(store: Path) -> Counter[str]:
    """Rows of threads that are gone."""
    found: Counter[str] = Counter()
    with closing(sqlite3.connect(store)) as connection:
        ids = {each for row in connection.execute("SELECT id, thread FROM threads") for each in row}
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        for (table,) in tables.fetchall():
            columns = {column[1] for column in connection.execute(f"PRAGMA table_info({table})")}
            if "thread_id" in columns:
                rows = connection.execute(f"SELECT thread_id FROM {table}").fetchall()
                found[table] = sum(row not in ids for (row,) in rows)
    return +found


def main(argv: list[str]) -> int:
    """Sweep from the command line; 1 when there was a violation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, help="calls of each command to try (all)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    report = run(sample=args.sample, seed=args.seed)
    print(report)  # noqa: T201 - a command's answer
    return bool(report.faults)
