"""Lines of logs, for people and as JSON."""

from __future__ import annotations

import json
from typing import Any

from durajob import clock
from durajob.logbook import LogLine, Logs
from durajob.render import marks
from durajob.render.text import one_line, printed


def text_line(line: LogLine, *, terminal: bool, color: bool) -> str:
    """``<time> load| 2,340 rows``; on a terminal the time is local, and short."""
    at = clock.to_rfc3339(line.at) or ""
    if terminal:
        at = clock.to_datetime(line.at).astimezone().strftime("%H:%M:%S.%f")[:-3]
    name = "" if line.step is None else one_line(line.step)
    if line.visit is not None and line.visit > 1:
        name += f" (visit {line.visit})"
    if line.attempt is not None and line.attempt > 1:
        name += f" (attempt {line.attempt})"
    said = "" if line.level is None else f"{line.level} {line.logger}: "
    style = marks.LABEL if color else ""
    return f"{marks.paint(f'{at} {name}|', style)} {printed(said + line.line)}".rstrip()


def json_line(line: LogLine) -> str:
    """One line as an object."""
    return json.dumps(as_object(line))


def logs_data(result: Logs) -> dict[str, Any]:
    """All lines."""
    return {"thread": result.thread, "lines": [as_object(line) for line in result.lines]}


def as_object(line: LogLine) -> dict[str, Any]:
    """One line with all that is known of it."""
    return {**line._asdict(), "at": clock.to_rfc3339(line.at)}
