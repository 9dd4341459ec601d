"""What tests of bad stores and bad input share: how a refusal looks, and what was left."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from durajob.store.driver import sqlite
from tests.forked import Forked
from tests.harness import Completed

GRAPHS = Path(__file__).with_name("graphs.py")
NOBODY = 65534
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to other users")

Break = Callable[[Path], None]
"""Does something to the store at a path."""


def digests(folder: Path) -> dict[str, str]:
    """What lies in a folder; without the shared memory, which is no data."""
    found = {}
    for each in sorted(folder.rglob("*")):
        if each.is_symlink() or not each.is_file():
            found[each.name] = "link" if each.is_symlink() else "no file"
        elif not each.name.endswith("-shm") and each.stat().st_size:
            found[each.name] = hashlib.sha256(each.read_bytes()).hexdigest()
    return found


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("list",),
    ("status",),
    ("status", "t"),
    ("resume", "t"),
    ("start", f"{GRAPHS}:chain", "-t", "new"),
)


def assert_refused(completed: Completed, exit_status: int, code: str) -> None:
    """The envelope says so, and there is a way out."""
    envelope = completed.json
    said = (completed.exit_status, envelope["exit_code"], envelope["error"]["code"])
    assert (exit_status, exit_status, code) == said, str(completed)
    assert (False, None) == (envelope["ok"], envelope["data"])
    assert envelope["error"]["hint"]
    assert "Traceback" not in completed.stderr
    assert "error: " not in completed.stderr


def refused_by_all(forked: Forked, exit_status: int, code: str) -> None:
    """Every command refuses the store in the same way, in JSON and in plain words."""
    for command in COMMANDS:
        assert_refused(forked.run(*command, "--json"), exit_status, code)
    plain = forked.run("list")
    lines = plain.stderr.splitlines()
    assert (exit_status, "", 2) == (plain.exit_status, plain.stdout, len(lines)), str(plain)
    assert lines[0].startswith("error: ")
    assert lines[1].startswith("  hint: ")


def lose(*suffixes: str) -> Break:
    """Remove files of the store."""

    def lose(path: Path) -> None:
        for suffix in suffixes:
            Path(f"{path}{suffix}").unlink(missing_ok=True)

    return lose


def settle(path: Path) -> None:
    """Have the log written into the file, as the last to leave does."""
    connection = sqlite.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
