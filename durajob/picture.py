"""What ``graph`` shows: the steps of a workflow and what leads from one to the next.

A subgraph is drawn as its steps, so the picture has one level. The shape is the one that is kept
with each thread (``engine.graph.Shape``), so no code of users is needed to draw it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from durajob.model import Result, Thread

START, END = "__start__", "__end__"
ANYWHERE = "?"
"""Where an edge leads whose router may choose any step."""

_NAMELESS = "condition"
"""How LangGraph calls a router that has no name."""


class Edge(NamedTuple):
    """From one step to another; ``router`` is what decides whether it is gone, if anything."""

    start: str
    end: str
    router: str | None = None


class Picture(Result):
    """The answer to ``graph``."""

    name: str
    steps: Sequence[str]  # in the order of the way from the start
    edges: Sequence[Edge]
    form: str  # tree, mermaid or svg
    thread: Thread | None = None  # whose progress is drawn


def flat(parts: Mapping[str, Any]) -> tuple[list[str], list[Edge]]:
    """The steps and edges of a shape, those of subgraphs in place of them.

    Raises:
        LookupError, TypeError, ValueError: when it is no shape.
    """
    steps = [str(name) for name in parts["steps"]]
    edges = [edge for item in parts["edges"] for edge in _edges(item)]
    inner: dict[str, tuple[list[str], list[Edge]]] = {}
    for text in parts.get("inside", ()):
        where, _, word = _split(text)
        own = inner.setdefault(where, ([], []))
        if "→" in word:
            own[1].extend(_worded(word, where))
        else:
            own[0].append(f"{where}/{word}")
    for where, (names, own_edges) in inner.items():  # the outer ones come first
        steps = [name for name in steps if name != where] + names
        edges = list(_entered(where, edges, own_edges))
    return _in_order(steps, edges), edges


def _edges(item: Sequence[Any]) -> Iterator[Edge]:
    starts = item[0] if isinstance(item[0], list) else [item[0]]
    if len(item) == 2:
        yield from (Edge(start, item[1]) for start in starts)
        return
    router = "" if item[1] == _NAMELESS else item[1]
    for end in item[2] or [ANYWHERE]:
        yield Edge(starts[0], end, router)


def _split(text: str) -> tuple[str, str, str]:
    head, arrow, tail = text.partition("→")
    where, slash, word = head.rpartition("/")
    return where, slash, word + arrow + tail


def _worded(word: str, where: str) -> Iterator[Edge]:
    """``a+b→c`` and ``a→b|c`` as edges: what a router of a subgraph is called is not kept."""
    starts, _, ends = word.partition("→")
    chosen = "|" in ends or ends == ANYWHERE
    for start in starts.split("+"):
        for end in ends.split("|"):
            inside = [
                name if name in (START, END, ANYWHERE) else f"{where}/{name}"
                for name in (start, end)
            ]
            yield Edge(inside[0], inside[1], "" if chosen else None)


def _within(where: str, name: str) -> str:
    return name if name in (START, END, ANYWHERE) else f"{where}/{name}"


def _entered(where: str, edges: Sequence[Edge], inner: Sequence[Edge]) -> Iterator[Edge]:
    """The edges with a subgraph in place of the step ``where``."""
    entries = [edge for edge in inner if edge.start == START]
    exits = [edge for edge in inner if edge.end == END]
    for edge in edges:
        starts = exits if edge.start == where else [None]
        ends = entries if edge.end == where else [None]
        for out in starts:
            for into in ends:
                router = edge.router
                for through in (out, into):
                    router = through.router if through and through.router is not None else router
                yield Edge(out.start if out else edge.start, into.end if into else edge.end, router)
    yield from (edge for edge in inner if edge.start != START and edge.end != END)


def _in_order(steps: Sequence[str], edges: Sequence[Edge]) -> list[str]:
    """The steps as the way from the start meets them; what it does not meet comes last."""
    after: dict[str, list[str]] = {}
    for edge in edges:
        after.setdefault(edge.start, []).append(edge.end)
    left = set(steps)
    order: list[str] = []
    waiting = [START]
    while waiting:
        name = waiting.pop(0)
        for end in after.get(name, ()):
            if end in left:
                left.remove(end)
                order.append(end)
                waiting.append(end)
    return order + [name for name in steps if name in left]


def layers(steps: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """How many steps lie before each on the longest way from the start; loops do not count."""
    after: dict[str, list[str]] = {}
    for edge in edges:
        if edge.end not in (END, ANYWHERE):
            after.setdefault(edge.start, []).append(edge.end)
    back = set(_back_edges(after))
    depth = dict.fromkeys(steps, 0)
    for _ in range(len(depth)):
        changed = False
        for start, ends in after.items():
            for end in ends:
                least = depth.get(start, -1) + 1
                if (start, end) not in back and depth.get(end, least) < least:
                    depth[end], changed = least, True
        if not changed:
            break
    return depth


def _back_edges(after: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    state: dict[str, bool] = {}  # True while a step is on the current path
    for root in (START, *after):
        if root in state:
            continue
        state[root] = True
        stack = [(root, iter(after.get(root, ())))]
        while stack:
            name, ends = stack[-1]
            end = next(ends, None)
            if end is None:
                state[name] = False
                stack.pop()
            elif state.get(end):
                yield name, end
            elif end not in state:
                state[end] = True
                stack.append((end, iter(after.get(end, ()))))
