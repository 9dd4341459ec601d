"""A graph's steps and those of graphs inside it, named as policies name them: ``outer/inner``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langgraph.graph import StateGraph

Path = Sequence[str]
"""The names of the subgraphs around a node, and its own."""


def key_of(path: Path) -> str:
    """What policies call the step at this path."""
    return "/".join(path)


def inner_builder(node: Any) -> StateGraph[Any] | None:
    """The builder behind a node that is a graph; None for any other node."""
    from langgraph.graph import StateGraph
    from langgraph.pregel import Pregel

    builder = getattr(node, "builder", None) if isinstance(node, Pregel) else None
    return builder if isinstance(builder, StateGraph) else None


def every_step(builder: StateGraph[Any], path: Path = ()) -> Iterator[Path]:
    """The path of each node; after a subgraph's own, those of the nodes inside it."""
    for name, spec in builder.nodes.items():
        here = (*path, name)
        yield here
        inner = inner_builder(spec.runnable)
        if inner is not None:
            yield from every_step(inner, here)
