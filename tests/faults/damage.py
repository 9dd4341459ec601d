"""Damage: bytes of a store are flipped, cut off, swapped, lost; then durajob is asked.

    python -m tests.faults.damage --count 2000 --seed 1 --jobs 2
    python -m tests.faults.damage --seed 1 --only 17

Each case takes a store as killed jobs left it, damages it, and runs ``status``, ``list``,
``status THREAD``, ``doctor`` and ``resume THREAD`` in processes of their own. Each must say what
the sound store says, or that the store cannot be used; a resume that goes on must end as it
would have ended, and run no step that had finished. The judge's file is outside of durajob.
A case is made by its seed and its number alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import select
import shutil
import signal
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from tests import preload  # noqa: F401 - LangGraph is imported once, not in each process
from tests.faults.damages import DAMAGES, FRAME, WAL_HEADER, Target

GRAPHS = Path(__file__).parent.parent / "integration" / "graphs.py"
REFUSED = (69, 74, 77)
_DEADLINE = 60.0
_STEPS = {"t": [*"abcd"], "f": ["plan", *(f"work{i}" for i in range(12)), "collect"], "old": []}


class Ran(NamedTuple):
    """A command that has ended."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)["data"]


def run(folder: Path, *commands: Sequence[str], die: str = "") -> list[Ran]:
    """Run durajob in a forked process, the commands one after the other."""
    pid = os.fork()
    if pid == 0:
        _child(folder, commands, die)
    ended = _wait(pid)
    done = []
    for index in range(len(commands)):
        texts = [
            each.read_text(errors="surrogateescape") if each.exists() else ""
            for each in (folder / f"{kind}{index}" for kind in ("out", "err", "status"))
        ]
        done.append(Ran(int(texts[2]) if texts[2] else ended, *texts[:2]))
        for kind in ("out", "err", "status"):
            (folder / f"{kind}{index}").unlink(missing_ok=True)
    return done


