"""A paused owner: stopped in the middle of a step, thought dead, and woken again.

While it is stopped its lock still holds, and everybody else is kept out. Then the lock is taken
away from it: by another host that does not see it, by a lock file that is removed, by a store
that is replaced, copied or deleted. Whatever a second owner then does with the thread, the first
one, woken, can write nothing and begin nothing more.

    python -m tests.faults paused [--rounds N]
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults import crowd_jobs, crowd_judge
from tests.faults.crowd_judge import BEGIN, DONE, Event
from tests.forked import Forked, ForkedRun

JOBS = Path(__file__).with_name("crowd_jobs.py")


@dataclass(frozen=True, kw_only=True)
class Pause:
    """Where in which job an owner is stopped."""

    name: str
    job: str
    hold: tuple[str, ...] = ()  # the places at which it is held when it is stopped
    flaky: str = ""  # a step whose backoff it is stopped in


_HELD: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "chain": ("chain", ("b",)),
    "fan": ("fan", crowd_jobs.FAN[1:-1]),
    "subgraph": ("nested", ("sub/one",)),
}
PAUSES = {
    pause.name: pause
    for pause in (
        *(
            Pause(name=f"{name}-{what}", job=job, hold=tuple(f"{step}:{what}" for step in steps))
            for name, (job, steps) in _HELD.items()
            for what in (BEGIN, DONE)
        ),
        Pause(name="backoff", job="chain", flaky="b"),
    )
}


class Paused:
    """An owner that is stopped, in a folder with its store ``s/d.db`` and its journal."""

    def __init__(self, forked: Forked, folder: Path, pause: Pause) -> None:
        self.forked = forked
        self.folder = folder
        self.pause = pause
        self.journal = folder / "journal"
        self.env = {
            "JOURNAL": str(self.journal),
            "HOLD": ",".join(pause.hold),
            "FLAKY": pause.flaky,
        }
        self.first = self.begin("start", f"{JOBS}:{pause.job}", "-t", "t", "--json")
        self.first.until(self._is_there)
        self.first.signal(signal.SIGSTOP)
        self.before = self.events()

    def begin(self, *args: str, store: str = "s/d.db", **env: str) -> ForkedRun:
        """A command on the store of this folder, or another."""
        return self.forked.begin("--store", store, *args, env={**self.env, **env})

    def answer(self, *args: str, store: str = "s/d.db", check: int = 0, **env: str) -> Any:
        """What a command that is run to its end answers."""
        run = self.begin(*args, "--json", store=store, **env).wait(check=check)
        return run.json

    def thread(self, store: str = "s/d.db") -> Any:
        """The thread, as ``status`` shows it."""
        return self.answer("status", "t", store=store)["data"]["thread"]

    def events(self, journal: Path | None = None) -> list[Event]:
        """What the journal says of the thread."""
        return crowd_judge.read(journal or self.journal).get("t", [])

    def let_go(self) -> None:
        """No step is held any more."""
        Path(f"{self.journal}.go").touch()

    def wake(self, *, check: int) -> str:
        """Let the first owner run on to its end; what it says."""
        self.first.signal(signal.SIGCONT)
        ended = self.first.wait(check=check)
        return ended.stdout + ended.stderr

    def judge(self, *, owners: list[int]) -> None:
        """One owner after another, nothing repeated but what was in flight, nothing lost."""
        events = self.events()
        steps, after = crowd_jobs.SHAPES[self.pause.job]
        assert owners == crowd_judge.owners(events)
        assert [] == crowd_judge.violations(events, steps=steps, after=after, fenced=owners[:-1])

    def _is_there(self) -> bool:
        events = self.events()
        if self.pause.flaky:
            return "trying again" in self.first.stderr
        # The first four of a fan-out: no more of them run at once.
        held = {tuple(place.rsplit(":", 1)) for place in self.pause.hold}
        met = [event for event in events if (event.step, event.what) in held]
        return len(met) == min(4, len(self.pause.hold))


def kept_out(paused: Paused) -> None:
    """Stopped, it lives: it is running for whoever reads, and busy for whoever resumes."""
    seen = paused.thread()
    assert ("running", paused.first.pid) == (seen["status"], seen["owner"]["pid"])
    refused = paused.answer("resume", "t", check=75)["error"]
    assert "busy" == refused["code"]
    assert str(paused.first.pid) in refused["message"]
    skipped = paused.answer("resume", "t", "--on-busy", "skip")
    assert "running" == skipped["data"]["thread"]["status"]
    waiter = paused.begin("resume", "t", "--on-busy", "wait", "--json")
    waiter.until(lambda: "waiting" in waiter.stderr)
    assert paused.before == paused.events()
    paused.let_go()
    paused.wake(check=0)
    assert "completed" == waiter.wait(check=0).thread["status"]
    assert 1 == paused.thread()["epoch"]
    paused.judge(owners=[paused.first.pid])


def another_host(paused: Paused) -> None:
    """A host that sees neither its lock nor its process takes the thread: it is fenced out."""
    second = paused.begin("resume", "t", "--json", FAULTS="be_elsewhere")
    paused.let_go()
    done = second.wait(check=0).thread
    assert ("completed", 2) == (done["status"], done["epoch"])
    _is_fenced_out(paused, second.pid, done)


def another_host_at_work(paused: Paused) -> None:
    """The same, woken while the second owner is still at work."""
    # The second is held where the first was, until the first has gone.
    second = paused.begin("resume", "t", "--json", FAULTS="be_elsewhere", FLAKY="")
    if paused.pause.hold:
        second.until(lambda: second.pid in crowd_judge.owners(paused.events()))
    else:
        second.wait(check=0)
    Path(f"{paused.journal}.go").touch()
    said = paused.wake(check=76)
    assert "ownership_lost" in said
    done = second.wait(check=0).thread
    assert done == paused.thread()
    paused.judge(owners=[paused.first.pid, second.pid])


def lock_file_removed(paused: Paused) -> None:
    """Its process is still seen: nobody gets in, whoever makes the lock file anew."""
    (paused.folder / "s" / "d.db-lock").unlink()
    kept = paused.thread()
    assert ("running", paused.first.pid) == (kept["status"], kept["owner"]["pid"])
    assert "busy" == paused.answer("resume", "t", check=75)["error"]["code"]
    # Any other job makes the file anew; nobody holds the thread's byte of that one.
    other = paused.begin("start", f"{JOBS}:chain", "-t", "other", HOLD="", FLAKY="")
    other.wait(check=0)
    kept = paused.thread()
    assert ("running", paused.first.pid) == (kept["status"], kept["owner"]["pid"])
    assert "busy" == paused.answer("resume", "t", check=75)["error"]["code"]
    assert "busy" == paused.answer("resume", "t", "--on-busy", "fail", check=75)["error"]["code"]
    second = paused.begin("resume", "t", "--take-over", "--json")
    assert -signal.SIGKILL == paused.first.wait().exit_status
    paused.let_go()
    assert 2 == second.wait(check=0).thread["epoch"]
    paused.judge(owners=[paused.first.pid, second.pid])


def folder_copied(paused: Paused) -> None:
    """A copy is another store: its threads go on by themselves, and harm the original nothing."""
    shutil.copytree(paused.folder / "s", paused.folder / "copy")
    copy, journal = "copy/d.db", paused.folder / "copy.journal"
    assert "interrupted" == paused.thread(copy)["status"]
    taken = paused.begin(
        "resume", "t", "--take-over", "--json", store=copy, JOURNAL=str(journal), HOLD=""
    )
    assert "completed" == taken.wait(check=0).thread["status"]
    kept = paused.thread()
    assert ("running", 1, paused.first.pid) == (
        kept["status"], kept["epoch"], kept["owner"]["pid"]
    )  # fmt: skip
    paused.let_go()
    paused.wake(check=0)
    assert ("completed", 1) == (paused.thread()["status"], paused.thread()["epoch"])
    assert 2 == paused.thread(copy)["epoch"]
    paused.judge(owners=[paused.first.pid])
    assert [taken.pid] == crowd_judge.owners(paused.events(journal))


def file_replaced(paused: Paused) -> None:
    """A copy put in the place of its store: it writes nothing that nobody will ever read."""
    store = paused.folder / "s" / "d.db"
    shutil.copy(store, f"{store}.new")
    os.replace(f"{store}.new", store)
    assert "busy" == paused.answer("resume", "t", check=75)["error"]["code"]
    paused.let_go()
    assert "replaced" in paused.wake(check=69)
    assert "interrupted" == paused.thread()["status"]
    last = paused.begin("resume", "t", "--json")
    assert "completed" == last.wait(check=0).thread["status"]
    paused.judge(owners=[paused.first.pid, last.pid])


def folder_replaced(paused: Paused) -> None:
    """The same with the whole folder: a second owner goes on, the first one can write nothing."""
    shutil.copytree(paused.folder / "s", paused.folder / "copy")
    (paused.folder / "s").rename(paused.folder / "old")
    (paused.folder / "copy").rename(paused.folder / "s")
    paused.let_go()
    second = paused.begin("resume", "t", "--json")
    done = second.wait(check=0).thread
    assert ("completed", 2) == (done["status"], done["epoch"])
    assert "replaced" in paused.wake(check=69)
    assert done == paused.thread()
    assert [] == list((paused.folder / "s").rglob("ended.*"))
    paused.judge(owners=[paused.first.pid, second.pid])


def folder_removed(paused: Paused) -> None:
    """The folder deleted: it begins nothing more, and makes nothing anew of it."""
    shutil.rmtree(paused.folder / "s")
    paused.let_go()
    assert "removed" in paused.wake(check=69)
    assert not (paused.folder / "s").exists()
    paused.answer("status", "t", check=66)
    pids = [paused.first.pid]
    assert pids == crowd_judge.owners(paused.events())
    assert {event.step for event in paused.before} == {event.step for event in paused.events()}
    # Whoever starts it again knows nothing of what was.
    fresh = Path(f"{paused.journal}.fresh")
    again = ("start", f"{JOBS}:{paused.pause.job}", "-t", "t")
    thread = paused.answer(*again, JOURNAL=str(fresh), HOLD="")["data"]["thread"]
    assert ("completed", 1) == (thread["status"], thread["epoch"])


def _is_fenced_out(paused: Paused, second: int, done: Any) -> None:
    said = paused.wake(check=76)
    assert "ownership_lost" in said
    assert done == paused.thread()
    paused.judge(owners=[paused.first.pid, second])


SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        kept_out,
        another_host,
        another_host_at_work,
        lock_file_removed,
        folder_copied,
        file_replaced,
        folder_replaced,
        folder_removed,
    )
}


def main(argv: list[str]) -> int:
    """Each scenario at each pause, so many times over; 1 if any went wrong."""
    parser = argparse.ArgumentParser(prog="paused", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args(argv)
    results: Counter[str] = Counter()
    for round_, scenario, pause in _all(asked.rounds):
        folder = Path(tempfile.mkdtemp(prefix="paused-"))
        (folder / "out").mkdir()
        forked = Forked(folder=folder / "out", cwd=folder)
        try:
            SCENARIOS[scenario](Paused(forked, folder, PAUSES[pause]))
            results["held"] += 1
            shutil.rmtree(folder)
        except AssertionError as error:
            results["violations"] += 1
            sys.stdout.write(f"VIOLATION {scenario} {pause}, round {round_}: {error}\n  {folder}\n")
        finally:
            forked.clear_away()
    sys.stdout.write(f"paused: {dict(results)}\n")
    return 1 if results["violations"] else 0


def _all(rounds: int) -> Iterator[tuple[int, str, str]]:
    return itertools.product(range(rounds), SCENARIOS, PAUSES)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
