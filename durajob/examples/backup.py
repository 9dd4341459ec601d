"""``backup``: copies a tree of files into a content-addressed store, and proves every copy.

    durajob start backup -t photos -i source=Photos -i target=/mnt/disk/photos
    durajob resume photos                                    # after a crash, wherever it was
    durajob start restore -i target=/mnt/disk/photos -i to=Photos.back

scan finds what there is, copy is one branch a file, verify reads every object back, and the
manifest is written last, whole. Each finished branch is kept, so a resumed backup copies no
finished file again, and what it writes is what an undisturbed run would have written.

Symbolic links are kept as links, sockets, pipes and devices are listed but not kept. What
cannot be read is listed with the reason, everything else is backed up, and the last step fails.

Inputs:
    source: the folder to back up.
    target: the folder to keep it in; made if need be. Several backups may share one.
    manifest: the name of the manifest in it (manifest.jsonl); another name keeps an older one.
    allow_unreadable: do not fail on files that could not be read or kept changing.

In the state, ``summary`` says what was backed up, and lists the first problems.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict, TypeVar

from durajob import Workflow, progress
from durajob.examples import manifest, objects
from durajob.examples.inputs import flag, text
from durajob.examples.tree import (
    Entry,
    Unreadable,
    decode,
    describe,
    encode,
    open_file,
    open_top,
    parts_of,
    walk,
)

MAX_BRANCHES = 10_000
"""A branch costs about a millisecond and a place in the state; more files share branches."""
VERIFY_BYTES = 64 * 1024 * 1024
VERIFY_OBJECTS = 200
TRIES = 3
"""How often a file is copied that changes while it is copied."""
SLOW_BYTES = 4 * 1024 * 1024
SHOWN = 20

T = TypeVar("T")


class Object(TypedDict):
    """An object to verify, and a file that it can be made from again."""

    sha256: str
    size: int
    path: str


class Backup(TypedDict, total=False):
    source: str
    target: str
    manifest: str
    allow_unreadable: bool
    top: str  # the source and the target as absolute paths, encoded
    store: str
    files: list[list[str]]
    entries: list[Entry]
    copied: list[list[Entry]] | None
    objects: list[list[Object]]
    summary: dict[str, Any]


class BackupIncomplete(Exception):
    """Some files could not be backed up as they stood; all others were."""


workflow = Workflow("backup", Backup, description="a folder into a content-addressed store")


@workflow.step
def scan(state: Backup) -> Backup:
    source, target = place(state, "source"), place(state, "target")
    manifest.name_of(text(state, "manifest"))
    flag(state, "allow_unreadable")
    if not os.path.isdir(source):
        raise NotADirectoryError(f"source {encode(source)} is not a folder")
    if source == target or source.startswith(os.path.join(target, b"")):
        raise ValueError(f"source {encode(source)} lies in target {encode(target)}")
    objects.prepare(target)
    about = os.stat(target)
    files: list[str] = []
    entries: list[Entry] = []
    with open_top(source) as top:
        for entry in walk(top, leave_out=(about.st_dev, about.st_ino)):
            if entry["type"] == "file" and "error" not in entry:
                files.append(entry["path"])
            else:
                entries.append(entry)
            progress(len(files) + len(entries), note="found")
    files.sort(key=parts_of)
    return {
        "top": encode(source),
        "store": encode(target),
        "files": shared_out(files, MAX_BRANCHES),
        "entries": entries,
    }


@workflow.map(over="files", collect="copied", share=["top", "store"])
def copy(paths: list[str], places: Backup) -> list[Entry]:
    with open_top(decode(places["top"])) as top:
        return [back_up(top, path, decode(places["store"])) for path in paths]


@workflow.step
def index(state: Backup) -> Backup:
    copied = [entry for some in state.get("copied") or [] for entry in some]
    each = {
        entry["sha256"]: Object(sha256=entry["sha256"], size=entry["size"], path=entry["path"])
        for entry in copied
        if "sha256" in entry
    }
    # What is no longer needed leaves the state, which is stored anew after every step.
    return {
        "files": [],
        "copied": None,
        "entries": manifest.in_order([*state["entries"], *copied]),
        "objects": _packed(each.values()),
    }


@workflow.map(over="objects", share=["top", "store"])
def verify(some: list[Object], places: Backup) -> None:
    """Read objects back; one that is damaged is made again as long as its file is the same."""
    store = decode(places["store"])
    for number, each in enumerate(some):
        progress(number, len(some), each["path"])
        if objects.is_whole(store, each["sha256"], each["size"]):
            continue
        with open_top(decode(places["top"])) as top:
            entry = back_up(top, each["path"], store, again=True)
        if entry.get("sha256") != each["sha256"] or not objects.is_whole(
            store, each["sha256"], each["size"]
        ):
            raise OSError(f"the copy of {each['path']} does not read back as it was written")


@workflow.step
def write_manifest(state: Backup) -> Backup:
    store, entries = decode(state["store"]), state["entries"]
    name = manifest.name_of(text(state, "manifest"))
    objects.write_whole(store, name, manifest.dump(state["top"], entries))
    objects.sweep(store)
    problems = manifest.problems(entries)
    return {
        "entries": [],
        "objects": [],
        "summary": {
            "manifest": encode(os.path.join(store, name)),
            "files": sum("sha256" in entry for entry in entries),
            "bytes": sum(entry["size"] for entry in entries if "sha256" in entry),
            "folders": sum(entry["type"] == "folder" for entry in entries),
            "links": sum(entry["type"] == "link" for entry in entries),
            "skipped": sum(entry["type"] == "skipped" for entry in entries),
            "problems": len(problems),
            "first_problems": problems[:SHOWN],
        },
    }


@workflow.step
def report(state: Backup) -> None:
    count, first = state["summary"]["problems"], state["summary"]["first_problems"]
    if count and not flag(state, "allow_unreadable"):
        more = f" and {count - 3} more" if count > 3 else ""
        raise BackupIncomplete(
            f"{count} of the files could not be backed up as they stood ({'; '.join(first[:3])}"
            f"{more}); all others were: put it right and back up again into the same target, "
            "or say allow_unreadable=true"
        )


def back_up(top: int, path: str, store: bytes, *, again: bool = False) -> Entry:
    """Keep one file; returns its entry, with an error in it when it cannot be read.

    Raises:
        OSError: when the store cannot be written.
    """
    parts = parts_of(path)
    entry: Entry = {"type": "file", "path": path}
    for _ in range(TRIES):
        try:
            with open_file(top, parts) as descriptor:
                before = os.fstat(descriptor)
                entry = describe(parts, before)
                entry["sha256"], entry["size"] = objects.keep(
                    descriptor, store, report=_reporter(path, before.st_size), again=again
                )
                after = os.fstat(descriptor)
        except Unreadable as error:
            return {"type": "file", "path": path, "error": str(error)}
        if entry["size"] == before.st_size == after.st_size and (
            before.st_mtime_ns == after.st_mtime_ns
        ):
            return entry
    return {**entry, "changed": True}


def place(state: Mapping[str, Any], key: str) -> bytes:
    """The absolute path that an input names.

    Raises:
        ValueError: when the input is missing.
    """
    given = text(state, key)
    if given is None:
        raise ValueError(f"the input {key!r} is missing")
    return os.path.realpath(os.fsencode(given))


def shared_out(items: Sequence[T], most: int) -> list[list[T]]:
    """The items in at most so many lists of the same length."""
    length = max(1, -(-len(items) // most))
    return [list(items[start : start + length]) for start in range(0, len(items), length)]


def _reporter(path: str, size: int) -> objects.Report:
    """Tells how far a large file is; it is read twice."""
    done = 0

    def report(count: int) -> None:
        nonlocal done
        done += count
        if size >= SLOW_BYTES:
            progress(min(done, 2 * size), 2 * size, path)

    return report


def _packed(items: Iterable[Object]) -> list[list[Object]]:
    """Lists of objects, each about as much work as the others."""
    packs: list[list[Object]] = []
    room = 0
    for item in items:
        if room <= 0 or len(packs[-1]) == VERIFY_OBJECTS:
            packs.append([])
            room = VERIFY_BYTES
        packs[-1].append(item)
        room -= item["size"]
    return packs