def _child(folder: Path, commands: Sequence[Sequence[str]], die: str) -> None:
    try:
        from durajob.cli import main

        os.environ |= {"DURAJOB_STORE": "s/d.db", "EFFECTS": str(folder / "effects"), "DIE": die}
        os.environ["HOME"] = str(folder)
        os.chdir(folder)
        for index, command in enumerate(commands):
            for kind, fd in (("out", 1), ("err", 2)):
                opened = os.open(folder / f"{kind}{index}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(opened, fd)
                os.close(opened)
            sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - while it runs
            sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
            sys.stderr = os.fdopen(os.dup(2), "w", encoding="utf-8")
            sys.argv = ["durajob", *command]
            status = main()
            sys.stdout.flush()
            sys.stderr.flush()
            (folder / f"status{index}").write_text(str(status))
    finally:
        os._exit(70)


def _wait(pid: int) -> int:
    """Its exit status; -9 for one that hung and was killed."""
    watched = os.pidfd_open(pid)
    if not select.select([watched], [], [], _DEADLINE)[0]:
        os.kill(pid, signal.SIGKILL)
    os.close(watched)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


# Sound stores, and what is true of them.


@dataclass(kw_only=True)
class Sound:
    """A store as killed jobs left it, and what the commands may say of it."""

    folder: Path
    older: Path  # the same store before t and f were started
    threads: tuple[str, ...]
    truths: dict[tuple[str, ...], list[Any]] = field(default_factory=dict)
    past: dict[tuple[str, ...], Any] = field(default_factory=dict)  # what ``older`` said
    ends: dict[str, Any] = field(default_factory=dict)
    commits: int = 0
    finished: set[str] = field(default_factory=set)


def make_sound(base: Path, *, large: bool) -> list[Sound]:
    """Small and large stores, with the log and without."""
    made = []
    for name, size in (("small", 0), *((("large", 30_000),) if large else ())):
        for settled in (False, True):
            folder = base / f"{name}{'-settled' if settled else ''}"
            made.append(_make(folder, size, settled))
    return made


def _make(folder: Path, size: int, settled: bool) -> Sound:
    folder.mkdir()
    (folder / "input").write_text(json.dumps({"n": 12, "path": "x" * size}))
    start = ("start", "--input-file", "input", "-t")
    threads = ["old", "t", "f"]
    loops = ["old", *(f"more{i}" for i in range(6 if size else 0))]
    for name in loops:
        assert run(folder, ("start", f"{GRAPHS}:loop", "-i", "n:=2", "-t", name))[0].status == 0
    if size:
        grown = ("start", f"{GRAPHS}:growing", "-i", "n:=5", "-t", "grown")
        assert run(folder, grown)[0].status == 0
    shutil.copytree(folder / "s", folder / "older")
    for name, graph, die in (("t", "chain", "c:after"), ("f", "fan", "work8:after")):
        assert run(folder, (*start, name, f"{GRAPHS}:{graph}"), die=die)[0].status == -9
    if settled:
        settle(folder / "s" / "d.db")
    assert settled or (folder / "s" / "d.db-wal").stat().st_size > 0
    sound = Sound(folder=folder, older=folder / "older", threads=tuple(threads))
    sound.commits = _commits(folder) or 0
    _find_truths(sound)
    return sound


def settle(path: Path) -> None:
    """Have the log written into the file, as the last to leave does."""
    from durajob.store.driver import sqlite

    connection = sqlite.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def reads(sound: Sound) -> list[tuple[str, ...]]:
    """The commands that only read."""
    return [("list",), ("status",), *(("status", thread) for thread in sound.threads)]


def _find_truths(sound: Sound) -> None:
    """What may be said: of the store as it is, and without the commits at its end that were
    not durable, and that a power cut may take."""
    with copied(sound, "past") as folder:
        shutil.rmtree(folder / "s")
        (folder / "older").rename(folder / "s")
        for command in reads(sound)[:2]:
            sound.past[command] = essence(run(folder, (*command, "--json"))[0])
    for number, prefix in enumerate(_prefixes(sound.folder)):
        with copied(sound, f"prefix{number}") as folder:
            wal = folder / "s" / "d.db-wal"
            if prefix is not None:
                os.truncate(wal, prefix)
            said = run(folder, *((*each, "--json") for each in reads(sound)))
            if any(each.status for each in said):
                break
            for command, each in zip(reads(sound), said, strict=True):
                known = sound.truths.setdefault(command, [])
                if (shown := essence(each)) not in known:
                    known.append(shown)
    assert sound.truths
    for thread in sound.threads:
        with copied(sound, "end") as folder:
            sound.ends[thread] = run(folder, ("resume", thread, "--json"))[0].data["thread"][
                "state"
            ]
        # A commit returned for sure where its count stands in the lock file.
        sound.finished |= set.intersection(
            *(
                {step.replace("[", "").replace("]", "") for step, _ in truth["steps"]}
                for truth in sound.truths[("status", thread)]
            )
        )


def _prefixes(folder: Path) -> Iterator[int | None]:
    yield None
    wal = folder / "s" / "d.db-wal"
    data = wal.read_bytes() if wal.exists() else b""
    commits = [
        start + FRAME
        for start in range(WAL_HEADER, len(data) - FRAME + 1, FRAME)
        if struct.unpack_from(">I", data, start + 4)[0]
    ]
    yield from reversed(commits)


class copied:
    """A copy of a sound store, gone in the end."""

    def __init__(self, sound: Sound, name: str) -> None:
        self._sound = sound
        self.folder = sound.folder.parent / f"{sound.folder.name}.{name}"

    def __enter__(self) -> Path:
        shutil.copytree(self._sound.folder, self.folder)
        return self.folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)


def essence(ran: Ran) -> Any:
    """What a command says that people act on; numbers and times apart (``details``)."""
    data = ran.data
    if "thread" in data:
        thread = data["thread"]
        steps = sorted(
            (step["step"], step["status"])
            for step in thread["steps"]
            if step["status"] in ("succeeded", "skipped")
        )
        return {**_essence(thread), "state": thread["state"], "steps": steps}
    return {**{key: data[key] for key in ("counts",) if key in data}} | {
        "threads": [_essence(thread) for thread in data["threads"]]
    }


def _essence(thread: Mapping[str, Any]) -> dict[str, Any]:
    return {key: thread[key] for key in ("thread", "workflow", "status", "next", "input")}


# The judge.


class Case(NamedTuple):
    """A case and what came of it; ``wrong`` is empty where all promises held."""

    number: int
    kind: str
    told: str
    outcome: str
    wrong: list[str]


