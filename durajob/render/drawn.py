"""A workflow's graph as text: a tree in the terminal, Mermaid for documents; SVG is in ``svg``.

Each step has its mark where a thread's progress is drawn, and always stands once: what leads to
it from elsewhere names it after an arrow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from durajob.model import AttemptStatus, Step, Thread
from durajob.picture import ANYWHERE, END, START, Edge, Picture, layers
from durajob.render import marks
from durajob.render.pages import group_of, progress_text
from durajob.render.text import cut, one_line

_WORST_FIRST = (
    AttemptStatus.FAILED,
    AttemptStatus.TIMED_OUT,
    AttemptStatus.ABANDONED,
    AttemptStatus.RUNNING,
    AttemptStatus.SKIPPED,
    AttemptStatus.SUCCEEDED,
)
_LONGEST = 60

Piece = tuple[str, str]


class Progress(NamedTuple):
    """How a step of a thread stands; ``said`` is what is worth telling besides."""

    status: AttemptStatus | None  # None: it has not begun
    said: str
    is_next: bool


def progress(picture: Picture) -> Mapping[str, Progress]:
    """How each step stands; nothing where no thread is drawn."""
    thread = picture.thread
    if thread is None:
        return {}
    met: dict[str, list[Step]] = {}
    for step in thread.steps or ():
        met.setdefault(group_of(step.step), []).append(step)
    coming = {group_of(name) for name in thread.next}
    return {name: _progress(met.get(name, ()), name in coming) for name in picture.steps}


def _progress(met: Sequence[Step], is_next: bool) -> Progress:
    if not met:
        return Progress(None, "next" if is_next else "", is_next)
    branches = {step.step: step for step in met}
    latest = list(branches.values())
    counts = Counter(step.status for step in latest)
    status = next(each for each in _WORST_FIRST if counts[each])
    told = []
    if len(latest) > 1:
        told.append(", ".join(f"{counts[s]} {s.value}" for s in AttemptStatus if counts[s]))
    elif latest[0].visit > 1:
        told.append(f"{latest[0].visit} visits")
    if len(latest) == 1 and latest[0].attempts > 1:
        told.append(f"attempt {latest[0].attempts}")
    return Progress(status, ", ".join(told), is_next)


def tree_lines(picture: Picture, *, width: int, color: bool, drawn: bool) -> Iterator[str]:
    """The tree, line by line; without ``drawn`` statuses are words instead of marks."""
    stands = progress(picture)
    for branch, name, also in _tree(picture):
        own = stands.get(name)
        pieces: list[Piece] = [(branch, marks.LABEL)]
        said = ""
        if own is not None:
            look = marks.NEXT if own.status is None else marks.ATTEMPT[own.status]
            style = look.style if own.status is not None or own.is_next else marks.LABEL
            if drawn:
                pieces.append((f"{look.mark} ", style))
            word = "" if own.status is None or drawn else own.status.value
            said = ", ".join(part for part in (word, own.said) if part)
        pieces.append((cut(one_line(name), _LONGEST), ""))
        pieces.append((f"  {said}" if said else "", marks.LABEL))
        pieces.append((f"  {also}" if also else "", marks.LABEL))
        room = width if drawn else 10_000
        line = ""
        for text, style in pieces:
            text = cut(text, room) if room > 0 else ""
            room -= len(text)
            line += marks.paint(text, style if color else "")
        yield line.rstrip()


def head_line(thread: Thread, *, color: bool, drawn: bool) -> str:
    """Which thread it is, and how it stands."""
    look = marks.THREAD[thread.status]
    mark = marks.paint(f"{look.mark} ", look.style if color else "") if drawn else ""
    head = f"{thread.thread}  {one_line(thread.workflow)}  {thread.status.value}"
    return f"{mark}{head}, {progress_text(thread)} steps done"


def _tree(picture: Picture) -> Iterator[tuple[str, str, str]]:
    """For each line what is drawn before the step, its name, and where else it leads."""
    depth = layers(picture.steps, picture.edges)
    after: dict[str, list[Edge]] = {}
    for edge in picture.edges:
        after.setdefault(edge.start, []).append(edge)
    # A step hangs on the latest of those that lead to it, so that a join stands under all.
    parents: dict[str, str] = {}
    for edge in picture.edges:
        if depth.get(edge.start, -1) < depth.get(edge.end, -1):
            before = parents.get(edge.end)
            if before is None or depth.get(before, -1) < depth.get(edge.start, -1):
                parents[edge.end] = edge.start
    children: dict[str, list[str]] = {}
    for name in picture.steps:
        children.setdefault(parents.get(name, START), []).append(name)
    stack = [("", "", name) for name in reversed(children.get(START, ()))]
    while stack:
        head, tail, name = stack.pop()
        own = children.get(name, [])
        also = [edge for edge in after.get(name, ()) if edge.end not in own]
        chosen = next((e.router for e in after.get(name, ()) if e.router is not None), None)
        yield head, name, _leads(name, also, chosen)
        if len(own) == 1:
            stack.append((tail, tail, own[0]))
            continue
        for place, child in enumerate(reversed(own)):
            last = place == 0
            stack.append(
                (
                    tail + (marks.LAST if last else marks.BRANCH),
                    tail + ("   " if last else marks.STEM),
                    child,
                )
            )


def _leads(name: str, also: Sequence[Edge], router: str | None) -> str:
    names = [
        "the end" if e.end == END else "any step" if e.end == ANYWHERE else one_line(e.end)
        for e in also
    ]
    if names == ["the end"] and router is None:
        names = []
    if len(names) > 6:
        names = [*names[:5], f"{len(names) - 5} more"]
    told = f"{marks.LEADS} {', '.join(names)}" if names else ""
    by = f" (by {one_line(router)})" if router else " (chosen)" if router is not None else ""
    return (told + by).strip()


def mermaid(picture: Picture) -> str:
    """A flowchart; a thread's progress is in classes."""
    stands = progress(picture)
    numbers = {name: f"s{number}" for number, name in enumerate(picture.steps)}
    numbers |= {START: "start", END: "end_", ANYWHERE: "any"}
    used = {name for edge in picture.edges for name in (edge.start, edge.end)}
    lines = ["flowchart TD"]
    for name, label in ((START, "start"), (END, "end"), (ANYWHERE, "any step")):
        if name in used:
            lines.append(f'    {numbers[name]}(["{label}"])')
    for name in picture.steps:
        own = stands.get(name)
        mark = marks.ATTEMPT[own.status].mark + " " if own and own.status else ""
        said = f"<br/>{_quoted(own.said)}" if own and own.said else ""
        lines.append(f'    {numbers[name]}["{mark}{_quoted(name)}{said}"]')
    for edge in picture.edges:
        arrow = "-->" if edge.router is None else "-.->"
        label = f'|"{_quoted(edge.router)}"|' if edge.router else ""
        lines.append(f"    {numbers[edge.start]} {arrow}{label} {numbers[edge.end]}")
    for status in AttemptStatus:
        own_names = [numbers[n] for n, each in stands.items() if each.status is status]
        if own_names:
            stroke = marks.HEX[status]
            lines.append(f"    classDef {status.value} stroke:{stroke},stroke-width:3px")
            lines.append(f"    class {','.join(own_names)} {status.value}")
    return "\n".join(lines) + "\n"


def picture_data(picture: Picture) -> dict[str, Any]:
    """The graph, and how a thread stands on it."""
    stands = progress(picture)
    steps = []
    for name in picture.steps:
        own = stands.get(name)
        status = None if own is None or own.status is None else own.status.value
        steps.append({"step": name, "status": status, "next": own is not None and own.is_next})
    return {
        "workflow": picture.name,
        "thread": None if picture.thread is None else picture.thread.thread,
        "steps": steps,
        "edges": [
            {"from": each.start, "to": each.end, "router": each.router} for each in picture.edges
        ],
        "mermaid": mermaid(picture),
    }


def _quoted(text: str) -> str:
    """What Mermaid would take for its own is written as an entity."""
    return "".join(
        each if each.isalnum() or each in " _-./,:" else f"#{ord(each)};" for each in one_line(text)
    )
