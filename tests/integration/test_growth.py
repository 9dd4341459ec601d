"""A thread's place in the store grows with its state, and not with its square."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.forked import Forked

GROWING = Path(__file__).with_name("growing.py")


def on_disk(store: Path) -> int:
    """Bytes of the store's file and of its log."""
    return sum(path.stat().st_size for path in (store, Path(f"{store}-wal")) if path.exists())


def asked(store: Path, query: str) -> list[Any]:
    """What the store says."""
    with closing(sqlite3.connect(store)) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("graph", ["growing", "inside"])
def test_a_list_that_grows_does_not_fill_the_disk(
    graph: str, forked: Forked, tmp_path: Path
) -> None:
    """With a kilobyte more at each of n steps there remain at most three times the final state
    and two kilobytes a step, also where that goes on in a subgraph."""
    steps, store = 200, tmp_path / "s.db"
    env = {"DURAJOB_STORE": str(store)}
    forked.run("start", f"{GROWING}:{graph}", "-t", "s", env={**env, "GROW": "1"}, check=0)
    empty = on_disk(store)
    forked.run("start", f"{GROWING}:{graph}", "-t", "t", env={**env, "GROW": str(steps)}, check=0)
    final = steps * 1_000
    assert on_disk(store) - empty <= 3 * final + 2_000 * steps
    assert [] == asked(store, "SELECT * FROM checkpoints WHERE checkpoint_ns <> ''")


def test_a_thread_whose_checkpoints_were_thinned_is_resumed(forked: Forked, tmp_path: Path) -> None:
    """Killed when most of its checkpoints are gone, it goes on at the step that had not
    finished, and what an earlier owner has left is thinned as well."""
    store = tmp_path / "s.db"
    env = {"GROW": "120", "KILL": "90", "DURAJOB_STORE": str(store)}
    assert -9 == forked.run("start", f"{GROWING}:growing", "-t", "t", env=env).exit_status
    assert 5 < len(asked(store, "SELECT * FROM checkpoints")) < 60
    done = forked.run("resume", "t", "--json", env=env, check=0).thread
    assert [f"{number:06}".ljust(1_000, "x") for number in range(120)] == done["state"]["items"]
    sizes = [size for (size,) in asked(store, "SELECT length(checkpoint) FROM checkpoints")]
    assert sum(sizes[:-1]) < 600_000
    assert 120 == len(asked(store, "SELECT * FROM attempts WHERE status = 'succeeded'"))
