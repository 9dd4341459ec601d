"""Stores as killed jobs left them, and what is true of them: what damage is judged against."""

from __future__ import annotations

import hashlib
import json
import os
import select
import shutil
import signal
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.faults.damages import FRAME, WAL_HEADER

GRAPHS = Path(__file__).parent.parent / "integration" / "graphs.py"
_DEADLINE = 60.0


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
    sound.commits = commits_of(folder) or 0
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


def commits_of(folder: Path) -> int | None:
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


def digests(folder: Path) -> dict[str, str]:
    """What the store's files hold; without the shared memory, which is no data."""
    return {
        each.name: hashlib.sha256(each.read_bytes()).hexdigest()
        for each in sorted((folder / "s").glob("d.db*"))
        if each.is_file() and not each.name.endswith("-shm") and each.stat().st_size
    }
