"""LangGraph's saver over the one door: checkpoints, thread row and fence in one transaction.

Imported only where a graph runs: this module brings LangGraph with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

from durajob.errors import ResultNotStorable, StoreDamaged
from durajob.store import queries, read_queries, seals
from durajob.store.door import Door
from durajob.store.ledger import MAX_VALUE, Ledger
from durajob.store.spent import Kept, Spent, size_of

_NO_TASK = "00000000-0000-0000-0000-000000000000"
_KEPT_BEFORE_END = {"__interrupt__", "__resume__", "__error_source_node__"}

Pending = Sequence[tuple[str, Sequence[Sequence[int]] | None]]
"""Steps that come next: name, and the ranges of branch numbers where it is a fan-out."""


class Progress:
    """What the saver and the engine share; ``compile()`` copies the saver, but not this."""

    def __init__(self, pointer: str | None) -> None:
        self.pointer = pointer
        self.in_ledger: set[str] = set()  # ids of tasks whose results the ledger holds
        self.pending: Callable[[Checkpoint], Pending] = lambda checkpoint: ()
        self.check_inner: Callable[[str, Checkpoint], None] = lambda ns, checkpoint: None
        self.delta_channels: frozenset[str] = frozenset()
        self.spent: Spent | None = None  # None: every checkpoint is kept

    def is_needed(self, writes: Sequence[tuple[str, Any]], task_id: str) -> bool:
        """Whether LangGraph must keep the writes of a task: see ``Saver.put_writes``."""
        channels = {channel for channel, _ in writes}
        if task_id == _NO_TASK or channels & _KEPT_BEFORE_END:
            return True
        if "__error__" in channels:
            return False
        return task_id not in self.in_ledger or bool(channels & self.delta_channels)


class Serializer(JsonPlusSerializer):
    """LangGraph's, for what it writes today and nothing else.

    It still reads what it wrote years ago: JSON that names a class to be built, pickles on
    demand. What stands in a store is data, and no reason to import or call anything.
    """

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The value of a type and its bytes.

        Raises:
            StoreDamaged: when it is none that this serializer has written.
        """
        kind = data[0]
        try:
            if kind not in ("msgpack", "null", "bytes", "bytearray"):
                raise ValueError(f"a value of type {kind!r}")
            return super().loads_typed(data)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise StoreDamaged(
                f"the store holds a value that cannot be read: {error}",
                hint="restore a copy of the store; other threads may be whole",
            ) from error


