"""Many processes at one thread or one store: one owner, nothing torn, nothing repeated."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from durajob.model import ThreadStatus
from durajob.store.ledger import Ledger
from durajob.store.locks import LockFile
from tests.contract.stores import Kind, SqliteFile, owned, written
from tests.faults import crowds
from tests.harness import DEADLINE


def run(folder: Path, *args: str) -> None:
    """Rounds of the full form, in a process that has no threads and may fork."""
    out = folder / "out"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.preload"])
    process = context.Process(target=crowds.main_to, args=(["--seed", "1", *args], out))
    process.start()
    process.join(2 * DEADLINE)
    assert 0 == process.exitcode, out.read_text()


def test_sixteen_processes_start_one_thread(tmp_path: Path) -> None:
    """One admission, one owner; the others are told, whatever their policy says."""
    run(tmp_path, "--kind", "start", "--rounds", "3")


def test_sixteen_processes_resume_one_thread(tmp_path: Path) -> None:
    """Exactly one drives it; a reader meanwhile always gets a whole answer."""
    run(tmp_path, "--kind", "resume", "--rounds", "2")


def test_eight_processes_fill_a_fresh_store(tmp_path: Path) -> None:
    """Creating, migrating and writing at once, nobody ever hears that it is locked."""
    run(tmp_path, "--kind", "fill", "--rounds", "1", "--threads", "16")


def test_kills_among_a_crowd(tmp_path: Path) -> None:
    """With owners killed at random, what is left over is resumed, and nothing repeats."""
    run(tmp_path, "--kills", "--kind", "resume", "--rounds", "2")


@pytest.mark.parametrize("look", ["find", "threads", "counts"])
def test_an_owner_that_ends_under_a_readers_eyes_is_not_called_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    """A thread was read as running, and then its lock was free: it may have come to its end."""
    store: Kind = SqliteFile(tmp_path)
    with written(store) as writer, store.reader() as reader:
        ledger = Ledger(owned(store, writer), 0)

        def end(lock: LockFile, row: int) -> bool:
            ledger.finish("completed")
            return False

        monkeypatch.setattr(LockFile, "thread_is_held", end)
        if look == "find":
            found = reader.find("t")
            seen = None if found is None else found.status
        elif look == "threads":
            (seen,) = (thread.status for thread in reader.threads())
        else:
            (seen,) = (status for status, count in reader.counts().items() if count)
    assert seen is ThreadStatus.COMPLETED
