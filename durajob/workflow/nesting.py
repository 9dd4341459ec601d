"""A workflow or a graph as a step of another: what it may be, and what it brings along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from durajob.errors import ConfigError
from durajob.workflow.schema import state_keys

if TYPE_CHECKING:
    from durajob.policies import StepPolicy
    from durajob.workflow.builder import Workflow
    from durajob.workflow.declared import Declared


def check_included(other: object, into: Workflow[Any]) -> None:
    """Refuse what cannot be a step.

    Raises:
        ConfigError: for what is no graph, or would hold itself.
    """
    from durajob.workflow.builder import Workflow

    if isinstance(other, Workflow):
        if other is into or _holds(other, into):
            raise ConfigError(
                f"workflow {into.name!r} would be a step of itself",
                hint="a loop is a branch that leads back",
            )
    elif not _is_graph(other):
        raise ConfigError(
            f"workflow {into.name!r}: include() takes a Workflow or a LangGraph graph, "
            f"not {other!r:.100}",
            hint="a function becomes a step with @wf.step",
        )


def name_of(other: object, into: Workflow[Any]) -> str:
    """What the step is called unless that is said.

    Raises:
        ConfigError: for a graph, which has no name of its own.
    """
    from durajob.workflow.builder import Workflow

    if isinstance(other, Workflow):
        return other.name
    raise ConfigError(
        f"workflow {into.name!r}: a graph that is included needs a name",
        hint='write wf.include(graph, name="billing")',
    )


def policies_of(name: str, other: object) -> dict[str, StepPolicy]:
    """The policies of the steps inside, as the outer workflow calls them."""
    inner: Mapping[str, StepPolicy] = getattr(other, "policies", {})
    return {f"{name}/{step}": policy for step, policy in inner.items()}


def compiled(where: str, outer_keys: Sequence[str], other: Any) -> Any:
    """The node that stands for it.

    Raises:
        ConfigError: when it shares no key of the state, or does not make a graph.
    """
    from durajob.workflow.builder import Workflow

    if isinstance(other, Workflow):
        keys: Sequence[str] = state_keys(other.state_schema, where=where)
        node = other.graph().compile(name=other.name)
    else:
        builder = getattr(other, "builder", other)
        keys = [str(key) for key in builder.channels]
        node = _compile(where, other) if builder is other else other
    if not set(keys) & set(outer_keys):
        raise ConfigError(
            f"{where}: shares no key of the state, so nothing could be handed to it or come back",
            hint=f"it has {', '.join(keys)}; the workflow has {', '.join(outer_keys)}",
        )
    return node


def _compile(where: str, builder: Any) -> Any:
    try:
        return builder.compile()
    except ValueError as error:  # LangGraph's, for a graph that is not whole
        raise ConfigError(f"{where}: {' '.join(str(error).split())}") from error


def _holds(outer: Workflow[Any], sought: Workflow[Any]) -> bool:
    from durajob.workflow.builder import Workflow

    inner: list[Declared] = list(outer._steps.values())
    return any(
        step.function is sought or _holds(step.function, sought)
        for step in inner
        if isinstance(step.function, Workflow)
    )


def _is_graph(other: object) -> bool:
    # By name, so that declaring imports no LangGraph: who has made one has imported it.
    return any(
        each.__name__ in ("StateGraph", "CompiledStateGraph")
        and each.__module__.startswith("langgraph.")
        for each in type(other).__mro__
    )
