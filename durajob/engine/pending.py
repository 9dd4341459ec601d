"""What would run if a thread were resumed now: each task with its place and what it is given.

LangGraph itself prepares the tasks, from the latest checkpoint, as it will at the resume; inside
a subgraph from that subgraph's own. Nothing runs and nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel
from langgraph.pregel._algo import prepare_next_tasks
from langgraph.pregel._checkpoint import channels_from_checkpoint

from durajob.engine.step import Around, around, place_of
from durajob.store.ledger import Ledger, Place
from durajob.store.saver import Saver
from durajob.targets.nested import inner_builder

_NOT_A_RESULT = {"__error__", "__interrupt__", "__resume__", "__error_source_node__"}


class Task(NamedTuple):
    """A task of the superstep that comes next, finished or not."""

    place: Place
    path: Sequence[str]  # the names of the subgraphs that it is in, and its own
    given: Any
    builder: StateGraph[Any, Any, Any, Any]  # of the graph that it belongs to
    channels: Mapping[str, Any]  # of that graph, as they are now
    finished: bool


def pending_tasks(
    compiled: Pregel[Any, Any, Any, Any],
    builder: StateGraph[Any, Any, Any, Any],
    *,
    thread: str,
    ledger: Ledger,
) -> list[Task]:
    """The tasks after the latest checkpoint; after a subgraph's own, those inside it.

    ``compiled`` has the thread's saver.
    """
    saver = compiled.checkpointer
    assert isinstance(saver, Saver), "it was compiled with it"
    saved = saver.get_tuple({"configurable": {"thread_id": thread, "checkpoint_ns": ""}})
    return [] if saved is None else list(_tasks(compiled, builder, saved, saver, ledger, ()))


def _tasks(
    graph: Pregel[Any, Any, Any, Any],
    builder: StateGraph[Any, Any, Any, Any],
    saved: CheckpointTuple,
    saver: Saver,
    ledger: Ledger,
    path: tuple[str, ...],
) -> Iterator[Task]:
    step = saved.metadata["step"] + 1
    writes = saved.pending_writes or []
    written = {task for task, channel, _ in writes if channel not in _NOT_A_RESULT}
    channels, managed = channels_from_checkpoint(
        graph.channels, saved.checkpoint, saver=saver, config=saved.config
    )
    tasks = prepare_next_tasks(
        saved.checkpoint,
        writes,
        graph.nodes,
        channels,
        managed,
        saved.config,
        step,
        step + 2,
        for_execution=True,
        store=None,
        checkpointer=saver,
        manager=None,
    )
    for task in tasks.values():
        if task.name not in builder.nodes:
            continue  # START: nothing has begun
        place, here = place_of(task.name, task.config), (*path, task.name)
        node = builder.nodes[task.name].runnable
        # What the wrapper stands before has its result in the ledger alone.
        finished = ledger.has(place.key) or (isinstance(node, Pregel) and task.id in written)
        yield Task(place, here, task.input, builder, channels, finished)
        inner = inner_builder(node)
        if inner is None or finished or not isinstance(node, Pregel):
            continue
        saved_inside = saver.get_tuple(_inside(saved.config, task.name, task.id))
        if saved_inside is not None:
            token = around.set(Around(key=place.key, step=place.step, superstep=place.superstep))
            try:
                yield from list(_tasks(node, inner, saved_inside, saver, ledger, here))
            finally:
                around.reset(token)


def _inside(config: RunnableConfig, name: str, task: str) -> RunnableConfig:
    """Where a subgraph that a task is keeps its checkpoints."""
    configurable = config["configurable"]
    outer = configurable.get("checkpoint_ns", "")
    ns = f"{name}:{task}"
    return {
        "configurable": {
            "thread_id": configurable["thread_id"],
            "checkpoint_ns": f"{outer}|{ns}" if outer else ns,
        }
    }
