"""The manifest of a backup: one JSON object a line, the first about the whole, then each entry.

Nothing in it depends on when or how often the backup was interrupted: entries are sorted by
the bytes of their path, and there are no times but those of the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, cast

from durajob.examples.tree import Entry, decode, parts_of

FORMAT = "durajob-backup"
VERSION = 1
NAME = "manifest.jsonl"


def dump(source: str, entries: Sequence[Entry]) -> bytes:
    """The manifest's bytes; ``source`` is the encoded path of the tree."""
    head = {"format": FORMAT, "version": VERSION, "source": source, "entries": len(entries)}
    lines: Iterable[Any] = [head, *in_order(entries)]
    return "".join(
        json.dumps(line, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"
        for line in lines
    ).encode()


def load(data: bytes) -> list[Entry]:
    """The entries of a manifest.

    Raises:
        ValueError: when it is no manifest, not whole, or names a path outside of the tree.
    """
    try:
        head, *entries = [json.loads(line) for line in data.decode().split("\n") if line]
        known = head["format"] == FORMAT and head["version"] == VERSION
        whole = head["entries"] == len(entries)
        known = known and all(isinstance(entry["path"], str) for entry in entries)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"this is no manifest of a backup: {error}") from error
    if not known:
        raise ValueError(f"this manifest is not of version {VERSION}")
    if not whole:
        raise ValueError(f"the manifest has {len(entries)} of {head['entries']} entries")
    for entry in entries:
        parts_of(entry["path"])  # refuses what leads out of the tree
    return cast("list[Entry]", entries)


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Entries by the bytes of their path, so that a folder comes before what is in it."""
    return sorted(entries, key=lambda entry: parts_of(entry["path"]))


def problems(entries: Iterable[Entry]) -> list[str]:
    """What could not be backed up as it stood, one line each."""
    return [
        f"{entry['path']}: {entry.get('error', 'changed while it was copied')}"
        for entry in entries
        if "error" in entry or entry.get("changed")
    ]


def name_of(given: str | None) -> bytes:
    """The file name of a manifest.

    Raises:
        ValueError: when it is not a plain name of its own.
    """
    name = decode(given or NAME)
    if b"/" in name or name.startswith(b".") or name in (b"objects", b"partial"):
        raise ValueError(f"input 'manifest' is {given!r}, not a plain file name")
    return name
