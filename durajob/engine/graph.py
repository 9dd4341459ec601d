"""A workflow's graph: what shape it has, and how it becomes one whose steps are durable.

Wherever a graph came from, its nodes are replaced by wrapped ones, with their own retry
policies turned into durajob's; a subgraph node is entered and its nodes wrapped in turn.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any, cast

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.channels import DeltaChannel
from langgraph.graph import END, START, StateGraph
from langgraph.pregel import Pregel
from langgraph.types import Command, Send

from durajob.engine.guests import refuse_what_is_not_kept, taken_over
from durajob.errors import DefinitionChanged, TargetError, UnknownNextStep, UnusableResult
from durajob.policies import StepPolicy
from durajob.record import Record
from durajob.store.saver import Pending
from durajob.targets.nested import Path, inner_builder, key_of

_TASKS = "__pregel_tasks"
_TO = "branch:to:"  # how LangGraph calls the channels that trigger a step
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


Check = Callable[[Any], None]
"""Raises when a step's result may not stand; called before the step counts as finished."""
MakeStep = Callable[[Path, Runnable[Any, Any], StepPolicy, Check], Runnable[Any, Any]]
MakeInner = Callable[[Path, Pregel[Any, Any, Any, Any], frozenset[str]], Runnable[Any, Any]]


