"""Text that came from users and their steps, made fit for one line of a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from durajob import clock
from durajob.durations import format_duration
from durajob.render.marks import CUT

if TYPE_CHECKING:
    from durajob.model import StepError

_LONGEST_ERROR = 500
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


def beginning(value: Any, length: int) -> Any:
    """A value whose JSON begins with the same ``length`` characters, and is not much longer.

    A state may have hundreds of megabytes, of which a page shows a line.
    """
    return _beginning(value, length)[0]


def error_text(error: StepError, *, full: bool = False) -> str:
    """``ConnectionError: refused``, on one line."""
    message = one_line(error.message)
    text = f"{error.type}: {message}" if message else error.type
    return text if full else cut(text, _LONGEST_ERROR)


def json_text(value: Any) -> str:
    """One value as JSON for people: on one line, in their own letters."""
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        from durajob.render.envelope import jsonable

        return json.dumps(jsonable(value), allow_nan=False, ensure_ascii=False)


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


def _beginning(value: Any, left: int) -> tuple[Any, int]:
    """The beginning, and how many characters are left after it."""
    if isinstance(value, (str, bytes)):
        return value[:left], left - len(value)
    if isinstance(value, Mapping):
        some: dict[Any, Any] = {}
        for key, each in value.items():
            if left <= 0:
                break
            some[key], left = _beginning(each, left - len(key) if isinstance(key, str) else left)
        return some, left - 1
    if isinstance(value, (list, tuple)):
        items = []
        for each in value:
            if left <= 0:
                break
            item, left = _beginning(each, left)
            items.append(item)
        return items, left - 1
    return value, left - 1


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
