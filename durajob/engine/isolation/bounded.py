"""How a step is called, by what its policy asks for: here, cancelled in time, or in a worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from langchain_core.runnables import Runnable, RunnableConfig

from durajob.engine.isolation.coroutines import run_within
from durajob.engine.isolation.limits import Limits
from durajob.engine.isolation.node import (
    Call,
    answers,
    is_async,
    pack,
    plain_call,
    undo_call,
)
from durajob.engine.isolation.workers import Workers
from durajob.model import COMPENSATION
from durajob.policies import Compensation, StepPolicy
from durajob.steps.context import current


def needs_worker(node: Runnable[Any, Any], policy: StepPolicy) -> bool:
    """Whether a step can only be run as its policy asks in a process of its own."""
    return bool(policy.isolate) or (_is_limited(policy) and not is_async(node))


def bounded(
    node: Runnable[Any, Any],
    policy: StepPolicy,
    path: Sequence[str],
    workers: Workers,
) -> Call:
    """What calls the node, which is at ``path`` in the graph."""
    if needs_worker(node, policy):
        workers.warm()

        def in_worker(state: Any, config: RunnableConfig) -> Any:
            return workers.run(
                path,
                state,
                pack(config),
                context=cast("Any", current.get()),
                answers=answers(config),
                limits=Limits.of(policy, state),
            )

        return in_worker
    if _is_limited(policy):

        def in_time(state: Any, config: RunnableConfig) -> Any:
            context: Any = current.get()
            runtime = config["configurable"]["__pregel_runtime"].override(heartbeat=context.beat)
            inner: RunnableConfig = {
                **config,
                "configurable": {**config["configurable"], "__pregel_runtime": runtime},
            }
            return run_within(
                Limits.of(policy, state),
                lambda: cast("Any", node.ainvoke(state, inner)),
                lambda: context.beaten,
            )

        return in_time
    return plain_call(node)


def bounded_undo(step: str, compensation: Compensation, workers: Workers) -> Call:
    """What calls the compensation of a step, given what that was given and what it returned."""
    if compensation.timeout is None and not compensation.isolate:
        return undo_call(compensation)

    def in_worker(given: Any, config: RunnableConfig) -> Any:
        return workers.run(
            (step, COMPENSATION),
            given,
            {"metadata": config["metadata"]},
            context=cast("Any", current.get()),
            answers={},
            limits=Limits(timeout=compensation.timeout, idle=None),
        )

    return in_worker


def _is_limited(policy: StepPolicy) -> bool:
    return policy.timeout is not None or policy.idle_timeout is not None
