"""The stores that the contract suite runs through, and how it writes to them.

The suite knows a store by its Kind alone: how to open it for writing and for reading. Another
store joins by another Kind in KINDS. What only a SQLite file promises stands in
tests/integration.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import methodcaller
from pathlib import Path
from typing import Any, Protocol

from durajob.model import ThreadStatus
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
        "shape": '{"steps":["a"]}',
        "fingerprint": "f",
        "environment": '{"cwd":null,"path":null,"executable":"","prefix":""}',
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
