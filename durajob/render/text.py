"""Text that came from users and their steps, made fit for one line of a terminal."""

from __future__ import annotations

import re

from durajob import clock
from durajob.durations import format_duration
from durajob.render.marks import CUT

_STYLING = re.compile(r"\x1b\[[0-9;:]*m")
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_SPACE = re.compile(r"[\t\n\v\f\r ]+")


def one_line(text: str) -> str:
    """``text`` with its lines joined, and without power over the terminal."""
    return printed(_SPACE.sub(" ", text).strip())


def printed(line: str) -> str:
    """A line that a step printed: its spaces kept, colours dropped, controls made visible."""
    return _UNSAFE.sub(_escape, _STYLING.sub("", line.rstrip("\r\n").expandtabs()))


def cut(text: str, width: int) -> str:
    """At most ``width`` characters of ``text``; a mark at the end tells that there was more."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + CUT


def moment(at: int | None) -> str:
    """A stored time in the reader's time zone, for people."""
    if at is None:
        return ""
    return clock.to_datetime(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def age(at: int, now: int) -> str:
    """How long ago a stored time was; a clock that was set back makes it now."""
    return format_duration(max(now - at, 0) / 1e6)


def number(value: float) -> str:
    """A count as people write it: without a fraction where there is none."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"


def steps_text(count: int) -> str:
    """``1 step``, ``2 steps``."""
    return "1 step" if count == 1 else f"{count} steps"


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
