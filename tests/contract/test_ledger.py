"""Writes to any store: what shares a commit, what a step leaves, what the next owner finds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from durajob.errors import (
    Busy,
    DurajobError,
    StorageError,
    StoreDamaged,
)
from durajob.model import AttemptStatus, StepError, StepProgress, ThreadStatus
from durajob.store import queries
from durajob.store.ledger import Ledger, Undo
from tests.contract.stores import (
    Kind,
    claim,
    owned,
    place,
    put,
    run_together,
    saver_of,
    status_of,
    steps_of,
    written,
)

# Group commit


def test_all_that_write_at_once_are_durable(store: Kind) -> None:
    """Many threads through one door: whatever returned is there for the next owner."""
    with written(store) as writer:
        ledger = Ledger(owned(store, writer), 0)
        numbers = iter(range(200))

        def work() -> None:
            for number in numbers:
                attempt = ledger.begin(place(f"s{number}"))
                ledger.succeed(attempt, "msgpack", bytes([number]))

        run_together(work, 8)
    with written(store) as writer:
        again = Ledger(claim(store, writer, "t"), 0)
        for number in range(200):
            assert ("msgpack", bytes([number])) == again.recall(f"1:s{number}")
    assert {("succeeded", 1)} == set(steps_of(store).values())


def test_a_bad_operation_does_not_take_the_others_down(store: Kind) -> None:
    """Of many that share a commit, the one that fails is told, and only it fails."""
    failed, written_rows = [], []
    with written(store) as writer:
        door = owned(store, writer)
        mutex, names = threading.Lock(), iter(range(80))

        def work() -> None:
            while True:
                with mutex:
                    number = next(names, None)
                if number is None:
                    return
                try:
                    written_rows.append(door.write(operation(number), durable=True))
                except ZeroDivisionError:
                    failed.append(number)

        def operation(number: int) -> Callable[[Any], int]:
            def insert(cursor: Any) -> int:
                cursor.execute(queries.KEEP_RESULT, (door.row, "", f"k{number}", "null", b"", 0))
                return number if number % 10 else 1 // 0

            return insert

        run_together(work, 8)
        keys = Ledger(door, 0)
        assert list(range(0, 80, 10)) == sorted(failed)
        assert [n for n in range(80) if n % 10] == sorted(written_rows)
        assert {n for n in range(80) if n % 10} == {n for n in range(80) if keys.has(f"k{n}")}


def test_a_deferred_operation_that_fails_breaks_the_door(store: Kind) -> None:
    """What comes after builds on it: nothing more is written, and each writer is told."""
    with written(store) as writer:
        door = owned(store, writer)
        ledger = Ledger(door, 0)
        door.write_later(lambda cursor: cursor.execute("INSERT INTO nothing VALUES (1)"))
        for _ in range(2):
            with pytest.raises(DurajobError):
                ledger.begin(place())
    assert {} == steps_of(store)


def test_deferred_operations_come_first(store: Kind) -> None:
    """They are run in order, ahead of what the next transaction is for."""
    order: list[int] = []
    with written(store) as writer:
        door = owned(store, writer)
        for number in (1, 2):
            door.write_later(partial(lambda number, cursor: order.append(number), number))
        assert [] == order
        door.write(lambda cursor: order.append(3), durable=False)
    assert [1, 2, 3] == order


def test_a_shut_door_stays_shut(store: Kind) -> None:
    """The first reason given is the one that is told."""
    with written(store) as writer:
        door = owned(store, writer)
        door.shut(Busy("first"))
        door.shut(Busy("second"))
        with pytest.raises(Busy, match="first"):
            door.write(lambda cursor: None, durable=True)


# The ledger


def test_a_finished_step_is_recalled_by_the_next_owner(store: Kind) -> None:
    """Its result comes back as it was stored; one that did not finish does not."""
    with written(store) as writer:
        ledger = Ledger(owned(store, writer), 0)
        ledger.succeed(ledger.begin(place("a")), "msgpack", b"\x81")
        ledger.begin(place("b"))
    with written(store) as writer:
        again = Ledger(claim(store, writer, "t"), 0)
        assert (True, False) == (again.has("1:a"), again.has("1:b"))
        assert ("msgpack", b"\x81") == again.recall("1:a")
    assert {"a": ("succeeded", 1), "b": ("abandoned", 1)} == steps_of(store)


def test_attempts_are_numbered_across_owners(store: Kind) -> None:
    """Attempts of a place count on from process to process, and so do the due times."""
    error = StepError(step="a", type="OSError", message="no", attempt=2)
    numbers = []
    with written(store) as writer:
        ledger = Ledger(owned(store, writer), 0)
        numbers.append(ledger.begin(place()).number)
    with written(store) as writer:
        ledger = Ledger(claim(store, writer, "t"), 0)
        attempt = ledger.begin(place())
        numbers.append(attempt.number)
        ledger.fail(attempt, AttemptStatus.FAILED, error, "trace", 60.0)
    with written(store) as writer:
        ledger = Ledger(claim(store, writer, "t"), 0)
        past = ledger.past(place())
        assert past.due_at is not None
        numbers.append(ledger.begin(place()).number)
    assert [1, 2, 3] == numbers
    assert (2, 1, 0) == (past.attempts, past.visit, past.spent)
    assert {"a": ("abandoned", 3)} == steps_of(store)


def test_a_final_failure_spends_the_attempts_before_it(store: Kind) -> None:
    """After a failure for good, retries are counted anew, attempts are not."""
    error = StepError(step="a", type="OSError", message="no", attempt=1)
    with written(store) as writer:
        ledger = Ledger(owned(store, writer), 0)
        ledger.fail(ledger.begin(place()), AttemptStatus.FAILED, error, "trace", None)
        ledger.finish("failed", error=error)
    with written(store) as writer:
        past = Ledger(claim(store, writer, "t"), 0).past(place())
    assert (1, 1, None) == (past.attempts, past.spent, past.due_at)


def test_a_step_that_comes_again_is_another_visit(store: Kind) -> None:
    """In a later superstep the same step is a visit more, whoever owns the thread."""
    with written(store) as writer:
        ledger = Ledger(owned(store, writer), 0)
        ledger.succeed(ledger.begin(place(superstep=1)), "msgpack", b"\x01")
    with written(store) as writer:
        attempt = Ledger(claim(store, writer, "t"), 1).begin(place(superstep=2))
    assert (2, 1) == (attempt.visit, attempt.number)


def test_an_attempt_that_must_wait_is_forgotten(store: Kind) -> None:
    """It leaves no row, and its number is given again."""
    with written(store) as writer:
        ledger = Ledger(owned(store, writer), 0)
        ledger.forget(ledger.begin(place()))
        assert {} == steps_of(store)
        assert 1 == ledger.begin(place()).number


def test_progress_of_a_running_step_is_seen(store: Kind) -> None:
    """What a step says of itself is there for readers, and gone when it has finished."""
    with written(store) as writer:
        ledger = Ledger(owned(store, writer), 0)
        attempt = ledger.begin(place())
        ledger.set_progress(attempt, StepProgress(done=1, total=4, note="x"))
        with store.reader() as reader:
            (step,) = reader.find("t", whole=True).steps  # type: ignore[union-attr, misc]
        ledger.succeed(attempt, "msgpack", b"\x01")
        with store.reader() as reader:
            (after,) = reader.find("t", whole=True).steps  # type: ignore[union-attr, misc]
    assert StepProgress(done=1, total=4, note="x") == step.progress
    assert (AttemptStatus.RUNNING, None) == (step.status, after.progress)


def test_results_are_spent_namespace_by_namespace(store: Kind) -> None:
    """A checkpoint drops the results that it contains: of its own graph and those within."""
    spaces = {"top": "", "in": "sub:1", "deep": "sub:1|x:2", "other": "sub:11"}

    def left(ledger: Ledger) -> set[str]:
        return {name for name in spaces if ledger.has(name)}

    with written(store) as writer:
        door = owned(store, writer)
        ledger = Ledger(door, 0)
        for name, ns in spaces.items():
            ledger.succeed(ledger.begin(place(name, ns=ns, key=name)), "msgpack", b"\x01")
        door.write(lambda cursor: ledger.spend(cursor, "sub:1"), durable=False)
        assert {"top", "other"} == left(Ledger(door, 0))
        door.write(lambda cursor: ledger.spend(cursor, ""), durable=False)
        assert set() == left(Ledger(door, 0))


def test_a_checkpoint_spends_results_in_its_own_commit(store: Kind) -> None:
    """The saver's put drops what it contains together with what it stores, or neither."""
    with written(store) as writer:
        door = owned(store, writer)
        ledger = Ledger(door, 0)
        ledger.succeed(ledger.begin(place()), "msgpack", b"\x01")
        put(saver_of(door, ledger), {"x": 1})
        # It is not written yet: a reader sees the result and no checkpoint.
        with store.reader() as reader:
            assert {} == reader.find("t", whole=True).state  # type: ignore[union-attr]
        door.write(lambda cursor: None, durable=True)
        assert not Ledger(door, 0).has("1:a")
    with store.reader() as reader:
        assert {"x": 1} == reader.find("t", whole=True).state  # type: ignore[union-attr]


