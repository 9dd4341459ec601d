"""Crowds: many processes at one thread, or at one store, at once.

A round is one of three: 16 processes start the same thread id; 16 resume one interrupted
thread; 8 drive the threads of one fresh store. A reader asks ``list`` and ``status`` all the
while, and what it was told is compared with what it was told before. The processes are forked
from this one, with their imports made, and begin all at the same instant.

    python -m tests.faults crowds --rounds 1000 [--kills] [--seed N]
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tests.preload  # noqa: F401 - so that what is forked begins at once
from tests.docs.test_json import check
from tests.faults import crowd_jobs, crowd_judge
from tests.faults.crowd_judge import Readings
from tests.harness import Completed

JOBS = Path(__file__).with_name("crowd_jobs.py")
_PATIENCE = 120.0  # seconds within which a command must have ended
_START, _RESUME, _FILL = _KINDS = ("start", "resume", "fill")


def main(argv: list[str]) -> int:
    """Run so many rounds; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="crowds", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--kind", choices=_KINDS, help="only rounds of this kind")
    parser.add_argument("--threads", type=int, default=200, help="threads that fill a store")
    parser.add_argument("--kills", action="store_true", help="kill some processes at random")
    parser.add_argument("--seed", type=int, default=None)
    asked = parser.parse_args(argv)
    seed = random.randrange(1 << 32) if asked.seed is None else asked.seed
    kinds = [asked.kind] if asked.kind else [_START, _RESUME]
    _say(f"crowds: {asked.rounds} rounds, seed {seed}")

    gc.freeze()
    folder = Path(tempfile.mkdtemp(prefix="crowds-"))
    crowds = _Crowds(folder, random.Random(seed), kills=asked.kills)
    began = time.monotonic()
    for number in range(asked.rounds):
        fills = asked.kind is None and number % 100 == 0
        kind = _FILL if fills else kinds[number % len(kinds)]
        crowds.round(number, kind, asked.threads)
        if number % 100 == 99:
            _say(f"  {number + 1} rounds, {crowds.tally()}")
    _say(f"{asked.rounds} rounds in {time.monotonic() - began:.0f} s: {crowds.tally()}")
    for violation in crowds.violations[:100]:
        _say(f"VIOLATION {violation}")
    if not crowds.violations:
        shutil.rmtree(folder)
    else:
        _say(f"what they left is in {folder}")
    return 1 if crowds.violations else 0


def main_to(argv: list[str], out: Path) -> None:
    """The same as a process of its own, with what it prints kept in a file."""
    with out.open("w", encoding="utf-8") as sys.stdout:
        sys.exit(main(argv))


