"""Hundreds of threads in one store, for as long as one likes: killed, paused, stopped, out of disk.

Several workers share the store and take the threads in turn. What befalls a run is drawn at
random; a thread that has ended is judged, and another takes its place. Now and then somebody
else tries to take a thread that is driven, or lists all of them.
"""

from __future__ import annotations

import argparse
import errno
import json
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.faults.cases import CASES
from tests.faults.sweep import Report, run_side_by_side
from tests.faults.trial import Trial, remove, scratch
from tests.faults.zygote import Zygote

NAMES = ("chain", "fan", "loop", "nested", "retried", "once_only", "saga")
_BUSY, _STOPPED = 75, 75
_LATEST = 350  # a fault strikes at one of so many calls


class Soak:
    """The threads, and what came of them."""

    def __init__(self, folder: Path, *, threads: int, seed: int) -> None:
        self.report = Report()
        self.ended = 0
        self._folder = folder
        self._store = str(folder / "s" / "d.db")
        self._dice = random.Random(seed)
        self._mutex = threading.Lock()
        self._number = 0
        self._threads = threads
        self._free: list[Trial] = []

    def work(self, until: float) -> None:
        """Take threads in turn until then, and finish those that are left."""
        zygote, other = Zygote(), Zygote()
        try:
            while time.monotonic() < until:
                with self._mutex:
                    dice = random.Random(self._dice.getrandbits(64))
                    trial = self._take(zygote)
                befall = dice.choices(tuple(_FATES), tuple(_FATES.values()))[0]
                done = befall(trial, other, dice)
                thread = trial.look(killed=done.startswith("kill"))
                over = thread is not None and thread["status"] == trial.case.status
                self._note(done)
                self._put_back(trial, over=over and dice.random() < 0.9)
            while (left := self._last(zygote)) is not None:
                self._put_back(left, over=True)
        finally:
            zygote.close()
            other.close()

    def _take(self, zygote: Zygote) -> Trial:
        if len(self._free) >= self._threads:
            trial = self._free.pop(self._dice.randrange(len(self._free)))
            trial.zygote = zygote
            return trial
        self._number += 1
        case = CASES[self._dice.choice(NAMES)]
        return Trial(case, zygote, self._folder, thread=f"t{self._number:06}", store=self._store)

    def _last(self, zygote: Zygote) -> Trial | None:
        with self._mutex:
            if not self._free:
                return None
            trial = self._free.pop()
        trial.zygote = zygote
        return trial

    def _put_back(self, trial: Trial, *, over: bool) -> None:
        if over:
            trial.finish(check_store=False)
            trial.journal.path.unlink()
        with self._mutex:
            if over:
                self.ended += 1
                self.report.faults += [f"{trial.thread}: {one}" for one in trial.faults]
            else:
                self._free.append(trial)

    def _note(self, done: str) -> None:
        with self._mutex:
            self.report.tried[done] += 1


def _kill(trial: Trial, other: Zygote, dice: random.Random) -> str:
    deed = dice.choice(("before", "after", "torn"))
    _, fired = trial.drive(at=str(1 + dice.randrange(_LATEST)), do=deed)
    return "undisturbed" if fired is None else "kill"


def _fill(trial: Trial, other: Zygote, dice: random.Random) -> str:
    code = dice.choice((errno.ENOSPC, errno.EDQUOT, errno.EIO))
    many = dice.choice((1, 10, 1_000_000))
    fault = {"at": str(1 + dice.randrange(_LATEST)), "do": str(code), "for": str(many)}
    ended, fired = trial.drive(**fault)
    if ended.exit_status not in (trial.case.exit_status, 69, 74):
        trial.journal.faults.append(f"ended with {ended.exit_status}: {ended.err[-500:]}")
    return "undisturbed" if fired is None else "a call fails"


def _pause(trial: Trial, other: Zygote, dice: random.Random) -> str:
    running = trial.begin()
    time.sleep(dice.uniform(0, 0.15))
    running.signal(signal.SIGSTOP)
    epoch = _owner_of(trial, other)
    refused = other.run("resume", trial.thread, cwd=trial.folder, env=trial.own_env)
    if epoch is not None and refused.exit_status != _BUSY:
        trial.journal.faults.append(f"resumed beside its owner: {refused.exit_status}")
    is_killed = dice.random() < 0.5
    running.signal(signal.SIGKILL if is_killed else signal.SIGCONT)
    trial.end(running)
    return "kill of a paused owner" if is_killed else "pause"


def _owner_of(trial: Trial, other: Zygote) -> int | None:
    shown = other.run("status", trial.thread, "--json", cwd=trial.folder, env=trial.own_env)
    if shown.exit_status != 0:
        return None
    thread = json.loads(shown.out)["data"]["thread"]
    return thread["epoch"] if thread["status"] == "running" else None


def _stop(trial: Trial, other: Zygote, dice: random.Random) -> str:
    running = trial.begin()
    time.sleep(dice.uniform(0, 0.15))
    running.signal(dice.choice((signal.SIGTERM, signal.SIGINT, signal.SIGHUP)))
    ended, _ = trial.end(running)
    allowed = (trial.case.exit_status, _STOPPED, 130, -signal.SIGTERM, -signal.SIGHUP)
    if ended.exit_status not in allowed:
        trial.journal.faults.append(f"stopped with {ended.exit_status}: {ended.err[-500:]}")
    return "stop"


def _list(trial: Trial, other: Zygote, dice: random.Random) -> str:
    ended = other.run("list", "--limit", "1000", "--json", cwd=trial.folder, env=trial.own_env)
    if ended.exit_status != 0 or not json.loads(ended.out)["ok"]:
        trial.journal.faults.append(f"list: {ended.exit_status} {ended.out[-500:]}")
    return "list"


_FATES: dict[Callable[[Trial, Zygote, random.Random], str], int] = {
    _kill: 75,
    _fill: 12,
    _pause: 10,
    _stop: 12,
    _list: 2,
}


def run(*, minutes: float, threads: int = 200, seed: int = 1, jobs: int = 2) -> Soak:
    """Soak durajob; what was tried, and what was found."""
    folder = scratch()
    soak, began = Soak(folder, threads=threads, seed=seed), time.monotonic()
    try:
        run_side_by_side(lambda: soak.work(began + minutes * 60), jobs)
    finally:
        soak.report.seconds = time.monotonic() - began
        remove(folder)
    return soak


def main(argv: list[str]) -> int:
    """Soak from the command line; 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--threads", type=int, default=200, help="in the store at once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args(argv)
    soak = run(minutes=args.minutes, threads=args.threads, seed=args.seed, jobs=args.jobs)
    kills = Counter(soak.report.tried)["kill"] + soak.report.tried["kill of a paused owner"]
    sys.stdout.write(f"{soak.report}\n{soak.ended} threads ended, {kills} kills\n")
    return bool(soak.report.faults)
