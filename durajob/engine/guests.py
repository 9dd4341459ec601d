"""What durajob takes over of a graph that LangGraph's users wrote, and what it refuses by name.

A policy reaches a step inside a subgraph by its path: ``outer/inner``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from langgraph.graph import StateGraph
from langgraph.pregel import Pregel
from langgraph.types import RetryPolicy as LangGraphRetry

from durajob.errors import TargetError
from durajob.policies import RetryPolicy, StepPolicy
from durajob.targets.nested import Path, inner_builder, key_of

Builder = StateGraph[Any, Any, Any, Any]


def taken_over(path: Path, builder: Builder, policies: Mapping[str, StepPolicy]) -> StepPolicy:
    """A step's policy, with what LangGraph's own say where it is silent.

    Raises:
        TargetError: when those ask for what durajob does not do.
    """
    spec, policy = builder.nodes[path[-1]], policies.get(key_of(path), StepPolicy())
    own = spec.retry_policy or builder._node_defaults.retry_policy
    if policy.retry is None and own:
        policy = policy._replace(retry=_adopt(own))
    return _with_timeout(key_of(path), policy, spec.timeout or builder._node_defaults.timeout)


def refuse_what_is_not_kept(
    builder: Builder, policies: Mapping[str, StepPolicy], path: Path = ()
) -> None:
    """Refuse what a graph asks for and durajob would leave out, in its subgraphs, too.

    Raises:
        TargetError: before a thread is admitted.
    """
    if builder.context_schema is not None:
        where = f"the subgraph {key_of(path)!r}" if path else "the graph"
        raise TargetError(
            f"{where} has a context_schema, and durajob hands no context to its steps",
            hint="make what they need a part of the state: it is then kept with the thread",
        )
    for name, spec in builder.nodes.items():
        here = (*path, name)
        if isinstance(spec.runnable, Pregel):
            _refuse_as_a_whole(here, builder, policies.get(key_of(here), StepPolicy()))
            inner = builder_of(key_of(here), spec.runnable)
            refuse_what_is_not_kept(inner, policies, here)
        else:
            taken_over(here, builder, policies)


def _refuse_as_a_whole(path: Path, builder: Builder, policy: StepPolicy) -> None:
    """A subgraph is entered: what would hold for it as a whole belongs to its steps."""
    spec = builder.nodes[path[-1]]
    asked = {
        "retry": policy.retry or spec.retry_policy,
        "max_crashes": policy.max_crashes,
        "lock": policy.lock,
        "delay": policy.delay,
        "compensate": policy.compensate,
        "timeout": policy.timeout or spec.timeout or builder._node_defaults.timeout,
        "idle_timeout": policy.idle_timeout,
        "isolate": policy.isolate,
    }
    said = [word for word, value in asked.items() if value]
    if said:
        step, inner = key_of(path), inner_builder(spec.runnable)
        first = next(iter(inner.nodes), "STEP") if inner is not None else "STEP"
        raise TargetError(
            f"step {step!r} is a subgraph, which takes no {' and no '.join(said)} as a whole",
            hint=f'give it to the steps inside: [workflows.NAME.steps."{step}/{first}"]',
        )


def builder_of(name: str, node: Pregel[Any, Any, Any, Any]) -> Builder:
    """The builder of a compiled subgraph.

    Raises:
        TargetError: when it has none, or was compiled with what durajob does not take over.
    """
    builder = inner_builder(node)
    if builder is None:
        raise TargetError(
            f"step {name!r} is an @entrypoint or another {type(node).__name__}, whose steps "
            "durajob cannot make durable",
            hint="use a StateGraph as the subgraph, or call it inside a function",
        )
    if getattr(node, "interrupt_before_nodes", ()) or getattr(node, "interrupt_after_nodes", ()):
        raise TargetError(
            f"the subgraph {name!r} was compiled with interrupt_before or interrupt_after, "
            "which look like a crash",
            hint="leave them out of compile() and call interrupt() inside the step",
        )
    if node.checkpointer is not None:
        raise TargetError(
            f"the subgraph {name!r} was compiled with a checkpointer of its own",
            hint="compile it without: durajob keeps its steps with those of the thread",
        )
    if node.store is not None:
        raise TargetError(
            f"the subgraph {name!r} was compiled with a store, which durajob does not hand on",
            hint="compile it without, and open the store inside the steps",
        )
    return builder


def _adopt(own: Any) -> RetryPolicy:
    """LangGraph's retry policy in durajob's terms; of several, the first that matches."""
    policies = (own,) if isinstance(own, LangGraphRetry) else tuple(own)  # itself a tuple
    first = policies[0]
    return RetryPolicy(
        attempts=first.max_attempts,
        wait=first.initial_interval,
        factor=first.backoff_factor,
        max_wait=first.max_interval,
        jitter=first.jitter,
        on=tuple(partial(_matches, policy) for policy in policies),
    )


def _matches(policy: Any, error: BaseException) -> bool:
    on = policy.retry_on
    if isinstance(on, type):
        return isinstance(error, on)
    if isinstance(on, list | tuple):
        return isinstance(error, tuple(on))
    return bool(on(error))


def _with_timeout(name: str, policy: StepPolicy, own: Any) -> StepPolicy:
    """The policy with what a node's own LangGraph timeout says, where the policy is silent."""
    if own is None:
        return policy
    if own.idle_timeout is not None and policy.idle_timeout is None:
        if own.refresh_on != "heartbeat":
            raise TargetError(
                f"step {name!r} has a LangGraph idle_timeout that LangGraph's own events refresh",
                hint='say TimeoutPolicy(..., refresh_on="heartbeat") and call heartbeat()',
            )
        policy = policy._replace(idle_timeout=own.idle_timeout)
    if own.run_timeout is not None and policy.timeout is None:
        policy = policy._replace(timeout=own.run_timeout)
    return policy