@dataclass(kw_only=True)
class _Process:
    """A command that was forked, and how it ended."""

    args: tuple[str, ...]
    pid: int
    output: Path
    began: float = field(default_factory=time.monotonic)
    killed: bool = False
    status: int | None = None

    @property
    def printed(self) -> str:
        """What is on its standard output."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    @property
    def said(self) -> str:
        """All that it printed, there and on standard error."""
        errors = self.output.with_suffix(".err")
        return self.printed + (errors.read_text(errors="replace") if errors.exists() else "")


class _Crowds:
    """The rounds, and what was found in them."""

    def __init__(self, folder: Path, chance: random.Random, *, kills: bool) -> None:
        self.violations: list[str] = []
        self._folder = folder
        self._chance = chance
        self._kills = kills
        self._counts: Counter[str] = Counter()

    def tally(self) -> str:
        """What was done, in numbers."""
        counts = ", ".join(f"{number} {what}" for what, number in sorted(self._counts.items()))
        return f"{counts}, {len(self.violations)} violations"

    def round(self, number: int, kind: str, threads: int) -> None:
        """One round in a folder of its own."""
        folder = self._folder / str(number)
        folder.mkdir()
        if kind == _FILL:
            _Round(self, folder, f"round {number}").fill(threads)
        elif kind == _START:
            _Round(self, folder, f"round {number}").start()
        else:
            _Round(self, folder, f"round {number}").resume()
        self.count(f"{kind} rounds")
        if not any(text.startswith(f"round {number}:") for text in self.violations):
            shutil.rmtree(folder)

    def count(self, what: str, by: int = 1) -> None:
        """Add to the figures."""
        self._counts[what] += by

    @property
    def chance(self) -> random.Random:
        return self._chance

    @property
    def kills(self) -> bool:
        return self._kills


class _Round:
    def __init__(self, crowds: _Crowds, folder: Path, name: str) -> None:
        self._crowds = crowds
        self._folder = folder
        self._name = name
        self._number = 0
        self._env = {
            "DURAJOB_STORE": str(folder / "s" / "d.db"),
            "JOURNAL": str(folder / "journal"),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PATH": os.environ.get("PATH", ""),
        }

    # The three kinds.

    def start(self) -> None:
        """16 processes start one thread id: one admits it, one drives it."""
        policy = self._crowds.chance.choice(("fail", "resume", "skip"))
        # A store that is there takes away the race to make it; both are worth having.
        if self._crowds.chance.random() < 0.5:
            self._end(self._fork("start", f"{JOBS}:chain", "-t", "before", "--json"))
        args = ("start", f"{JOBS}:chain", "-t", "t", "--on-exists", policy, "--json")
        runs = self._together([args] * 16)
        allowed = {"fail": {0, 73}, "resume": {0, 75}, "skip": {0}}[policy]
        self._check_statuses(runs, allowed)
        drove = [run for run in runs if run.status == 0]
        if policy == "fail" and not self._crowds.kills and len(drove) != 1:
            self._found(f"{len(drove)} processes admitted the thread")
        self._finish("t", epoch=1)
        self._judge("t", self._events())

    def resume(self) -> None:
        """16 processes resume one thread that was interrupted: one drives it."""
        where = self._crowds.chance.choice(("a:done", "b:begin", "c:done", "d:begin"))
        first = self._fork("start", f"{JOBS}:chain", "-t", "t", env={"HOLD": where})
        step, _, what = where.partition(":")
        self._until(lambda: any(
            (event.step, event.what) == (step, what) for event in self._events().get("t", ())
        ))  # fmt: skip
        self._kill(first)
        self._end(first)
        on_busy = self._crowds.chance.choice(("fail", "skip", "wait"))
        command = ("resume", "t", "--on-busy", on_busy, "--json")
        runs = self._together([command] * 16, dead_epochs=1)
        self._check_statuses(runs, {"fail": {0, 75}, "skip": {0}, "wait": {0}}[on_busy])
        self._finish("t", epoch=2)
        self._judge("t", self._events())

    def fill(self, threads: int) -> None:
        """8 processes at a time, each driving one of many threads, in a store made by them."""
        names = [f"t{number}" for number in range(threads)]
        left = [("start", f"{JOBS}:chain", "-t", name, "--json") for name in names]
        runs = self._together(left, at_once=8, watched=names)
        self._check_statuses(runs, {0})
        if self._crowds.kills:
            for name in names:
                self._finish(name, epoch=1)
        events = self._events()
        for name in names:
            self._judge(name, events)
        shown = self._answer("list", "--limit", str(threads + 1), "--json")
        listed = {thread["thread"] for thread in (shown or {"threads": []})["threads"]}
        if listed != set(names):
            self._found(f"{len(set(names) - listed)} threads are not in the list")
        owned = {thread["epoch"] for thread in (shown or {"threads": []})["threads"]}
        if owned != {1} and not self._crowds.kills:
            self._found(f"threads had {owned} owners")

    # What they are made of.

    def _together(
        self,
        commands: Sequence[tuple[str, ...]],
        *,
        at_once: int | None = None,
        watched: Sequence[str] = ("t",),
        dead_epochs: float = 0,
    ) -> list[_Process]:
        """Run the commands, that many at a time, while a reader reads; when all have ended."""
        readings = Readings(dead_epochs=math.inf if self._crowds.kills else dead_epochs)
        width = at_once or len(commands)
        gate_out, gate_in = os.pipe()
        running = [self._fork(*args, gate=(gate_out, gate_in)) for args in commands[:width]]
        waiting = list(commands[width:])
        ended: list[_Process] = []
        os.close(gate_out)
        os.close(gate_in)  # they all begin now
        turn = 0
        reader: _Process | None = None
        while running or waiting:
            while waiting and len(running) < width:
                running.append(self._fork(*waiting.pop(0)))
            for run in [run for run in running if self._ended(run)]:
                running.remove(run)
                ended.append(run)
            if reader is None:
                turn += 1
                one = ("status", self._crowds.chance.choice(watched))
                reader = self._fork(*(("list",) if turn % 2 else one), "--json")
            elif self._ended(reader):
                self._took(readings, reader)
                reader = None
            if self._crowds.kills and running and self._crowds.chance.random() < 0.01:
                self._kill(self._crowds.chance.choice(running))
            time.sleep(0.001)
        if reader is not None:
            self._end(reader)
            self._took(readings, reader)
        self._crowds.count("readings", readings.count)
        for violation in readings.violations:
            self._found(f"the reader: {violation}")
        return ended

    def _took(self, readings: Readings, reader: _Process) -> None:
        """What a reader was told."""
        answer = self._envelope(reader)
        if answer is None:
            return
        if reader.args[0] == "list":
            whole = len(answer["data"]["threads"]) < 50
            readings.take(answer["data"]["threads"], all_of_them=whole)
        elif answer["data"] is not None:
            readings.take([answer["data"]["thread"]], all_of_them=False)
        elif answer["exit_code"] != 66:
            self._found(f"a reader ended with {answer['exit_code']}: {answer['error']}")

    def _answer(self, *args: str) -> dict[str, Any] | None:
        process = self._fork(*args)
        self._end(process)
        envelope = self._envelope(process)
        return None if envelope is None else envelope["data"]

    def _envelope(self, process: _Process) -> dict[str, Any] | None:
        said = Completed(
            args=process.args,
            exit_status=process.status or 0,
            stdout=process.printed,
            stderr=process.said.removeprefix(process.printed),
        )
        try:
            check(said)
        except AssertionError as error:
            self._found(str(error))
            return None
        return said.json

    def _check_statuses(self, runs: Sequence[_Process], allowed: set[int]) -> None:
        for run in runs:
            if not run.killed and run.status not in allowed:
                self._found(f"{' '.join(run.args)} ended with {run.status}: {run.said}")
            if "locked" in run.said or "Traceback" in run.said:
                self._found(f"{' '.join(run.args)} said: {run.said}")

    def _finish(self, thread: str, *, epoch: int) -> None:
        """Where killed processes left the thread unfinished, resume it.

        Where none was killed it has had ``epoch`` owners.
        """
        answer = self._answer("status", thread, "--json")
        if answer is None:
            if self._crowds.kills:  # killed before it was admitted
                self._end(self._fork("start", f"{JOBS}:chain", "-t", thread, "--json"))
            else:
                self._found(f"thread {thread} is not there")
        elif answer["thread"]["status"] != "completed":
            if not self._crowds.kills:
                self._found(f"{thread} is {answer['thread']['status']} after all have ended")
            last = self._fork("resume", thread, "--json")
            self._end(last)
            if last.status != 0:
                self._found(f"{thread} cannot be resumed: {last.said}")
        elif answer["thread"]["epoch"] != epoch and not self._crowds.kills:
            self._found(f"{thread} has had {answer['thread']['epoch']} owners")

    def _judge(self, thread: str, events: Mapping[str, list[crowd_judge.Event]]) -> None:
        self._crowds.count("threads judged")
        for violation in crowd_judge.violations(
            events.get(thread, []), steps=crowd_jobs.CHAIN, after=crowd_jobs.AFTER_CHAIN
        ):
            self._found(f"{thread}: {violation}")

    def _events(self) -> dict[str, list[crowd_judge.Event]]:
        return crowd_judge.read(self._folder / "journal")

    def _found(self, what: str) -> None:
        self._crowds.violations.append(f"{self._name}: {what[:2000]}")

    # Processes.

    def _fork(
        self,
        *args: str,
        env: dict[str, str] | None = None,
        gate: tuple[int, int] | None = None,
    ) -> _Process:
        self._number += 1
        output = self._folder / f"out{self._number}"
        self._crowds.count("processes")
        pid = os.fork()
        if pid:
            return _Process(args=args, pid=pid, output=output)
        status = 70
        try:
            if gate is not None:
                os.close(gate[1])
                os.read(gate[0], 1)
                os.close(gate[0])
            _become(args, {**self._env, **(env or {})}, output, self._folder)
            from durajob.cli import main as durajob

            status = durajob()
        finally:
            os._exit(status)

    def _kill(self, run: _Process) -> None:
        run.killed = True
        self._crowds.count("kills")
        with suppress(ProcessLookupError):
            os.kill(run.pid, signal.SIGKILL)

    def _ended(self, run: _Process) -> bool:
        if run.status is None:
            pid, status = os.waitpid(run.pid, os.WNOHANG)
            if pid:
                run.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() - run.began > _PATIENCE:
                self._found(f"{' '.join(run.args)} did not end: {run.said}")
                self._kill(run)
                run.began = time.monotonic()
        return run.status is not None

    def _end(self, run: _Process) -> None:
        self._until(lambda: self._ended(run))

    def _until(self, predicate: Callable[[], bool]) -> None:
        end = time.monotonic() + 2 * _PATIENCE
        while not predicate():
            assert time.monotonic() < end, f"{self._name}: stuck"
            time.sleep(0.002)


def _become(args: Sequence[str], env: dict[str, str], output: Path, folder: Path) -> None:
    """Make this forked process one that runs the command ``args``."""
    writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, path, flags in (
        (0, Path(os.devnull), os.O_RDONLY),
        (1, output, writing),
        (2, output.with_suffix(".err"), writing),
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
    sys.argv = ["durajob", *args]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
