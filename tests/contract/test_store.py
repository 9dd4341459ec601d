"""What every store promises, whatever it is made of.

The suite knows a store by its Kind alone: how to open it for writing and for reading. Another
store joins by another Kind in KINDS. What only a SQLite file promises stands in
tests/integration/test_bad_store.py.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from operator import methodcaller
from pathlib import Path
from typing import Any, Protocol

import pytest

from durajob.errors import (
    AmbiguousThread,
    Busy,
    DurajobError,
    NoStore,
    OwnershipLost,
    StorageError,
    ThreadNotFound,
)
from durajob.model import AttemptStatus, StepError, StepProgress, ThreadStatus
from durajob.store import queries
from durajob.store.door import Door
from durajob.store.ledger import Ledger, Place
from durajob.store.read import Reader
from durajob.store.write import Writer


class Kind(Protocol):
    """One kind of store, made empty for each test."""

    def writer(self) -> Writer: ...
    def reader(self) -> Reader: ...
    def limit_values(self, door: Door, size: int) -> None: ...


class SqliteFile:
    """A file in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "s" / "durajob.db"

    def writer(self) -> Writer:
        return Writer(self.path, create=True)

    def reader(self) -> Reader:
        return Reader(self.path)

    def limit_values(self, door: Door, size: int) -> None:
        """Have SQLite refuse values beyond ``size`` bytes; its own limit is a gigabyte."""
        for table, column in (("results", "value"), ("checkpoints", "checkpoint")):
            trigger = (
                f"CREATE TEMP TRIGGER too_big_{table} BEFORE INSERT ON {table} "
                f"WHEN length(NEW.{column}) > {size} BEGIN SELECT zeroblob(2000000000); END"
            )
            door.write(methodcaller("execute", trigger), durable=False)


KINDS: dict[str, Callable[[Path], Kind]] = {"sqlite": SqliteFile}


@pytest.fixture(params=sorted(KINDS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:
    """An empty store of each kind."""
    return KINDS[request.param](tmp_path)


@contextmanager
def written(store: Kind) -> Iterator[Writer]:
    """A writer, closed in the end."""
    writer = store.writer()
    try:
        yield writer
    finally:
        writer.close()


def admit(writer: Writer, thread: str, **columns: Any) -> bool:
    """Admit a thread with unremarkable columns, but for those given."""
    row = {
        "thread": thread,
        "workflow": "w",
        "input": "{}",
        "next": '[["a",null]]',
        "total": 2,
        "slot": None,
        "definition": '{"name":"w","file":null}',
        "shape": "{}",
        "fingerprint": "f",
        "environment": "{}",
    }
    return writer.admit({**row, **columns})


def claim(store: Kind, writer: Writer, thread: str, *, lock: bool = True) -> Door:
    """Own a thread, as the engine would: the lock first, then the epoch."""
    with store.reader() as reader:
        row = reader.row(thread)
    assert row is not None
    if lock:
        writer.take_lock(row["id"])
    columns = ("definition", "shape", "fingerprint", "environment", "total")
    door = writer.claim(row["id"], {"reset": False, **{name: row[name] for name in columns}})
    assert door is not None
    return door


def owned(store: Kind, writer: Writer, thread: str = "t") -> Door:
    """Admit a thread and own it."""
    admit(writer, thread)
    return claim(store, writer, thread)


def place(step: str = "a", *, superstep: int = 1, ns: str = "", key: str | None = None) -> Place:
    """Where a step stands."""
    return Place(key=key or f"{superstep}:{step}", ns=ns, step=step, superstep=superstep)


def status_of(store: Kind, thread: str = "t") -> ThreadStatus:
    """The status that readers see."""
    with store.reader() as reader:
        found = reader.find(thread)
    assert found is not None
    return found.status


def steps_of(store: Kind, thread: str = "t") -> dict[str, tuple[str, int]]:
    """Status and number of attempts of every step, as readers see them."""
    with store.reader() as reader:
        found = reader.find(thread, whole=True)
    assert found is not None
    assert found.steps is not None
    return {step.step: (step.status.value, step.attempts) for step in found.steps}


def stale(store: Kind, writer: Writer, other: Writer) -> tuple[Door, Door]:
    """Two doors to one thread: of an owner that has lost it, and of its successor."""
    first = owned(store, writer)
    return first, claim(store, other, "t", lock=False)


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


def run_together(call: Callable[[], None], count: int) -> None:
    """Run ``call`` in so many threads; whatever one raises is raised here."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(count)

    def run() -> None:
        try:
            barrier.wait()
            call()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


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


def saver_of(door: Door, ledger: Ledger | None = None) -> Any:
    """The saver of an ownership."""
    from durajob.store.saver import Progress, Saver

    return Saver(door, ledger or Ledger(door, -1), Progress(None))


def put(saver: Any, values: dict[str, Any], *, ns: str = "", thread: str = "t") -> Any:
    """Store a checkpoint with these channel values."""
    from langgraph.checkpoint.base import empty_checkpoint

    checkpoint = {**empty_checkpoint(), "channel_values": values}
    config = {"configurable": {"thread_id": thread, "checkpoint_ns": ns}}
    return saver.put(config, checkpoint, {"source": "loop", "step": 1}, {})


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
                cursor.execute(queries.KEEP_RESULT, (door.row, "", f"k{number}", "null", b""))
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