def try_case(number: int, seed: int, stores: Sequence[Sound]) -> Case:
    """Make the damage of this number, run the commands, judge."""
    rng = Random(f"{seed}:{number}")
    sound = rng.choice(stores)
    damage = rng.choices(list(DAMAGES), list(DAMAGES.values()))[0]
    thread = rng.choices(sound.threads, (1, 4, 4))[0]
    with copied(sound, str(number)) as folder:
        logs = [each.folder / "s" / "d.db-wal" for each in stores if each is not sound]
        logs = [each for each in logs if each.exists()]
        told = damage(Target(folder, sound.older, logs, rng))
        same = digests(folder) == digests(sound.folder)
        try:
            if _is_beyond_noticing(folder, sound):
                return Case(number, damage.__name__, told, "older, no lock file", _survives(folder))
            # A page that was whole once is sound in itself: a list may then be an older one.
            past = sound.past if "as it was before" in told else {}
            outcome, wrong = _judge(folder, sound, thread, past)
        except Exception as error:
            outcome, wrong = "not judged", [repr(error)]
    if same:
        outcome = "nothing changed"
    return Case(number, damage.__name__, f"{sound.folder.name}: {told}", outcome, wrong)


def _judge(
    folder: Path, sound: Sound, thread: str, past: Mapping[tuple[str, ...], Any]
) -> tuple[str, list[str]]:
    wrong: list[str] = []
    before = digests(folder)
    commands = [*reads(sound), ("doctor", "--no-definitions")]
    said = run(folder, *((*each, "--json") for each in commands))
    refused = 0
    for command, each in zip(commands, said, strict=True):
        name = " ".join(command)
        if each.status in REFUSED:
            refused += 1
        elif each.status != 0:
            wrong.append(f"{name} ended with {each.status}: {each.out[:300]}")
        elif command[0] != "doctor" and essence(each) not in (
            *sound.truths[command],
            past.get(command),
        ):
            wrong.append(f"{name} says {_difference(essence(each), sound.truths[command][0])}")
        if "Traceback" in each.err:
            wrong.append(f"{name}: {each.err[-600:]}")
    if digests(folder) != before:
        wrong.append("a command that reads has changed the store")
    doctor = said[-1].status
    if refused and doctor == 0:
        wrong.append("doctor finds nothing")
    resumed, went_on = _judge_resume(folder, sound, thread, wrong)
    if resumed in REFUSED and doctor == 0:
        wrong.append(f"resume is refused ({resumed}), but doctor finds nothing")
    if resumed in REFUSED and not went_on and digests(folder) != before:
        wrong.append(f"resume was refused ({resumed}), but has changed the store")
    if resumed in REFUSED:
        return "resume noticed it" if went_on or not refused else "all refused", wrong
    if refused == 0:
        return "all went on", wrong
    return "doctor alone noticed it" if refused == 1 and doctor else "some refused", wrong


def _is_beyond_noticing(folder: Path, sound: Sound) -> bool:
    """Whether the store is an older one, and the lock file, which alone could tell, is lost or
    says nothing. That is also how a person says that an older copy is meant."""
    lock = folder / "s" / "d.db-lock"
    if lock.exists() and any(lock.read_bytes()):
        return False
    commits = _commits(folder)
    return commits is not None and commits < sound.commits


def _commits(folder: Path) -> int | None:
    """The store's own count of durable commits, where that can be read."""
    from durajob.store.driver import FAILURES, sqlite

    copy = folder.parent / f"{folder.name}.commits"
    shutil.copytree(folder / "s", copy)
    connection = sqlite.connect(copy / "d.db")
    try:
        found = connection.execute("SELECT value FROM meta WHERE key = 'commits'").fetchone()
    except FAILURES:
        return None
    finally:
        connection.close()
        shutil.rmtree(copy)
    return found[0] if found and type(found[0]) is int else None


def _survives(folder: Path) -> list[str]:
    """What is wrong if no more is asked than that each command ends as commands end."""
    commands = [("list",), ("status",), ("doctor", "--no-definitions"), ("resume", "t")]
    said = run(folder, *((*each, "--json") for each in commands))
    return [
        f"{' '.join(command)} ended with {each.status}: {each.err[-600:]}"
        for command, each in zip(commands, said, strict=True)
        if each.status not in (0, 66, *REFUSED) or "Traceback" in each.err
    ]


