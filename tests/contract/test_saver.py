"""LangGraph's own conformance suite, run against durajob's saver.

A saver of ours belongs to one owner of one thread and works in the thread that runs the graph;
the suite makes up thread ids as it goes and awaits. So each id that it names is admitted and
claimed when it is first met, and what it awaits is called.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate

from durajob.store.ledger import Ledger
from durajob.store.saver import Progress, Saver
from durajob.store.write import Writer


class Owners(BaseCheckpointSaver[Any]):
    """Hands each call to the saver of the thread that it is about."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._writers: list[Writer] = []
        self._savers: dict[str, Saver] = {}

    def close(self) -> None:
        """Let go of all threads."""
        for writer in self._writers:
            writer.close()

    async def aput(self, config: Any, *args: Any) -> Any:
        return self._of(config).put(config, *args)

    async def aput_writes(self, config: Any, *args: Any, **options: Any) -> None:
        self._of(config).put_writes(config, *args, **options)

    async def aget_tuple(self, config: Any) -> Any:
        return self._of(config).get_tuple(config)

    async def alist(self, config: Any, **options: Any) -> AsyncIterator[Any]:
        for saver in self._savers.values():  # what waits for its next write is to be seen
            saver.door.write(lambda cursor: None, durable=False)
        saver = next(iter(self._savers.values())) if config is None else self._of(config)
        for found in saver.list(config, **options):
            yield found

    def _of(self, config: Any) -> Saver:
        thread = config["configurable"]["thread_id"]
        if thread not in self._savers:
            self._savers[thread] = self._claim(thread)
        return self._savers[thread]

    def _claim(self, thread: str) -> Saver:
        writer = Writer(self._path, create=True)
        self._writers.append(writer)
        origin = {"definition": "{}", "shape": "{}", "fingerprint": "", "environment": "{}"}
        row = {"thread": thread, "workflow": "w", "input": "{}", "next": "[]", "slot": None}
        writer.admit({**row, **origin, "total": None})
        # Rows are numbered in the order in which threads are admitted, from 1.
        door = writer.claim(len(self._writers), {**origin, "reset": False, "total": None})
        assert door is not None
        return Saver(door, Ledger(door, -1), Progress(None))


def test_the_saver_keeps_what_langgraph_relies_on(tmp_path: Path) -> None:
    """Everything passes that LangGraph demands of a saver, but deleting a thread: durajob
    deletes one with its row and its ledger, or not at all."""
    stores = iter(range(100))

    @checkpointer_test(name="durajob", skip_capabilities={"delete_thread"})
    async def factory() -> AsyncGenerator[Any, None]:
        owners = Owners(tmp_path / f"{next(stores)}.db")
        yield owners
        owners.close()

    report = asyncio.run(validate(factory))
    failed = {name: result.failures for name, result in report.results.items() if result.failures}
    passed = {name for name, result in report.results.items() if result.passed}
    assert {} == failed
    assert {"put", "put_writes", "get_tuple", "list"} == passed
