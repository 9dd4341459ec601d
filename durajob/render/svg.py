"""A workflow's graph as a picture: steps in layers, from the top to the bottom.

Small on purpose: a step stands below all that lead to it, and beside its layer's others in the
order that keeps lines short. The colours follow the reader's light or dark mode.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from durajob.picture import ANYWHERE, END, START, Edge, Picture, layers
from durajob.render import marks
from durajob.render.drawn import Progress, progress
from durajob.render.text import cut, one_line

_LETTER, _PAD, _HEIGHT, _ACROSS, _DOWN, _EDGE = 8, 14, 40, 28, 54, 20
_LONGEST = 40
_ROUNDS = 6

_STYLE = """
svg { color-scheme: light dark; --text: #1b1f24; --line: #59636e; --box: #f6f8fa; }
@media (prefers-color-scheme: dark) { svg { --text: #e6edf3; --line: #9198a1; --box: #161b22; } }
text { font: 13px ui-monospace, monospace; fill: var(--text); text-anchor: middle; }
text.said { font-size: 11px; fill: var(--line); }
rect { fill: var(--box); stroke: var(--line); stroke-width: 1; }
path { fill: none; stroke: var(--line); stroke-width: 1.2; }
path.chosen { stroke-dasharray: 5 4; }
marker path { fill: var(--line); stroke: none; }
""" + "\n".join(
    f"rect.{each.value} {{ stroke: {color}; stroke-width: 2.5; }}"
    for each, color in marks.HEX.items()
)


def svg(picture: Picture) -> str:
    """The picture as one SVG file."""
    return "".join(_parts(picture))


def _parts(picture: Picture) -> Iterator[str]:
    stands = progress(picture)
    edges = [edge for edge in picture.edges if ANYWHERE not in edge]
    places, width, height = _placed(picture, edges, stands)
    title = one_line(picture.thread.thread if picture.thread else picture.name)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z"/></marker></defs>\n'
    )
    for edge in edges:
        yield _line(edge, places)
    for name, (x, y, wide) in places.items():
        own = stands.get(name)
        kind = own.status.value if own and own.status else "none"
        mark = f"{marks.ATTEMPT[own.status].mark} " if own and own.status else ""
        said = own.said if own else ""
        radius = _HEIGHT / 2 if name in (START, END) else 6
        label = {START: "start", END: "end"}.get(name, one_line(name))
        yield (
            f"<g><title>{escape(f'{label} {said}'.strip())}</title>"
            f'<rect class="{kind}" x="{x - wide / 2:.0f}" y="{y:.0f}" width="{wide:.0f}" '
            f'height="{_HEIGHT}" rx="{radius:.0f}"/>'
            f'<text x="{x:.0f}" y="{y + (18 if said else 25):.0f}">'
            f"{escape(mark + cut(label, _LONGEST))}</text>"
        )
        if said:
            yield f'<text class="said" x="{x:.0f}" y="{y + 33:.0f}">'
            yield f"{escape(cut(said, _LONGEST))}</text>"
        yield "</g>\n"
    yield "</svg>\n"


Places = dict[str, tuple[float, float, float]]
"""Of each step the middle, the top and the width."""


def _placed(
    picture: Picture, edges: Sequence[Edge], stands: Mapping[str, Progress]
) -> tuple[Places, float, float]:
    depth = {name: level + 1 for name, level in layers(picture.steps, edges).items()}
    depth[START] = 0
    if any(edge.end == END for edge in edges):
        depth[END] = max(depth.values()) + 1
    rows: dict[int, list[str]] = {}
    for name in (START, *picture.steps, *([END] if END in depth else [])):
        rows.setdefault(depth[name], []).append(name)
    order = [rows[level] for level in sorted(rows)]
    _untangle(order, edges)
    widths = {name: _width(name, stands.get(name)) for name in depth}
    breadths = [sum(widths[n] for n in row) + _ACROSS * (len(row) - 1) for row in order]
    whole = max(breadths) + 2 * (_EDGE + _ACROSS)
    places: Places = {}
    for level, (row, breadth) in enumerate(zip(order, breadths, strict=True)):
        x = (whole - breadth) / 2
        for name in row:
            places[name] = (x + widths[name] / 2, _EDGE + level * (_HEIGHT + _DOWN), widths[name])
            x += widths[name] + _ACROSS
    return places, whole, 2 * _EDGE + len(order) * (_HEIGHT + _DOWN) - _DOWN


def _untangle(order: list[list[str]], edges: Sequence[Edge]) -> None:
    """Put each step near the middle of those that it is joined to, a few times up and down."""
    joined: dict[str, list[str]] = {}
    for edge in edges:
        joined.setdefault(edge.start, []).append(edge.end)
        joined.setdefault(edge.end, []).append(edge.start)
    for turn in range(_ROUNDS):
        place = {name: i / len(row) for row in order for i, name in enumerate(row)}
        for row in order if turn % 2 == 0 else order[::-1]:

            def middle(name: str, place: dict[str, float] = place) -> float:
                near = [place[other] for other in joined.get(name, ()) if other in place]
                return sum(near) / len(near) if near else place[name]

            row.sort(key=middle)
            place |= {name: i / len(row) for i, name in enumerate(row)}


def _width(name: str, own: Progress | None) -> float:
    label = 5 if name in (START, END) else min(len(one_line(name)), _LONGEST)
    said = min(len(own.said), _LONGEST) * 0.85 if own else 0
    return max(label + (2 if own and own.status else 0), said) * _LETTER + 2 * _PAD


def _line(edge: Edge, places: Places) -> str:
    x, y, wide = places[edge.start]
    to_x, to_y, to_wide = places[edge.end]
    kind = ' class="chosen"' if edge.router is not None else ""
    if to_y > y:
        top, half = y + _HEIGHT, (to_y - y - _HEIGHT) / 2
        passes = to_y - y > _HEIGHT + _DOWN + 1  # beside what stands between, not behind it
        aside = wide / 2 + 2 * _ACROSS if passes and abs(to_x - x) < wide else 0
        way = f"M{x:.0f} {top:.0f}C{x - aside:.0f} {top + half:.0f} "
        way += f"{to_x - aside:.0f} {to_y - half:.0f} "
        way += f"{to_x:.0f} {to_y:.0f}"
    else:  # back, or to itself: around the right side
        right, to_right = x + wide / 2, to_x + to_wide / 2
        far = max(right, to_right) + _ACROSS
        start, end = y + _HEIGHT * 0.7, to_y + _HEIGHT * 0.3
        way = f"M{right:.0f} {start:.0f}C{far:.0f} {start:.0f} {far:.0f} {end:.0f} "
        way += f"{to_right:.0f} {end:.0f}"
    label = f"<title>{escape(one_line(edge.router))}</title>" if edge.router else ""
    return f'<path{kind} d="{way}" marker-end="url(#tip)">{label}</path>\n'
