"""A workflow's steps and branches as they were declared: plain records, nothing looked up yet."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from durajob.policies import StepPolicy
from durajob.record import Record

if TYPE_CHECKING:
    from langgraph.graph import StateGraph
    from langgraph.graph.state import CompiledStateGraph

    from durajob.workflow.builder import Workflow

StepFunction = Callable[..., Any]
"""A LangGraph node: takes the state, returns the state's changes as a dict, or None."""
MapFunction = Callable[..., Any]
"""Takes one item (and the shared values, when ``share`` names any), returns its result."""
Included: TypeAlias = "Workflow[Any] | StateGraph[Any] | CompiledStateGraph[Any]"
"""A workflow or a graph that is a step of another."""
StepRef: TypeAlias = "StepFunction | Included | str"
"""A step that was declared before, by its function (or what was included), or by its name."""


class Before:
    """The default of ``after``: the step that was declared before this one."""

    def __repr__(self) -> str:
        return "the step declared before"


BEFORE: Final = Before()


class Mapped(Record):
    """What makes a step a fan-out."""

    over: str
    collect: str | None
    share: tuple[str, ...]


class Declared(Record):
    """A step as declared; references are as the user gave them and are looked up later."""

    name: str
    function: Any  # a StepFunction, or what is included
    after: StepRef | Sequence[StepRef] | Before | None
    after_any: Sequence[StepRef]
    previous: str | None  # the step declared before this one
    policy: StepPolicy
    mapped: Mapped | None = None
    included: bool = False


class Choice(Record):
    """A branch as declared."""

    after: StepRef
    choose: Callable[..., Hashable]
    to: Mapping[Hashable, StepRef | None]
