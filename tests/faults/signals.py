"""Signals and terminals: asked to stop, once and twice, in every phase of a job.

The first SIGINT, SIGTERM or SIGHUP asks: what runs finishes, and the thread is stopped (75). A
second SIGINT or SIGTERM ends the process at once (130); a second SIGHUP asks again for the same.
Whatever came, the thread's status is true afterwards, and a resume brings it to its end with
nothing repeated. Besides the phases there are signals at random instants, from the interpreter's
own start on: there the exit status must fit what is in the store.

    python -m tests.faults signals [--rounds N] [--random N] [--seed N]
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults import crowd_jobs, crowd_judge
from tests.faults.crowd_judge import Event
from tests.forked import Forked, ForkedRun
from tests.harness import Durajob

JOBS = Path(__file__).with_name("crowd_jobs.py")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FAN = ",".join(f"{branch}:begin" for branch in crowd_jobs.FAN[1:-1])


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A job, and how one sees that it has come so far."""

    job: str = "chain"
    hold: str = ""
    flaky: str = ""
    blocks: bool = True  # whether what runs holds the stop back until it is let go
    status: str = "stopped"  # of the thread, after one signal
    end: str = "completed"  # its status when it was left alone
    begun: int = 0  # events in the journal
    said: str = ""  # on stderr
    command: tuple[str, ...] = ()  # instead of a start


ENDS = {"completed": 0, "failed": 1}
"""The exit status for each."""

PHASES: Mapping[str, Phase] = {
    "blocking step": Phase(hold="b:begin", begun=3),
    "last step": Phase(hold="d:done", begun=8, status="completed"),
    "fan-out": Phase(job="fan", hold=_FAN, begun=2 + 4),
    "subgraph": Phase(job="nested", hold="sub/one:done", begun=4),
    "compensating": Phase(job="saga", hold="b:compensate:begin", begun=7, end="failed"),
    "last compensation": Phase(
        job="saga", hold="a:compensate:done", begun=10, status="failed", end="failed"
    ),
    "backoff": Phase(flaky="b", blocks=False, said="trying again"),
    "busy": Phase(
        command=("resume", "t", "--on-busy", "wait"),
        hold="b:begin",
        blocks=False,
        said="; waiting",
        status="running",
    ),
    "seat": Phase(job="seated", blocks=False, said="max_running", status="pending"),
    "importing": Phase(hold="import", status="interrupted", command=("resume", "t")),
}


class Job:
    """A command that has come to a phase, in a folder with its store and its journal."""

    def __init__(self, forked: Forked, folder: Path, phase: Phase) -> None:
        self.forked = forked
        self.phase = phase
        self.journal = folder / "journal"
        self.env = {"JOURNAL": str(self.journal), "FLAKY": phase.flaky, "HOLD": phase.hold}
        self.other: ForkedRun | None = None
        target = phase.job if phase.job == "seated" else f"{JOBS}:{phase.job}"
        start = ("start", target, "-t", "t")
        if phase.job == "seated":
            (folder / "workflows.toml").write_text(
                f'[defaults]\nmax_running = 1\n[workflows.seated]\ngraph = "{JOBS}:chain"\n'
            )
            self.other = self._other("start", "seated", "-t", "other", HOLD="a:begin")
        elif phase.hold == "import":
            self._other(*start, HOLD="b:begin").kill()
        elif phase.command:
            self.other = self._other(*start)
        self.run = forked.begin(*(phase.command or start), "--json", env=self.env)
        self.run.until(self._is_there)

    def let_go(self) -> None:
        """Nothing is held any more."""
        Path(f"{self.journal}.go").touch()

    def signal(self, number: signal.Signals) -> None:
        """Send the command a signal, if it still runs."""
        with suppress(ProcessLookupError):
            self.run.signal(number)

    def heard(self) -> None:
        """Wait until a first signal has been taken note of."""
        self.run.until(lambda: "asked to stop" in self.run.stderr)

    def thread(self) -> Any:
        """The thread, as ``status`` shows it."""
        return self.forked.run("status", "t", "--json", env=self.env, check=0).thread

    def events(self) -> list[Event]:
        """What the journal says of the thread."""
        return crowd_judge.read(self.journal).get("t", [])

    def resume(self) -> None:
        """Whatever happened, the job goes on to its end, with nothing repeated."""
        self.let_go()
        if self.other is not None:
            self.other.wait(check=0)
        end = self.phase.end
        done = self.forked.run("resume", "t", "--json", env=self.env, check=ENDS[end])
        assert end == done.thread["status"]
        steps, after = crowd_jobs.SHAPES.get(self.phase.job, crowd_jobs.SHAPES["chain"])
        assert [] == crowd_judge.violations(self.events(), steps=steps, after=after)

    def _other(self, *args: str, **env: str) -> ForkedRun:
        run = self.forked.begin(*args, env={**self.env, **env})
        run.until(lambda: crowd_judge.read(self.journal))
        held = self.phase.begun or 1
        run.until(lambda: sum(map(len, crowd_judge.read(self.journal).values())) >= held)
        return run

    def _is_there(self) -> bool:
        if self.phase.hold == "import":
            return Path(f"{self.journal}.import").exists()
        if self.phase.said:
            return self.phase.said in self.run.stderr
        return len(self.events()) >= self.phase.begun


