"""Threads in any store: admitted once, owned by one, listed and found by all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from durajob.errors import (
    AmbiguousThread,
    Busy,
    NoStore,
    OwnershipLost,
    ThreadNotFound,
)
from durajob.model import ThreadStatus
from durajob.store.ledger import Ledger
from tests.contract.stores import (
    Kind,
    admit,
    claim,
    owned,
    place,
    put,
    run_together,
    saver_of,
    stale,
    status_of,
    steps_of,
    written,
)

# Admitting


def test_reading_creates_no_store(store: Kind, tmp_path: Path) -> None:
    """A reader of a store that is not there says so and leaves nothing behind."""
    with pytest.raises(NoStore):
        store.reader()
    assert [] == list(tmp_path.iterdir())


def test_of_two_admits_of_one_id_one_wins(store: Kind) -> None:
    """The second admit of a thread id changes nothing and says so."""
    with written(store) as one, written(store) as two:
        assert (True, False) == (admit(one, "t", input='{"a":1}'), admit(two, "t", input="{}"))
    with store.reader() as reader:
        found = reader.find("t")
    assert found is not None
    assert {"a": 1} == found.input
    assert ThreadStatus.PENDING is found.status
    assert ("a",) == found.next


def test_a_thread_admitted_between_two_looks_is_not_lost(store: Kind) -> None:
    """Who did not find a thread, and then looks whether an index has lost it, is told no."""
    with written(store) as writer:
        assert admit(writer, "t")
    with store.reader() as reader:
        reader._is_not_there("t")


def test_threads_that_admit_at_once_share_the_ids(store: Kind) -> None:
    """Of eight that admit the same twenty ids at once, each id has one winner."""
    won: list[str] = []
    with written(store):
        pass

    def rush() -> None:
        with written(store) as writer:
            won.extend(f"t{number}" for number in range(20) if admit(writer, f"t{number}"))

    run_together(rush, 8)
    assert sorted(f"t{number}" for number in range(20)) == sorted(won)


# Claiming and the fence


def test_each_claim_has_the_next_epoch(store: Kind) -> None:
    """Epochs of a thread grow by one with every claim, whoever claims."""
    epochs = []
    with written(store) as writer:
        admit(writer, "t")
    for _ in range(3):
        with written(store) as writer:
            epochs.append(claim(store, writer, "t").epoch)
    assert [1, 2, 3] == epochs


def test_a_lock_that_is_held_is_refused(store: Kind) -> None:
    """While one writer holds a thread, another is told who does; when it closes, it is free."""
    with written(store) as one, written(store) as two:
        door = owned(store, one)
        with pytest.raises(Busy, match="thread t is driven by process"):
            two.take_lock(door.row)
        one.close()
        two.take_lock(door.row)
        one = store.writer()


@pytest.mark.parametrize("status", ["completed", "cancelled"])
def test_a_thread_that_ended_for_good_is_not_claimed(store: Kind, status: str) -> None:
    """Claiming it gives no door and changes nothing."""
    with written(store) as writer:
        door = owned(store, writer)
        Ledger(door, 0).finish(status)
        with store.reader() as reader:
            row = reader.row("t")
        assert row is not None
        assert None is writer.claim(door.row, {**row, "reset": False})
    with store.reader() as reader:
        assert row == reader.row("t")


def test_a_stale_owner_writes_nothing(store: Kind) -> None:
    """Once another has claimed the thread, a write of the old owner raises and leaves no trace."""
    with written(store) as one, written(store) as two:
        old, _ = stale(store, one, two)
        ledger = Ledger(old, 0)
        for _ in range(2):  # the door stays shut
            with pytest.raises(OwnershipLost):
                ledger.begin(place())
    assert {} == steps_of(store)


def test_a_stale_owner_finishes_no_step(store: Kind) -> None:
    """A step that returns after the thread was lost has not finished: its successor runs it."""
    with written(store) as one, written(store) as two:
        door = owned(store, one)
        ledger = Ledger(door, 0)
        attempt = ledger.begin(place())
        new = claim(store, two, "t", lock=False)
        with pytest.raises(OwnershipLost):
            ledger.succeed(attempt, "msgpack", b"\x01")
        assert not Ledger(new, 0).has(place().key)
    assert {"a": ("abandoned", 1)} == steps_of(store)


def test_a_stale_owners_deferred_write_is_lost_with_it(store: Kind) -> None:
    """What was to be written later is not, and whoever writes next is told."""
    with written(store) as one, written(store) as two:
        old, _ = stale(store, one, two)
        old.write_later(lambda cursor: cursor.execute("UPDATE threads SET slot = 'stale'"))
        with pytest.raises(OwnershipLost):
            old.write(lambda cursor: None, durable=True)
    with store.reader() as reader:
        found = reader.find("t")
    assert found is not None
    assert None is found.slot


def test_a_stale_owners_checkpoint_is_not_stored(store: Kind) -> None:
    """The saver's put goes through the same fence."""
    with written(store) as one, written(store) as two:
        old, _ = stale(store, one, two)
        saver = saver_of(old)
        put(saver, {"x": 1})
        with pytest.raises(OwnershipLost):
            saver.get_tuple({"configurable": {"thread_id": "t", "checkpoint_ns": ""}})
    with store.reader() as reader:
        found = reader.find("t", whole=True)
    assert found is not None
    assert {} == found.state


