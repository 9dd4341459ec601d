"""Results as the one JSON envelope that scripts read; the plain ``json`` module only.

A value that JSON does not know never breaks the envelope. It is shown like this: NaN and the
infinities as the strings "NaN", "Infinity", "-Infinity"; bytes as {"base64": …}; sets as
sorted lists; dates, paths, numbers of other kinds as their text; records as objects; an
integer too long for decimal as hexadecimal text; a value inside itself as "<cycle>"; anything
else as its repr. The output is ASCII, lone surrogates are escaped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from enum import Enum
from typing import Any

from durajob.model import ErrorInfo, Result
from durajob.render import VIEWS, found

VERSION = 1
_DEEPEST = 100
_LONGEST_INT = 10_000  # bits; Python refuses to write longer ones in decimal
_LONGEST_REPR = 2_000


def envelope(command: str, result: Result) -> str:
    """A result as one line of JSON."""
    data = found(VIEWS[type(result).__name__].data)(result)
    return _whole(command, result.exit_status, data, result.error)


def error_envelope(command: str, error: ErrorInfo, exit_status: int) -> str:
    """An error that left no result, as one line of JSON."""
    return _whole(command, exit_status, None, error)


def error_object(error: ErrorInfo | None) -> dict[str, Any] | None:
    """What went wrong, as an object."""
    if error is None:
        return None
    return {"code": error.code, "message": error.message, "hint": error.hint}


def json_line(value: Any) -> str:
    """A value as one line of JSON for scripts."""
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return json.dumps(jsonable(value), allow_nan=False)


def jsonable(value: Any) -> Any:
    """``value`` as JSON can hold it, by the rules of this module."""
    return _jsonable(value, ())


def _whole(command: str, exit_status: int, data: Any, error: ErrorInfo | None) -> str:
    return json_line(
        {
            "version": VERSION,
            "command": command,
            "ok": exit_status == 0,
            "exit_code": exit_status,
            "data": data,
            "error": error_object(error),
        }
    )


def _jsonable(value: Any, above: tuple[int, ...]) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _jsonable(value.value, above)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value) if int(value).bit_length() <= _LONGEST_INT else hex(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _not_finite(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        import base64

        return {"base64": base64.b64encode(bytes(value)).decode("ascii")}
    if id(value) in above:
        return "<cycle>"
    if len(above) >= _DEEPEST:
        return _repr(value)
    return _container(value, (*above, id(value)))


def _container(value: Any, above: tuple[int, ...]) -> Any:
    if isinstance(value, Mapping):
        return {_key(key): _jsonable(item, above) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item, above) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_jsonable(item, above) for item in value), key=repr)
    if hasattr(type(value), "__dataclass_fields__"):
        from dataclasses import fields

        return {f.name: _jsonable(getattr(value, f.name, None), above) for f in fields(value)}
    return _repr(value)


def _key(key: Any) -> str:
    """A key as ``json`` would write it, and its text where ``json`` would refuse."""
    shown = _jsonable(key, ())
    return shown if isinstance(shown, str) else json.dumps(shown)


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _repr(value: Any) -> str:
    """What stands for a value that is no JSON; user code in ``__str__`` may fail."""
    plain = type(value).__module__ in ("datetime", "decimal", "fractions", "pathlib", "uuid")
    try:
        return (str(value) if plain else repr(value))[:_LONGEST_REPR]
    except Exception:  # whatever a user's __repr__ raises
        return f"<{type(value).__name__}>"