def once(job: Job, number: signal.Signals) -> None:
    """Asked once: nothing further begins, and the thread is where it says it is (75)."""
    phase = job.phase
    job.signal(number)
    if phase.hold == "import":
        # What it holds is users' code, which is not interrupted; then nothing is claimed.
        job.let_go()
    elif phase.blocks:
        job.heard()
        job.let_go()
    ended = job.run.wait(check=ENDS.get(phase.status, 75))
    assert "Traceback" not in ended.stdout + ended.stderr
    if phase.status not in ENDS:
        assert ended.json["error"]["code"] == "stopped"
        assert "durajob resume t" in ended.json["error"]["hint"]
    assert phase.status == job.thread()["status"]
    assert phase.job != "fan" or len(job.events()) == 2 + 2 * 4
    job.resume()


def twice(job: Job, number: signal.Signals) -> None:
    """Asked twice: at once (130), but a terminal that hangs up only asks."""
    if number is signal.SIGHUP:
        job.signal(number)
        once(job, number)
        return
    job.signal(number)
    if job.phase.blocks and job.phase.hold != "import":
        job.heard()
        job.signal(number)
    while job.run.process.is_alive():  # signals that are pending together are one
        time.sleep(0.05)
        job.signal(number)
    ended = job.run.wait()
    assert "Traceback" not in ended.stdout + ended.stderr
    if job.phase.blocks:
        assert (130, "interrupted") == (ended.exit_status, ended.json["error"]["code"])
        assert "interrupted" == job.thread()["status"]
    else:  # the first has ended it already, or all but
        assert ended.exit_status in (75, 130)
    job.resume()


TIMES: Mapping[str, Callable[[Job, signal.Signals], None]] = {"once": once, "twice": twice}


def at_random(durajob: Durajob, folder: Path, chance: random.Random) -> str:
    """A signal at any instant of the installed command's life, or two; how it ended.

    Python's own start, before a line of durajob has run, is left out: there a SIGINT is
    answered by Python.
    """
    env = {"JOURNAL": str(folder / "journal")}
    # Later, what ran before is in the store; then all that was is kept.
    run = durajob.begin("start", f"{JOBS}:chain", "-t", "t", "--json", env=env)
    time.sleep(chance.uniform(0.05, 2.5))
    sent = []
    for _ in range(chance.choice((1, 1, 2))):
        sent.append(chance.choice(SIGNALS))
        if run.process.poll() is None:
            run.signal(sent[-1])
        time.sleep(chance.choice((0, 0.001, 0.01)))
    ended = run.wait()
    text = ended.stdout + ended.stderr
    if "in <module>" in ended.stderr and "durajob.cli" not in ended.stderr:
        shown = durajob.run("status", "t", "--json", env=env, check=66)
        return "in Python's own start"
    assert "Traceback" not in text, str(ended)
    shown = durajob.run("status", "t", "--json", env=env)
    if shown.exit_status == 66:  # not admitted: nothing was written
        assert ended.exit_status in (130, -signal.SIGTERM, -signal.SIGHUP), str(ended)
        return "before admission"
    status = shown.thread["status"]
    fits = {0: ("completed",), 75: ("stopped", "pending"), 130: ("interrupted", "pending")}
    assert status in fits.get(ended.exit_status, ()), f"{status} after {sent}\n{ended}"
    durajob.run("resume", "t", env=env, check=0)
    events = crowd_judge.read(folder / "journal")["t"]
    assert [] == crowd_judge.violations(
        events, steps=crowd_jobs.CHAIN, after=crowd_jobs.AFTER_CHAIN
    )
    return f"{status} ({ended.exit_status})"


def main(argv: list[str]) -> int:
    """Every phase with every signal, once and twice, and random instants; 1 if any went wrong."""
    parser = argparse.ArgumentParser(prog="signals", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--random", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    asked = parser.parse_args(argv)
    seed = random.randrange(1 << 32) if asked.seed is None else asked.seed
    chance = random.Random(seed)
    results: Counter[str] = Counter()

    def attempt(what: str, act: Callable[[Path], str]) -> None:
        folder = Path(tempfile.mkdtemp(prefix="signals-"))
        (folder / "out").mkdir()
        try:
            results[act(folder)] += 1
            shutil.rmtree(folder)
        except AssertionError as error:
            results["violations"] += 1
            sys.stdout.write(f"VIOLATION {what}: {error}\n  {folder}\n")

    def phase(name: str, number: signal.Signals, times: str, folder: Path) -> str:
        forked = Forked(folder=folder / "out", cwd=folder)
        try:
            TIMES[times](Job(forked, folder, PHASES[name]), number)
        finally:
            forked.clear_away()
        return "phases held"

    def instant(folder: Path) -> str:
        durajob = Durajob(folder=folder / "out", cwd=folder)
        try:
            return at_random(durajob, folder, chance)
        finally:
            durajob.clear_away()

    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home
        for _ in range(asked.rounds):
            for name in PHASES:
                for number in SIGNALS:
                    for times in TIMES:
                        attempt(
                            f"{number.name} {times}, {name}",
                            lambda folder, n=name, s=number, t=times: phase(n, s, t, folder),  # type: ignore[misc]
                        )
        for _ in range(asked.random):
            attempt("at random", instant)
    sys.stdout.write(f"signals, seed {seed}: {dict(results)}\n")
    return 1 if results["violations"] else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
