"""The timeline as a page that needs nothing else: no network, no script, light and dark.

Each step has a row; attempts that ran at once are drawn in lanes below each other. Whoever
cannot see the picture, or wants the figures, has the same in a table under it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from durajob import clock
from durajob.durations import counted, format_duration
from durajob.model import AttemptStatus
from durajob.render.pages import group_of
from durajob.render.text import error_text, moment, one_line
from durajob.timeline import Bar, Scale, Timeline

_WIDE, _LANE = 10_000, 14
_LEAST = 12  # of _WIDE: a bar that is narrower could not be seen
_TICKS = 8

_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --text: #1b1f24; --faint: #59636e;
  --line: #d5dbe1; --succeeded: #1a7f37; --failed: #cf222e; --timed_out: #bc4c00;
  --abandoned: #9a6700; --running: #0969da; --skipped: #6e7781; }
@media (prefers-color-scheme: dark) { :root { --ground: #0d1117; --text: #e6edf3;
  --faint: #9198a1; --line: #30363d; --succeeded: #3fb950; --failed: #f85149;
  --timed_out: #f0883e; --abandoned: #d29922; --running: #58a6ff; --skipped: #8b949e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 100rem; background: var(--ground);
  color: var(--text); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.35rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }
p { margin: .2rem 0; color: var(--faint); overflow-wrap: anywhere; }
p.error { color: var(--failed); }
ul.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; padding: 0;
  margin: 1rem 0; }
ul.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px;
  margin-right: .4rem; vertical-align: -.1em; }
figure { margin: 0; overflow-x: auto; }
.rows { display: grid; grid-template-columns: minmax(8rem, 18rem) minmax(24rem, 1fr);
  gap: 0 1rem; }
.rows > * { border-top: 1px solid var(--line); padding: .35rem 0; min-width: 0; }
.name { overflow-wrap: anywhere; }
.name small { color: var(--faint); display: block; }
.axis { position: relative; height: 2rem; font-size: .8rem; color: var(--faint); }
.axis span { position: absolute; white-space: nowrap; }
svg { display: block; width: 100%; }
rect:hover { opacity: .65; }
.gap { fill: var(--line); background: var(--line); opacity: .55; }
table { border-collapse: collapse; margin-top: .6rem; font-size: .87rem; }
th, td { text-align: left; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
summary { cursor: pointer; margin-top: 1.5rem; }
""" + "\n".join(
    f".{each.value} {{ fill: var(--{each.value}); background: var(--{each.value}); }}"
    for each in AttemptStatus
)

_NAMES = {each: each.value.replace("_", " ") for each in AttemptStatus}


def webpage(timeline: Timeline, *, made_by: str) -> str:
    """The page; ``made_by`` is how it begins."""
    return "".join(_parts(timeline, made_by))


def _parts(timeline: Timeline, made_by: str) -> Iterator[str]:
    thread, bars = timeline.thread, timeline.bars
    title = _safe(f"{thread.thread} · {thread.workflow}")
    yield f"""{made_by}
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{_STYLE}</style></head>
<body><main><h1>{title}</h1>
<p>{_safe(_summary(timeline))}</p>
"""
    if thread.error is not None:
        where = f"{thread.error.step}: " if thread.error.step else ""
        yield f'<p class="error">{_safe(where + error_text(thread.error))}</p>\n'
    if bars:
        yield from _picture(timeline)
        yield from _table(bars)
    else:
        yield "<p>Nothing of it has run.</p>\n"
    drawn = clock.to_rfc3339(timeline.now)
    yield f"<p>Drawn {drawn} by durajob.</p></main></body></html>\n"


def _summary(timeline: Timeline) -> str:
    thread, bars = timeline.thread, timeline.bars
    of = f"{thread.done} of " if thread.total else ""
    done = of + counted(thread.total or thread.done, "step")
    told = f"{thread.status.value}, {done} done, {len(bars):,} attempts"
    if bars:
        start, end = min(b.started_at for b in bars), max(b.finished_at for b in bars)
        took = format_duration((end - start) / 1e6)
        told += f", from {moment(start)} to {moment(end)} ({took})"
    return told


