"""``restore``: what ``backup`` kept, back in an empty folder, every file checked as it is written.

    durajob start restore -i target=/mnt/disk/photos -i to=Photos.back

Contents, names, modes, times and symbolic links come back, and owners when root restores.
Folders get their modes and times last, so that read-only ones can be filled.

Inputs:
    target: the folder that holds the backup.
    to: the folder to restore into; made if need be, and empty if it is there.
    manifest: the name of the manifest (manifest.jsonl).

In the state, ``summary`` says what was restored, and how much was never backed up.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import Any, TypedDict

from durajob import Workflow, progress
from durajob.examples import manifest, objects
from durajob.examples.backup import MAX_BRANCHES, place, shared_out
from durajob.examples.inputs import text
from durajob.examples.tree import Entry, decode, encode, open_folder, open_top, parts_of


class Restore(TypedDict, total=False):
    target: str
    to: str
    manifest: str
    store: str  # the target and the folder to restore into as absolute paths, encoded
    top: str
    folders: list[Entry]
    files: list[list[Entry]]
    links: list[Entry]
    summary: dict[str, Any]


workflow = Workflow("restore", Restore, description="a backup, back in an empty folder")


@workflow.step
def read_manifest(state: Restore) -> Restore:
    store, top = place(state, "target"), place(state, "to")
    name = manifest.name_of(text(state, "manifest"))
    with open(os.path.join(store, name), "rb") as file:
        entries = manifest.load(file.read())
    with suppress(FileNotFoundError):
        if os.listdir(top):
            raise OSError(errno.ENOTEMPTY, "the folder to restore into is not empty", encode(top))
    folders = [entry for entry in entries if entry["type"] == "folder"]
    files = [entry for entry in entries if entry["type"] == "file" and "sha256" in entry]
    links = [entry for entry in entries if entry["type"] == "link"]
    return {
        "store": encode(store),
        "top": encode(top),
        "folders": folders,
        "files": shared_out(files, MAX_BRANCHES),
        "links": links,
        "summary": {
            "files": len(files),
            "bytes": sum(entry["size"] for entry in files),
            "folders": len(folders),
            "links": len(links),
            "never_backed_up": len(manifest.problems(entries)),
        },
    }


@workflow.step
def make_folders(state: Restore) -> None:
    os.makedirs(decode(state["top"]), mode=0o700, exist_ok=True)
    with open_top(decode(state["top"])) as top:
        for entry in state["folders"]:
            *above, name = parts_of(entry["path"]) or (b"",)
            with open_folder(top, above) as folder:
                if name:
                    with suppress(FileExistsError):  # made before a crash
                        os.mkdir(name, 0o700, dir_fd=folder)
                os.fsync(folder)


@workflow.map(over="files", share=["top", "store"])
def write_files(entries: list[Entry], places: Restore) -> None:
    with open_top(decode(places["top"])) as top:
        for number, entry in enumerate(entries):
            progress(number, len(entries), entry["path"])
            _write_file(top, entry, decode(places["store"]))


@workflow.step
def make_links(state: Restore) -> None:
    with open_top(decode(state["top"])) as top:
        for entry in state["links"]:
            *above, name = parts_of(entry["path"])
            with open_folder(top, above) as folder:
                with suppress(FileNotFoundError):  # made before a crash
                    os.unlink(name, dir_fd=folder)
                os.symlink(decode(entry["target"]), name, dir_fd=folder)
                if os.geteuid() == 0:
                    os.chown(name, entry["uid"], entry["gid"], dir_fd=folder, follow_symlinks=False)
                times = (entry["mtime_ns"], entry["mtime_ns"])
                os.utime(name, ns=times, dir_fd=folder, follow_symlinks=False)
                os.fsync(folder)


@workflow.step
def settle_folders(state: Restore) -> Restore:
    """Give folders their modes and times, the deepest first: each is left for good then."""
    with open_top(decode(state["top"])) as top:
        for entry in state["folders"]:
            # Run again after a crash, some are closed already; from the top down they open.
            *above, name = parts_of(entry["path"]) or (b".",)
            with open_folder(top, above) as folder:
                os.chmod(name, 0o700, dir_fd=folder)
        for entry in reversed(state["folders"]):
            with open_folder(top, parts_of(entry["path"])) as folder:
                _settle(folder, entry)
    # What is no longer needed leaves the state, which is stored anew after every step.
    return {"folders": [], "files": [], "links": []}


def _write_file(top: int, entry: Entry, store: bytes) -> None:
    *above, name = parts_of(entry["path"])
    source = os.open(objects.object_path(store, entry["sha256"]), os.O_RDONLY | os.O_CLOEXEC)
    try:
        with open_folder(top, above) as folder:
            with suppress(FileNotFoundError):  # begun before a crash
                os.unlink(name, dir_fd=folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(name, flags, 0o600, dir_fd=folder)
            try:
                if objects.copy(source, descriptor) != (entry["sha256"], entry["size"]):
                    raise OSError(errno.EIO, "the backup's copy is damaged", entry["path"])
                _settle(descriptor, entry)
            finally:
                os.close(descriptor)
            os.fsync(folder)
    finally:
        os.close(source)


def _settle(descriptor: int, entry: Entry) -> None:
    if "mode" not in entry:
        return
    if os.geteuid() == 0:
        os.chown(descriptor, entry["uid"], entry["gid"])
    mode = entry["mode"]
    if os.fstat(descriptor).st_uid != entry["uid"]:
        mode &= ~(stat.S_ISUID | stat.S_ISGID)  # it would lend out another user's rights
    os.chmod(descriptor, mode)
    os.utime(descriptor, ns=(entry["mtime_ns"], entry["mtime_ns"]))
    os.fsync(descriptor)
