"""The graph that a run goes through: every step wrapped, every subgraph entered, our own saver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.pregel import Pregel

from durajob.engine import graph as graphs
from durajob.engine.graph import Check
from durajob.engine.guests import builder_of
from durajob.engine.job import Job
from durajob.engine.pool import SUBMIT, Pool
from durajob.engine.step import Around, Run, StepRunnable, around, place_of
from durajob.policies import StepPolicy
from durajob.store.saver import Saver
from durajob.store.spent import Spent
from durajob.targets.nested import key_of


def assemble(job: Job, run: Run) -> Pregel[Any, Any, Any, Any]:
    """The compiled graph of ``job``, and into ``run`` what only that knows."""
    saver = Saver(job.door, run.ledger, run.progress)
    policies = job.loaded.policies

    def step(
        path: Sequence[str], node: Runnable[Any, Any], policy: StepPolicy, check: Check
    ) -> Runnable[Any, Any]:
        return StepRunnable(path, node, policy, check, run)

    def inner(
        path: Sequence[str], node: Pregel[Any, Any, Any, Any], names: frozenset[str]
    ) -> Runnable[Any, Any]:
        builder = builder_of(key_of(path), node)
        wrapped = graphs.wrap(
            builder, policies=policies, step=step, inner=inner, outer=names, path=path
        )
        return _Subgraph(path[-1], wrapped.compile(name=node.name), run, job.concurrency)

    wrapped = graphs.wrap(job.loaded.builder, policies=policies, step=step, inner=inner)
    compiled = wrapped.compile(checkpointer=saver)
    run.serde = compiled.checkpointer.serde  # type: ignore[union-attr] # the saver given above
    run.state = cache(partial(_state_of, compiled.checkpointer, job.thread))
    run.handles_errors = bool(compiled.node_error_handler_map)
    entries = graphs.entry_steps(job.loaded.builder)
    run.progress.pending = partial(graphs.pending_steps, compiled, entries)
    run.progress.check_inner = partial(graphs.refuse_steps_that_are_gone, job.loaded.builder)
    run.progress.delta_channels = graphs.delta_channels(compiled)
    if not graphs.keeps_changes(job.loaded.builder):
        run.progress.spent = Spent(job.thread, resumed=job.pointer is not None)
    return compiled


def _state_of(saver: Any, thread: str) -> Mapping[str, Any]:
    """What the latest checkpoint holds, by channel."""
    found = saver.get_tuple({"configurable": {"thread_id": thread, "checkpoint_ns": ""}})
    values: Mapping[str, Any] = {} if found is None else found.checkpoint["channel_values"]
    return values


class _Subgraph(Runnable[Any, Any]):
    """A subgraph node: entered, not wrapped; its own steps are."""

    def __init__(self, name: str, graph: Pregel[Any, Any, Any, Any], run: Run, width: int) -> None:
        self._name = name
        self._graph = graph
        self._run = run
        self._width = width

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Run the inner graph with a pool of its own: this call occupies a place in ours."""
        assert config is not None
        place = place_of(self._name, config)
        run = self._run
        if run.ledger.has(place.key):  # settled by hand
            run.progress.in_ledger.add(config["configurable"]["__pregel_task_id"])
            return run.serde.loads_typed(run.ledger.recall(place.key))
        pool = Pool(self._width, run.drain, run.is_finished, run.progress.is_needed)
        token = around.set(Around(key=place.key, step=place.step, superstep=place.superstep))
        inner: RunnableConfig = {
            **config,
            "configurable": {**config["configurable"], SUBMIT: lambda: pool.submit},
        }
        try:
            return self._graph.invoke(input, inner)
        finally:
            around.reset(token)
            pool.close()