def _picture(timeline: Timeline) -> Iterator[str]:
    bars = timeline.bars
    scale = Scale(bars)
    there = {bar.status for bar in bars}
    yield '<ul class="legend">'
    for status in AttemptStatus:
        if status in there:
            yield f'<li><i class="{status.value}"></i>{_NAMES[status]}</li>'
    if scale.gaps:
        yield '<li><i class="gap"></i>nothing ran; not to scale</li>'
    yield '</ul>\n<figure><div class="rows"><div></div><div class="axis" aria-hidden="true">'
    for tick in range(_TICKS):
        at = tick / _TICKS
        offset = format_duration((scale.time(at) - scale.start) / 1e6)
        yield f'<span style="left: {at * 100:.2f}%">{offset}</span>'
    yield "</div>\n"
    groups: dict[str, list[Bar]] = {}
    for bar in bars:
        groups.setdefault(group_of(bar.step), []).append(bar)
    for group, own in groups.items():
        yield from _row(group, own, scale)
    yield "</div></figure>\n"


def _row(group: str, own: Sequence[Bar], scale: Scale) -> Iterator[str]:
    steps = len({bar.step for bar in own})
    said = [f"{steps:,} branches"] if steps > 1 else []
    said += [f"{len(own):,} attempts"] if len(own) > steps else []
    lanes: list[int] = []
    placed = []
    for bar in sorted(own, key=lambda bar: bar.started_at):
        lane = next((i for i, free in enumerate(lanes) if free <= bar.started_at), len(lanes))
        lanes[lane : lane + 1] = [bar.finished_at]
        placed.append((lane, bar))
    height = len(lanes) * _LANE
    name = _safe(group)
    notes = f"<small>{', '.join(said)}</small>" if said else ""
    yield f'<div class="name">{name}{notes}</div><div><svg role="img" aria-label="{name}" '
    yield f'viewBox="0 0 {_WIDE} {height}" height="{height}" preserveAspectRatio="none">'
    for gap in scale.gaps:
        left, right = (scale.position(at) * _WIDE for at in gap)
        yield f'<rect class="gap" x="{left:.0f}" width="{right - left:.0f}" height="{height}">'
        paused = format_duration((gap.end - gap.start) / 1e6)
        yield f"<title>nothing ran for {paused}</title></rect>"
    for lane, bar in placed:
        left, right = (scale.position(at) * _WIDE for at in (bar.started_at, bar.finished_at))
        left = min(left, _WIDE - _LEAST)
        yield (
            f'<rect class="{bar.status.value}" x="{left:.0f}" y="{lane * _LANE + 1}" '
            f'width="{max(right - left, _LEAST):.0f}" height="{_LANE - 2}" rx="2">'
            f"<title>{_safe(_told(bar))}</title></rect>"
        )
    yield "</svg></div>\n"


def _told(bar: Bar) -> str:
    visit = f" visit {bar.visit}" if bar.visit > 1 else ""
    error = f": {error_text(bar.error)}" if bar.error is not None else ""
    return (
        f"{bar.step}{visit}, attempt {bar.attempt}, {_NAMES[bar.status]}, {_took(bar)}, "
        f"from {moment(bar.started_at)}{error}"
    )


def _took(bar: Bar) -> str:
    took = format_duration((bar.finished_at - bar.started_at) / 1e6)
    if bar.ended:
        return took
    return f"{took} so far" if bar.status is AttemptStatus.RUNNING else f"at least {took}"


def _table(bars: Sequence[Bar]) -> Iterator[str]:
    yield "<details><summary>Every attempt, as a table</summary><table><thead><tr>"
    for column in ("step", "visit", "attempt", "status", "began", "time", "error"):
        yield f'<th scope="col">{column}</th>'
    yield "</tr></thead><tbody>\n"
    for bar in bars:
        error = "" if bar.error is None else error_text(bar.error)
        began = clock.to_rfc3339(bar.started_at) or ""
        numbers = (str(bar.visit), str(bar.attempt))
        cells = (bar.step, *numbers, _NAMES[bar.status], began, _took(bar), error)
        yield f"<tr>{''.join(f'<td>{_safe(cell)}</td>' for cell in cells)}</tr>\n"
    yield "</tbody></table></details>\n"


def _safe(text: str) -> str:
    return escape(one_line(text))
