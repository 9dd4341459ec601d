"""What the built-in workflows do with their inputs, which come as JSON or as plain text."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def number(
    state: Mapping[str, Any], key: str, default: float, *, least: float = 0, most: float = 86400
) -> float:
    """The number under ``key``.

    Raises:
        ValueError: when it is none, or not between ``least`` and ``most``.
    """
    given = state.get(key, default)
    try:
        value = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError):
        value = math.nan
    if not least <= value <= most:
        raise ValueError(f"input {key!r} is {given!r}, not a number from {least:g} to {most:g}")
    return value


def flag(state: Mapping[str, Any], key: str, *, default: bool = False) -> bool:
    """The yes or no under ``key``.

    Raises:
        ValueError: when it is neither.
    """
    given = state.get(key, default)
    text = str(given).lower()
    if text in ("true", "yes", "1"):
        return True
    if text in ("false", "no", "0", "", "none"):
        return False
    raise ValueError(f"input {key!r} is {given!r}, not true or false")


def text(state: Mapping[str, Any], key: str, *, choices: tuple[str, ...] = ()) -> str | None:
    """The text under ``key``; None where there is none.

    Raises:
        ValueError: when it is not one of ``choices``.
    """
    given = state.get(key)
    if given is None or given == "":
        return None
    if choices and given not in choices:
        raise ValueError(f"input {key!r} is {given!r}, not one of {', '.join(choices)}")
    return str(given)


def own_file(name: str) -> Path:
    """A file for this user alone in the folder for temporary files; wherever one stands."""
    return Path(tempfile.gettempdir()) / f"durajob-{os.getuid()}-{name}"


def fail_on_demand(state: Mapping[str, Any], *, here: bool) -> None:
    """Fail if the inputs ask for it ``here``, unless the file ``until`` has come to exist.

    Raises:
        RuntimeError: the failure that was asked for.
    """
    until = text(state, "until")
    if here and not (until is not None and Path(until).exists()):
        way_out = "" if until is None else f", until the file {until} exists"
        raise RuntimeError(f"failing here, as the input asks{way_out}")