def _judge_resume(
    folder: Path, sound: Sound, thread: str, wrong: list[str]
) -> tuple[int, list[str]]:
    past = _lines(folder)
    done = run(folder, ("resume", thread, "--json"))[0]
    new = _lines(folder)[len(past) :]
    again = [line for line in new if line in sound.finished or line.startswith("poll")]
    if again:
        wrong.append(f"resume ran again what had finished: {again}")
    if "Traceback" in done.err:
        wrong.append(f"resume: {done.err[-600:]}")
    if done.status == 0:
        ended = done.data["thread"]
        if (ended["status"], ended["state"]) != ("completed", sound.ends[thread]):
            wrong.append(f"resume ended with {json.dumps(ended)[:600]}")
        lacking = [step for step in _STEPS[thread] if step not in past + new]
        if lacking or len(new) != len(set(new)):
            wrong.append(f"resume ran {new}, and never {lacking}")
    elif done.status not in REFUSED:
        wrong.append(f"resume ended with {done.status}: {done.out[-500:]}")
    return done.status, new


def _difference(said: Any, true: Any) -> str:
    if isinstance(said, dict) and isinstance(true, dict):
        parts = {key: said.get(key) for key in true if said.get(key) != true[key]}
        return f"{json.dumps(parts)[:400]}, not {json.dumps({k: true[k] for k in parts})[:400]}"
    return f"{said}, not {true}"[:800]


def _lines(folder: Path) -> list[str]:
    effects = folder / "effects"
    return effects.read_text().split() if effects.exists() else []


def digests(folder: Path) -> dict[str, str]:
    """What the store's files hold; without the shared memory, which is no data."""
    return {
        each.name: hashlib.sha256(each.read_bytes()).hexdigest()
        for each in sorted((folder / "s").glob("d.db*"))
        if each.is_file() and not each.name.endswith("-shm") and each.stat().st_size
    }


# The command.


def main(argv: Sequence[str]) -> int:
    """Try cases, print what came of them by outcome; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="damage", description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", type=int)
    parser.add_argument("--small", action="store_true", help="leave the large stores out")
    options = parser.parse_args(argv)
    numbers = range(options.count) if options.only is None else [options.only]
    with tempfile.TemporaryDirectory(prefix="damage") as base:
        stores = make_sound(Path(base), large=not options.small)
        cases = list(_all(numbers, options.seed, options.jobs, stores, Path(base)))
    for case in cases:
        if case.wrong or options.only is not None:
            print(f"{case.number} {case.kind}: {case.told}: {case.outcome}")  # noqa: T201
            print("".join(f"    {each}\n" for each in case.wrong), end="")  # noqa: T201
    _print_table(cases)
    return 1 if any(case.wrong for case in cases) else 0


def _all(
    numbers: Sequence[int], seed: int, jobs: int, stores: Sequence[Sound], base: Path
) -> Iterator[Case]:
    workers = []
    for worker in range(jobs):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                with open(base / f"cases{worker}", "w", encoding="utf-8") as file:
                    for number in numbers[worker::jobs]:
                        case = try_case(number, seed, stores)
                        file.write(json.dumps(case) + "\n")
                        if case.wrong:
                            print(case, file=sys.stderr, flush=True)  # noqa: T201 - at once
                status = 0
            finally:
                if status:
                    import traceback

                    traceback.print_exc()
                os._exit(status)
        workers.append(pid)
    ended = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in workers]
    assert not any(ended), f"workers ended with {ended}"
    for worker in range(jobs):
        for line in (base / f"cases{worker}").read_text(encoding="utf-8").splitlines():
            yield Case(*json.loads(line))


def _print_table(cases: Sequence[Case]) -> None:
    outcomes = Counter((case.kind, case.outcome) for case in cases)
    titles = sorted({case.outcome for case in cases})
    rows = [["", *titles, "broken promises"]]
    for kind in [*sorted({case.kind for case in cases}), "all"]:
        chosen = [case for case in cases if kind in (case.kind, "all")]
        counts = [
            sum(n for (k, o), n in outcomes.items() if o == title and kind in (k, "all"))
            for title in titles
        ]
        rows.append([kind, *map(str, counts), str(sum(bool(case.wrong) for case in chosen))])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        line = "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        print(line)  # noqa: T201
    print(f"{len(cases)} damages, {sum(bool(case.wrong) for case in cases)} broken promises")  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