def test_a_value_too_large_is_never_half_stored(store: Kind) -> None:
    """A result that the store refuses leaves its step unfinished, and no other trace."""
    with written(store) as writer:
        door = owned(store, writer)
        ledger = Ledger(door, 0)
        attempt = ledger.begin(place())
        store.limit_values(door, 5_000)
        with pytest.raises(StorageError, match="larger than the store can hold"):
            ledger.succeed(attempt, "msgpack", bytes(10_000))
    with written(store) as writer:
        assert not Ledger(claim(store, writer, "t"), 0).has("1:a")
    with store.reader() as reader:
        found = reader.find("t")
    assert found is not None
    assert 0 == found.done


def test_a_checkpoint_too_large_is_never_half_stored(store: Kind) -> None:
    """It is refused whole, and so is what would have been written after it."""
    with written(store) as writer:
        door = owned(store, writer)
        ledger = Ledger(door, 0)
        store.limit_values(door, 5_000)
        put(saver_of(door, ledger), {"x": 1, "y": "y" * 10_000})
        with pytest.raises(StorageError, match="larger than the store can hold"):
            ledger.begin(place())
        with pytest.raises(StorageError):
            ledger.finish("completed")
    assert ({}, ThreadStatus.INTERRUPTED) == (steps_of(store), status_of(store))


