"""Steps that are shell commands, as a plain LangGraph ``StateGraph``.

The state is one open dict: the input, and over it what the commands have found out. A
``foreach`` is two nodes: ``NAME.items``, which makes the list, and ``NAME``, which runs once for
each item; its outputs are gathered under its name, in the order of the items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config

from durajob.errors import StepFault
from durajob.policies import ShellStep
from durajob.steps.context import current
from durajob.steps.shell import Branch, run_command, run_compensation

if TYPE_CHECKING:
    from langgraph.graph import StateGraph


def merge(state: dict[str, Any], update: Any) -> dict[str, Any]:
    """The reducer: a dict of outputs, or what one branch of a ``foreach`` has found out."""
    if isinstance(update, list):
        name, outputs = update
        return {**state, name: [*state[name], outputs]}
    return {**state, **update}


def shell_graph(steps: Sequence[ShellStep]) -> StateGraph[Any]:
    """The graph of steps that were checked when they were read."""
    from langgraph.graph import END, START, StateGraph

    state: Any = Annotated[dict[str, Any], merge]
    graph: StateGraph[Any] = StateGraph(state)
    for step in steps:
        graph.add_node(step.name, _plain(step) if step.foreach is None else _branch(step))
    for step in steps:
        first = step.name
        if step.foreach is not None:
            first = f"{step.name}.items"
            after = [each for each in steps if step.name in each.needs]
            alone = all(len(each.needs) == 1 for each in after)
            followers = [_first(each) for each in after] if alone else []
            graph.add_node(first, _items(step))
            router = _each(step, followers or [END], joins=not alone)
            graph.add_conditional_edges(first, router, [step.name, *(followers or [END])])
        if len(step.needs) > 1:
            graph.add_edge(list(step.needs), first)
        else:
            graph.add_edge(step.needs[0] if step.needs else START, first)
    return graph


def compensation_of(step: ShellStep) -> Callable[[Any, Any], None]:
    """What undoes a step that says how, given what its node was given and returned."""
    command = step.compensate
    assert command is not None, "only of a step that has one"

    def undo(state: Any, result: Any) -> None:
        run_compensation(command, state, result)

    def undo_branch(sent: Any, result: Any) -> None:
        branch = Branch(sent["index"], sent["item"])
        run_compensation(command, _state_now(get_config()), result[1], branch)

    return undo if step.foreach is None else undo_branch


def returned_by_hand(
    steps: Sequence[ShellStep], node: str, outputs: Mapping[str, Any] | None
) -> Any:
    """What a node returns whose command a person has run, with these outputs; None: nobody has."""
    given = dict(outputs or {})
    for step in steps:
        if step.foreach is not None and node == step.name:
            return [step.name, given]
        if node == f"{step.name}.items":
            return {step.name: [], **given}
    return given


def _first(step: ShellStep) -> str:
    """The node that a step begins with."""
    return step.name if step.foreach is None else f"{step.name}.items"


def _plain(step: ShellStep) -> Any:
    def command(state: Any) -> Any:
        return run_command(step, state) or {}

    return command


def _items(step: ShellStep) -> Any:
    """The node before a ``foreach``: it fails by name when there is no list."""

    def items(state: Any) -> Any:
        _list_of(step, state)
        return {step.name: []}

    return items


def _list_of(step: ShellStep, state: Mapping[str, Any]) -> list[Any]:
    assert step.foreach is not None
    if step.foreach not in state:
        raise StepFault(f"foreach = {step.foreach!r}: the state has no such key")
    value = state[step.foreach]
    if isinstance(value, str):
        return [line for line in value.splitlines() if line.strip()]
    if not isinstance(value, list):
        raise StepFault(
            f"foreach = {step.foreach!r}: it is of type {type(value).__name__}, and no list"
        )
    return value


def _each(step: ShellStep, followers: list[str], *, joins: bool) -> Callable[[Any], Any]:
    def route(state: Any) -> Any:
        from langgraph.types import Send

        items = _list_of(step, state)
        if items:
            return [
                Send(step.name, {"index": index, "item": item}) for index, item in enumerate(items)
            ]
        # Only the step itself can tell a join that it is done.
        return [Send(step.name, {})] if joins else followers

    route.__name__ = f"each_of_{step.foreach}_to_{step.name}"
    return route


def _branch(step: ShellStep) -> Any:
    """The node that runs for one item. The state is read here, not stored with each item."""

    def branch(sent: Any, config: RunnableConfig) -> Any:
        if not sent:
            context = current.get()
            assert context is not None, "a shell step runs inside a thread"
            context.nothing_to_undo()
            return {}
        state = _state_now(config)
        return [step.name, run_command(step, state, Branch(sent["index"], sent["item"]))]

    return branch


def _state_now(config: RunnableConfig) -> Any:
    from langgraph.pregel._read import ChannelRead

    return ChannelRead.do_read(config, select="__root__")