class Saver(SqliteSaver):
    """SqliteSaver that writes through a Door and reads what the thread's row points at."""

    def __init__(self, door: Door, ledger: Ledger, progress: Progress) -> None:
        """One for each ownership of a thread."""
        super().__init__(door._connection, serde=Serializer())
        self.door = door
        self.ledger = ledger
        self.progress = progress
        self.is_setup = True

    def setup(self) -> None:
        """Nothing to do: LangGraph's tables are part of our schema."""

    @contextmanager
    def cursor(self, transaction: bool = True) -> Iterator[Any]:
        """A cursor for reading; all writing methods below go through the door instead."""
        if transaction:
            raise NotImplementedError("durajob's saver writes through its door alone")
        with self.door.reading() as cursor:
            yield cursor

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that the thread's row points at, whatever the clock said."""
        configurable = config["configurable"]
        if get_checkpoint_id(config) is None:
            ns = configurable.get("checkpoint_ns", "")
            latest = self._latest(str(configurable["thread_id"]), ns)
            if latest is None:
                return None
            config = {"configurable": {**configurable, "checkpoint_id": latest}}
            self._check(*map(str, (configurable["thread_id"], ns, latest)))
            found = super().get_tuple(config)
            assert found is not None, "it was just looked at"
            if ns != "":
                self.progress.check_inner(ns, found.checkpoint)
            inner = {
                "thread_id": configurable["thread_id"],
                "checkpoint_ns": ns,
                "checkpoint_id": latest,
            }
            return found._replace(config={"configurable": inner})
        return super().get_tuple(config)

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint, point the thread's row at it, and drop spent results."""
        configurable = config["configurable"]
        thread, ns = str(configurable["thread_id"]), configurable["checkpoint_ns"]
        parent = configurable.get("checkpoint_id")
        kind, data = self.serde.dumps_typed(checkpoint)
        if len(data) > MAX_VALUE:
            raise ResultNotStorable(
                f"the state has {len(data):,} bytes; a checkpoint holds at most {MAX_VALUE:,}",
                hint="keep large data in files and put their paths into the state",
            )
        text = json.dumps(get_checkpoint_metadata(config, metadata), ensure_ascii=False)
        said = text.encode("utf-8", "ignore")
        point = next_crc = None
        if ns == "":
            pending = json.dumps(self.progress.pending(checkpoint), ensure_ascii=False)
            point = (checkpoint["id"], metadata["step"], pending, self.door.row)
            next_crc = seals.of_next(metadata["step"], pending)
        values = (
            *(thread, ns, checkpoint["id"], parent, kind, data, said),
            seals.of_checkpoint(thread, ns, checkpoint["id"], parent, kind, data, said),
            next_crc,
        )

        latest = Kept(checkpoint["id"], metadata["step"], size_of(data, said))

        def put(cursor: Any) -> None:
            # What is no longer needed goes first: its room in the file is taken at once.
            self.ledger.spend(cursor, ns)
            if self.progress.spent is not None:
                self.progress.spent.store(cursor, ns, latest)
            cursor.execute(_PUT, values)
            if point is not None:
                cursor.execute(queries.POINT, point)

        self.door.write_later(put)
        if ns == "":
            self.progress.pointer = checkpoint["id"]
            self.progress.in_ledger.clear()
        return {
            "configurable": {
                "thread_id": thread,
                "checkpoint_ns": ns,
                "checkpoint_id": checkpoint["id"],
            }
        }

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Store what the ledger does not hold already.

        A step's result is in the ledger, and a task that failed must not look as if it had
        finished: LangGraph would hand its partial writes on and skip it. Kept are answers
        and questions, what error handlers need, updates by hand, writes to delta channels
        (they are rebuilt from them), and tasks that durajob does not wrap.
        """
        if not self.progress.is_needed(writes, task_id):
            return
        configurable = config["configurable"]
        place = (
            str(configurable["thread_id"]),
            str(configurable["checkpoint_ns"]),
            str(configurable["checkpoint_id"]),
        )
        rows = []
        for index, (channel, value) in enumerate(writes):
            at = (*place, task_id, task_path, WRITES_IDX_MAP.get(channel, index), channel)
            stored = (*at, *self.serde.dumps_typed(value))
            rows.append((*stored, seals.of_write(*stored)))
        special = all(channel in WRITES_IDX_MAP for channel, _ in writes)
        query = _PUT_WRITE.format("REPLACE" if special else "IGNORE")
        if place[1] != "" and self.progress.spent is not None:
            self.progress.spent.met_inner()
        self.door.write(lambda cursor: cursor.executemany(query, rows), durable=False)

    def get_next_version(self, current: Any, channel: None) -> Any:
        """Count channel versions in integers.

        SqliteSaver makes a text of fifty characters of each, with a random part that only
        savers need which keep channel values apart from checkpoints. Every checkpoint holds
        a version for each channel and each step: as numbers it is a third of the size.
        """
        if isinstance(current, str):  # a thread that another saver began
            return super().get_next_version(current, channel)
        return 1 if current is None else current + 1

    def delete_thread(self, thread_id: str) -> None:
        """Refused: a thread is deleted with its row and its ledger, or not at all."""
        raise NotImplementedError("durajob prunes whole threads")

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: Mapping[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """All at once: the base class would hold the door while its caller iterates."""
        found = super().list(
            config, filter=None if filter is None else dict(filter), before=before, limit=limit
        )
        yield from tuple(found)

    def _check(self, thread: str, ns: str, id: str) -> None:
        with self.door.reading() as cursor:
            stored = cursor.execute(read_queries.CHECKPOINT, (thread, ns, id)).fetchone()
        try:
            seals.check_checkpoint(thread, ns, id, stored)
        except seals.Altered as error:
            raise StoreDamaged(
                f"the store is damaged: {error} (thread {thread!r})",
                hint="restore a copy of the store; durajob doctor looks at all of it",
            ) from error

    def _latest(self, thread: str, ns: str) -> str | None:
        if ns == "":
            return self.progress.pointer
        # Rows are stored in the order of the run; ids hold a clock that may have jumped.
        with self.door.reading() as cursor:
            row = cursor.execute(read_queries.LATEST_CHECKPOINT, (thread, ns)).fetchone()
        return None if row is None else str(row[0])


_PUT = """
INSERT OR REPLACE INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id,
    parent_checkpoint_id, type, checkpoint, metadata, crc, next_crc)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_PUT_WRITE = """
INSERT OR {} INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx,
    channel, type, value, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