# Compensations


def owe(ledger: Ledger, *steps: str) -> None:
    """Finish steps that are to be compensated."""
    for step in steps:
        value = ("null", b"")
        ledger.succeed(ledger.begin(place(step)), *value, undo=Undo(node=step, state=value))


def test_what_finished_last_is_due_first(store: Kind) -> None:
    """Settling one takes it off, and names the next; a completed thread owes nothing."""
    with written(store) as writer:
        ledger = Ledger(owned(store, writer), -1)
        owe(ledger, "a", "b")
        due = ledger.due()
        assert due is not None
        ledger.begin_compensating(due, None)
        assert ("compensating", ("b:compensate",)) == shown(store)
        ledger.settle(ledger.begin(due.place), due)
        assert ("compensating", ("a:compensate",)) == shown(store)
        ledger.finish("completed")
        assert ledger.due() is None


def test_what_a_compensation_is_handed_carries_a_checksum(store: Kind) -> None:
    """A flipped byte is damage, and nothing is undone with it."""
    with written(store) as writer:
        door = owned(store, writer)
        ledger = Ledger(door, -1)
        owe(ledger, "a")
        change = "UPDATE compensations SET result = x'00'"
        door.write(lambda cursor: cursor.execute(change), durable=False)
        with pytest.raises(StoreDamaged, match="compensation of a"):
            ledger.due()


@pytest.mark.parametrize("owes", [False, True])
def test_a_thread_that_is_to_be_cancelled_ends_once_nothing_is_due(store: Kind, owes: bool) -> None:
    """Nothing ends it that owes something, and nothing without the wish."""
    with written(store) as writer:
        door = owned(store, writer)
        ledger = Ledger(door, -1)
        if owes:
            owe(ledger, "a")
        ledger.finish("stopped")
        assert not writer.cancel(door.row)
        writer.wish_cancelled(door.row, reason="no more")
        assert writer.cancel(door.row) is not owes
        assert status_of(store) is (ThreadStatus.STOPPED if owes else ThreadStatus.CANCELLED)


def shown(store: Kind) -> tuple[str | None, tuple[str, ...]]:
    """Outcome and next, as readers see them."""
    with store.reader() as reader:
        found = reader.find("t")
    assert found is not None
    return found.outcome, found.next