class Shape(Record):
    """What must not change under an unfinished thread: steps, edges, state; not code.

    ``inside`` is there where the graph has subgraphs: their steps and edges.
    """

    parts: Mapping[str, Any]
    entries: Pending  # the steps that a fresh thread begins with
    total: int | None  # how many steps a run has; None where the graph makes it unknowable

    @property
    def fingerprint(self) -> str:
        """A hash over the parts."""
        text = json.dumps(self.parts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def difference(self, before: Mapping[str, Any]) -> str:
        """What changed since ``before``, in words."""
        told = []
        for part, now in self.parts.items():
            past = before.get(part, now)  # what was not kept then is not compared
            gone = [_word(item) for item in past if item not in now]
            new = [_word(item) for item in now if item not in past]
            if gone or new:
                told.append(
                    f"{part}: "
                    + ", ".join([f"-{item}" for item in gone] + [f"+{item}" for item in new])
                )
        return "; ".join(told)


def describe(builder: StateGraph[Any, Any, Any, Any], policies: Mapping[str, StepPolicy]) -> Shape:
    """The shape of a graph, without running any of its code.

    Raises:
        TargetError: when the graph cannot be run at all.
    """
    try:
        builder.validate()
    except ValueError as error:
        raise TargetError(f"the graph is not whole: {error}") from error
    refuse_what_is_not_kept(builder, policies)
    parts = {
        "steps": sorted(builder.nodes),
        "edges": _edges(builder),
        "state": sorted(f"{name}: {_channel(one)}" for name, one in builder.channels.items()),
    }
    if has_subgraphs(builder):
        parts["inside"] = list(_inside(builder))
    return Shape(parts=parts, entries=entry_steps(builder), total=_total(builder))


def _edges(builder: StateGraph[Any, Any, Any, Any]) -> list[list[Any]]:
    edges: list[list[Any]] = [[start, end] for start, end in builder.edges]
    edges += [[list(starts), end] for starts, end in builder.waiting_edges]
    for start, branches in builder.branches.items():
        for name, branch in branches.items():
            edges.append([start, name, sorted((branch.ends or {}).values())])
    return sorted(edges, key=json.dumps)


def _inside(builder: StateGraph[Any, Any, Any, Any], path: Path = ()) -> Iterator[str]:
    for name, spec in sorted(builder.nodes.items()):
        inner = inner_builder(spec.runnable)
        if inner is not None:
            where = key_of((*path, name))
            yield from (f"{where}/{step}" for step in sorted(inner.nodes))
            yield from (f"{where}/{_word(edge)}" for edge in _edges(inner))
            yield from _inside(inner, (*path, name))


def entry_steps(builder: StateGraph[Any, Any, Any, Any]) -> Pending:
    """The steps that a fresh thread begins with; none where a router chooses them."""
    return tuple((end, None) for start, end in sorted(builder.edges) if start == START)


def wrap(
    builder: StateGraph[Any, Any, Any, Any],
    *,
    policies: Mapping[str, StepPolicy],
    step: MakeStep,
    inner: MakeInner,
    outer: frozenset[str] = frozenset(),
    path: Path = (),
) -> StateGraph[Any, Any, Any, Any]:
    """A copy of the builder in which ``step`` and ``inner`` have replaced the nodes.

    ``outer`` names the steps of the graph around this one, for ``Command(graph=PARENT)``;
    ``path`` names the subgraphs that lead to it.
    """
    wrapped = copy(builder)
    names = frozenset(builder.nodes)
    check = partial(_check_result, names=names, outer=outer, is_root="__root__" in builder.channels)
    wrapped.nodes = {}
    for name, spec in builder.nodes.items():
        node = spec.runnable
        if isinstance(node, Pregel):
            runnable = inner((*path, name), node, names)
        else:
            # add_node has made a Runnable of whatever it was given.
            policy = taken_over((*path, name), builder, policies)
            runnable = step((*path, name), cast("Runnable[Any, Any]", node), policy, check)
        wrapped.nodes[name] = replace(
            spec, runnable=runnable, retry_policy=None, cache_policy=None, timeout=None
        )
    wrapped.branches = type(builder.branches)(dict)
    for start, branches in builder.branches.items():
        for name, branch in branches.items():
            router = _CheckedRouter(branch.path, names, start, branch.ends)
            wrapped.branches[start][name] = branch._replace(path=router)
    wrapped._node_defaults = _without_policies(builder._node_defaults)
    return wrapped


def has_subgraphs(builder: StateGraph[Any, Any, Any, Any]) -> bool:
    """Whether some of its nodes are graphs."""
    return any(isinstance(spec.runnable, Pregel) for spec in builder.nodes.values())


def delta_channels(graph: Pregel[Any, Any, Any, Any]) -> frozenset[str]:
    """Channels that LangGraph rebuilds from the stored writes of tasks."""
    return frozenset(
        name for name, channel in graph.channels.items() if isinstance(channel, DeltaChannel)
    )


def keeps_changes(builder: StateGraph[Any, Any, Any, Any]) -> bool:
    """Whether its state, or that of a graph inside it, is rebuilt from earlier checkpoints."""
    if any(isinstance(channel, DeltaChannel) for channel in builder.channels.values()):
        return True
    inside = (inner_builder(spec.runnable) for spec in builder.nodes.values())
    return any(keeps_changes(inner) for inner in inside if inner is not None)


def pending_steps(
    graph: Pregel[Any, Any, Any, Any], entries: Pending, checkpoint: Mapping[str, Any]
) -> Pending:
    """The steps that come after a checkpoint, as LangGraph will find them.

    LangGraph's own search prepares every task of a fan-out; this one only names them.
    ``entries`` are those that come after the very first checkpoint, which holds the input.
    """
    pending: list[tuple[str, list[list[int]] | None]] = []
    branches: dict[str, list[list[int]]] = {}
    values = checkpoint["channel_values"]
    for index, send in enumerate(values.get(_TASKS) or ()):
        ranges = branches.setdefault(send.node, [])
        if ranges and ranges[-1][1] == index:
            ranges[-1][1] += 1
        else:
            ranges.append([index, index + 1])
    pending.extend(sorted(branches.items()))
    versions, seen = checkpoint["channel_versions"], checkpoint["versions_seen"]
    updated = checkpoint.get("updated_channels")
    if updated:
        names = {node for channel in updated for node in graph.trigger_to_nodes.get(channel, ())}
    else:
        names = set(graph.nodes)
    for name in sorted(names):
        known = seen.get(name)
        for channel in graph.nodes[name].triggers:
            version = versions.get(channel)
            if version is None or (known and version <= known.get(channel, type(version)())):
                continue
            if _is_available(graph, channel, values):
                if name == START:
                    return entries
                pending.append((name, None))
                break
    return pending


def refuse_steps_that_are_gone(
    builder: StateGraph[Any, Any, Any, Any], ns: str, checkpoint: Mapping[str, Any]
) -> None:
    """Refuse to go on in a subgraph that no longer has what comes next in it.

    LangGraph would leave it out in silence, and the subgraph would seem to have finished.

    Raises:
        DefinitionChanged: which names the steps.
    """
    path = [part.partition(":")[0] for part in ns.split("|")]
    inner: StateGraph[Any, Any, Any, Any] | None = builder
    for name in path:
        spec = None if inner is None else inner.nodes.get(name)
        inner = None if spec is None else inner_builder(spec.runnable)
    if inner is None:
        return  # a graph that a function calls, which is part of that step
    _refuse_gone(inner, path, checkpoint)


def refuse_pending_that_is_gone(
    builder: StateGraph[Any, Any, Any, Any], checkpoint: Mapping[str, Any]
) -> None:
    """Refuse a checkpoint after which the graph itself no longer has what comes next.

    Raises:
        DefinitionChanged: which names the steps.
    """
    _refuse_gone(builder, (), checkpoint)


def _refuse_gone(
    builder: StateGraph[Any, Any, Any, Any], path: Path, checkpoint: Mapping[str, Any]
) -> None:
    values = checkpoint["channel_values"]
    names = [name.removeprefix(_TO) for name in values if name.startswith(_TO)]
    names += [send.node for send in values.get(_TASKS) or ()]
    gone = sorted({key_of((*path, name)) for name in names if name not in builder.nodes})
    if gone:
        raise DefinitionChanged(
            f"the thread is to go on with {', '.join(map(repr, gone))}, "
            "which the workflow no longer has",
            hint="give the workflow that step again, or start a new thread",
        )


class _CheckedRouter(Runnable[Any, Any]):
    """A conditional edge that may only lead to steps that exist."""

    def __init__(
        self,
        path: Runnable[Any, Any],
        names: frozenset[str],
        start: str,
        ends: Mapping[Any, str] | None,
    ) -> None:
        self.path = path
        self.names = names
        self.start = start
        self.ends = ends

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        chosen = self.path.invoke(input, config, **kwargs)
        targets = chosen if isinstance(chosen, list | tuple) else (chosen,)
        if self.ends is not None:
            for target in targets:
                if not isinstance(target, Send) and target not in self.ends:
                    raise UnknownNextStep(
                        f"the router after {self.start!r} chose {target!r}, "
                        f"which is none of {sorted(map(str, self.ends))}",
                        hint="mend the router; the step before it is not run again",
                    )
            targets = tuple(t for t in targets if isinstance(t, Send))
        _check(targets, self.names, self.start)
        return chosen


def _check_result(
    result: Any, *, names: frozenset[str], outer: frozenset[str], is_root: bool
) -> None:
    """Refuse a result that LangGraph cannot use, before it stands in the ledger for good.

    A step may return updates of the state, or say what comes next; and it may only name steps
    that exist, since LangGraph ignores any other in silence.
    """
    if result is None or type(result) is dict:
        return
    parts = (result,)
    if isinstance(result, list | tuple) and any(isinstance(each, Command) for each in result):
        parts = tuple(result)
    for part in parts:
        if isinstance(part, Command):
            known = outer if part.graph == Command.PARENT else names
            goto = part.goto
            _check(goto if isinstance(goto, list | tuple) else (goto,), known, None)
        elif not (is_root or part is None or isinstance(part, dict) or _has_fields(part)):
            raise UnusableResult(
                f"the step returned {part!r:.100}, which is no update of the state",
                hint="return a dict of the state's keys, or None, or a Command",
            )


def _has_fields(value: Any) -> bool:
    """Whether LangGraph can read a state update from it: a dataclass, a pydantic model."""
    return bool(getattr(type(value), "__annotations__", None))


def _check(targets: Sequence[Any], names: frozenset[str], router: str | None) -> None:
    for target in targets:
        name = target.node if isinstance(target, Send) else target
        if name in names or name == END:
            continue
        import difflib

        near = difflib.get_close_matches(str(name), names, 1)
        who = "the step" if router is None else f"the router after {router!r}"
        raise UnknownNextStep(
            f"{who} goes on to {name!r}, but the workflow has no such step",
            hint=f"did you mean {near[0]!r}?" if near else "mend the name, then resume",
        )


def _is_available(graph: Pregel[Any, Any, Any, Any], channel: str, values: Any) -> bool:
    if channel not in values:
        return False
    spec = graph.channels[channel]
    return bool(spec.from_checkpoint(values[channel]).is_available())  # type: ignore[union-attr] # managed values trigger nothing


def _total(builder: StateGraph[Any, Any, Any, Any]) -> int | None:
    if builder.branches or any(
        spec.ends or spec.defer or isinstance(spec.runnable, Pregel) or spec.error_handler_node
        for spec in builder.nodes.values()
    ):
        return None
    follows: dict[str, set[str]] = {}
    for start, end in builder.edges:
        follows.setdefault(start, set()).add(end)
    for starts, end in builder.waiting_edges:
        for start in starts:
            follows.setdefault(start, set()).add(end)
    order, state = 0, dict[str, bool]()  # True while a step is on the current path
    stack: list[tuple[str, Iterator[str]]] = [(START, iter(follows.get(START, ())))]
    state[START] = True
    while stack:
        name, ends = stack[-1]
        end = next(ends, "")
        if not end:
            state[name] = False
            stack.pop()
        elif end != END and end not in state:
            state[end] = True
            order += 1
            stack.append((end, iter(follows.get(end, ()))))
        elif state.get(end):
            return None  # a loop
    return order


def _without_policies(defaults: Any) -> Any:
    return replace(defaults, retry_policy=None, cache_policy=None, timeout=None)


def _channel(channel: Any) -> str:
    operator = getattr(channel, "operator", None)
    kind = _ADDRESS.sub("", str(getattr(channel, "ValueType", "")))
    reducer = "" if operator is None else f" by {getattr(operator, '__qualname__', operator)}"
    return f"{type(channel).__name__} of {kind}{_ADDRESS.sub('', reducer)}"


def _word(item: Any) -> str:
    if isinstance(item, str):
        return item
    start, end = item[0], item[-1]
    start = "+".join(start) if isinstance(start, list) else start
    end = "|".join(end) if isinstance(end, list) else end
    return f"{start}→{end or '?'}"