# Ends, and what readers see


@pytest.mark.parametrize("status", ["completed", "failed", "stopped", "waiting"])
def test_an_end_is_seen_as_it_was_told(store: Kind, status: str) -> None:
    """The thread has the status that its owner gave it, and no owner."""
    with written(store) as writer:
        Ledger(owned(store, writer), 0).finish(status)
    with store.reader() as reader:
        found = reader.find("t")
    assert found is not None
    assert (status, None) == (found.status.value, found.owner)
    assert (status == "completed") is (found.finished_at is not None)


def test_running_and_interrupted_are_told_apart_by_the_lock(store: Kind) -> None:
    """A thread is running while its owner lives, interrupted when it is gone."""
    with written(store) as writer:
        owned(store, writer)
        admit(writer, "other")
        seen = [status_of(store)]
        with store.reader() as reader:
            counts = [reader.counts()]
    seen.append(status_of(store))
    with store.reader() as reader:
        counts.append(reader.counts())
        interrupted = [t.thread for t in reader.threads(statuses=[ThreadStatus.INTERRUPTED])]
        running = [t.thread for t in reader.threads(statuses=[ThreadStatus.RUNNING])]
    assert [ThreadStatus.RUNNING, ThreadStatus.INTERRUPTED] == seen
    assert [(1, 0, 1), (0, 1, 1)] == [
        (c[ThreadStatus.RUNNING], c[ThreadStatus.INTERRUPTED], c[ThreadStatus.PENDING])
        for c in counts
    ]
    assert (["t"], []) == (interrupted, running)


def test_an_exact_id_wins_over_prefixes(store: Kind) -> None:
    """A unique beginning names a thread; several are listed; an exact id always wins."""
    with written(store) as writer:
        for name in ("day-1", "day-10", "day-2", "night"):
            admit(writer, name)
    with store.reader() as reader:
        assert ["day-1", "day-10", "night"] == [reader.resolve(n) for n in ("day-1", "day-10", "n")]
        with pytest.raises(AmbiguousThread, match="day-1, day-10, day-2"):
            reader.resolve("day")


@pytest.mark.parametrize("name", ["", "x", "DAY", "day%", "\0", "\udcff", "\ud7ff", "\U0010ffff"])
def test_a_name_that_names_nothing(store: Kind, name: str) -> None:
    """It is not found, whatever characters it has."""
    with written(store) as writer:
        admit(writer, "day")
    with store.reader() as reader, pytest.raises(ThreadNotFound):
        reader.resolve(name)


def test_lists_are_newest_first_and_filtered(store: Kind) -> None:
    """By status, workflow and age, as many as are asked for."""
    with written(store) as writer:
        for number in range(6):
            admit(writer, f"t{number}", workflow="even" if number % 2 == 0 else "odd")
        for name in ("t1", "t4"):
            Ledger(claim(store, writer, name), 0).finish("failed")
    with store.reader() as reader:

        def names(**wanted: Any) -> str:
            return "".join(t.thread[1:] for t in reader.threads(**wanted))

        third = reader.find("t3")
        assert third is not None
        assert "543210" == names()
        assert "54" == names(limit=2)
        assert "531" == names(workflow="odd")
        assert "41" == names(statuses=[ThreadStatus.FAILED])
        assert "4" == names(statuses=[ThreadStatus.FAILED], workflow="even")
        assert "543" == names(since=third.created_at)
        assert "" == names(statuses=[ThreadStatus.CANCELLED])
        assert ["even", "odd"] == sorted(reader.workflows())


def test_input_comes_back_as_it_was_given(store: Kind) -> None:
    """Unicode, nesting and large numbers survive."""
    given = {"ключ": ["ü", "\u0000", {"n": 2**63 - 1}], "": None}
    with written(store) as writer:
        admit(writer, "t", input=json.dumps(given))
    with store.reader() as reader:
        found = reader.find("t")
    assert found is not None
    assert given == found.input
