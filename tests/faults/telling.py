"""kill -9 at every call from a thread's end to where somebody was told of it.

That a thread has completed is told by a command, which notes the event. Wherever the process is
killed, a later drive tells it, as the same event, and once: but for a kill after the command and
before it was noted that it had run, which nobody can tell from one before it.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.faults import sweep as sweeps
from tests.faults.cases import CASES as KNOWN
from tests.faults.journal import set_clock
from tests.faults.sweep import Report
from tests.faults.trial import Trial, remove, scratch
from tests.faults.zygote import Zygote

DEEDS = ("before", "after", "torn")
CASES = ("chain",)
_BEFORE_THE_END = 12  # calls: the commit that ends the thread is among those that are swept


def run(
    *,
    cases: tuple[str, ...] = CASES,
    deeds: tuple[str, ...] = DEEDS,
    sample: int | None = None,
    seed: int = 1,
    jobs: int = 1,
) -> Report:
    """Kill at each of the calls, or at a sample of them; one after the other, whatever ``jobs``."""
    report, began = Report(), time.monotonic()
    zygote, folder = Zygote(), scratch()
    try:
        for name in cases:
            plain, told = (_count(name, zygote, folder / "count", tells) for tells in (False, True))
            points = [
                (deed, at) for at in range(plain - _BEFORE_THE_END, told + 1) for deed in deeds
            ]
            if sample is not None:
                points = random.Random(seed).sample(points, sample)
            for deed, at in points:
                trial = _trial(name, zygote, folder / "trial")
                done = _kill(trial, deed, at)
                report.tried[f"{name}: {done}"] += 1
                report.faults += [f"{name} {deed} at {at}: {one}" for one in trial.faults]
                remove(folder / "trial")
    finally:
        zygote.close()
        remove(folder)
    report.seconds = time.monotonic() - began
    return report


def _kill(trial: Trial, deed: str, at: int) -> str:
    _, fired = trial.drive(at=str(at), do=deed)
    trial.look(killed=False)
    before = _kept(trial.folder / trial.store)
    trial.finish()
    # Nothing of the thread is left to be driven; another one finds what is due an hour later.
    other, clock = trial.folder / "other", trial.folder / "clock"
    other.touch()
    set_clock(clock, 3600.0)
    for thread in ("u", "v"):
        env = {"FAULT_JOURNAL": str(other), "FAULT_CLOCK": str(clock)}
        trial.command("start", trial.case.target, "-t", thread, **env)
    told = Counter((trial.folder / "told").read_text().splitlines())
    status, tries = _kept(trial.folder / trial.store)[trial.thread]
    events = {event: count for event, count in told.items() if event.split(":")[1] == "1"}
    count = sum(events.values())
    sent_before = before.get(trial.thread, ("", 0))[0] == "sent"
    if status != "sent" or len(events) != 1 or not 1 <= count <= tries <= 1 + (fired is not None):
        trial.journal.faults.append(f"told {events} in {tries} tries, and is {status}")
    if sent_before and (count, tries) != (1, 1):
        trial.journal.faults.append(f"told {count} times, though it was noted as sent")
    if count > 1:
        return "told twice, after a kill between telling and noting it"
    return "told once" if fired else "told once, undisturbed"


def _kept(store: Path) -> dict[str, tuple[str, int]]:
    """Status and tries of each thread's notification; of threads that have ended."""
    query = "SELECT thread, n.status, tries FROM notifications AS n JOIN threads AS t"
    connection = sqlite3.connect(store)
    try:
        rows: list[Any] = connection.execute(f"{query} ON t.id = thread_id").fetchall()
    finally:
        connection.close()
    return {thread: (status, tries) for thread, status, tries in rows}


def _trial(name: str, zygote: Zygote, folder: Path, tells: bool = True) -> Trial:
    trial = Trial(KNOWN[name], zygote, folder)
    if tells:
        with (folder / "workflows.toml").open("a") as file:
            file.write("[defaults.notify]\ncompleted = 'echo $DURAJOB_EVENT_ID >> told'\n")
    return trial


def _count(name: str, zygote: Zygote, folder: Path, tells: bool) -> int:
    """How many calls an undisturbed run makes."""
    try:
        _trial(name, zygote, folder, tells).drive(at="0", trace=str(folder / "calls"))
        return len((folder / "calls").read_text().splitlines())
    finally:
        remove(folder)


def main(argv: list[str]) -> int:
    """Sweep from the command line."""
    return sweeps.main(argv, __doc__, run, CASES)
