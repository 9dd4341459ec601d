"""The input of a thread, from what was typed: one JSON object, checked before anything else."""

from __future__ import annotations

import json
import math
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from durajob.errors import InputError, InputFileNotFound, UsageError

MAX_INPUT = 10_000_000
"""The largest input, in bytes of JSON. Larger data belong into a file whose path is given."""
MAX_DEPTH = 100
"""How deep lists and objects may be nested."""
_FLATTER = f"nest lists and objects at most {MAX_DEPTH} deep, or give such data as text"


def read_input(
    base: Mapping[str, Any], input_file: str | None, pairs: Sequence[str]
) -> dict[str, Any]:
    """The workflow's own input, over it the file's, over it each ``-i`` from left to right.

    Raises:
        UsageError: when a pair is malformed.
        InputFileNotFound: when the file is missing.
        InputError: when what is given is no JSON object that can be taken.
    """
    merged = dict(base)
    if input_file is not None:
        merged.update(_read_file(input_file))
    for pair in pairs:
        key, value = _read_pair(pair)
        merged[key] = value
    _check(merged)
    return merged


def _read_file(name: str) -> dict[str, Any]:
    shown = "standard input" if name == "-" else _short(name)
    data = sys.stdin.buffer.read(MAX_INPUT + 1) if name == "-" else _read_bytes(name)
    if len(data) > MAX_INPUT:
        raise InputError(
            f"the input in {shown} is larger than {MAX_INPUT:,} bytes",
            hint="keep the data in a file and give its path as input",
        )
    try:
        value = _parse(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(
            f"the input in {shown} is not UTF-8 (byte {error.start})", hint="save it as UTF-8"
        ) from error
    except RecursionError as error:
        raise InputError(f"the input in {shown} is nested too deeply", hint=_FLATTER) from error
    except ValueError as error:
        raise InputError(
            f"the input in {shown} is not JSON: {error}", hint="check it with a JSON validator"
        ) from error
    if not isinstance(value, dict):
        raise InputError(
            f"the input in {shown} is {_kind(value)}, but must be a JSON object",
            hint='write {"key": value, …}',
        )
    return value


def _read_bytes(name: str) -> bytes:
    try:
        with open(name, "rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode) and status.st_size > MAX_INPUT:
                return bytes(MAX_INPUT + 1)
            return file.read(MAX_INPUT + 1)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else str(error)
        raise InputFileNotFound(
            f"the input file {_short(name)} cannot be read: {reason}",
            hint="check the path and its mode",
        ) from error


def _read_pair(pair: str) -> tuple[str, Any]:
    key, separator, text = pair.partition("=")
    if not separator or key in ("", ":"):
        raise UsageError(f"malformed -i {pair[:100]!r}", hint="write -i KEY=TEXT or -i KEY:=JSON")
    if _is_not_utf8(pair):
        raise InputError(f"-i {key!r} is not UTF-8", hint="give bytes as a file's path instead")
    if not key.endswith(":"):
        return key, text
    try:
        return key[:-1], _parse(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"-i {key}= takes JSON, and {text[:100]!r} is not: {error}",
            hint=f"for text write -i {key[:-1]}=…",
        ) from error


def _check(value: Mapping[str, Any]) -> None:
    try:
        size = len(json.dumps(value))
    except (ValueError, RecursionError) as error:
        raise InputError(f"the input cannot be stored: {error}", hint=_FLATTER) from error
    if size > MAX_INPUT:
        raise InputError(
            f"the input has {size:,} bytes; at most {MAX_INPUT:,} are taken",
            hint="keep the data in a file and give its path as input",
        )
    _check_part(value, 1)


def _check_part(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise InputError(f"the input is nested more than {MAX_DEPTH} deep", hint=_FLATTER)
    if isinstance(value, dict):
        for key, item in value.items():
            _check_part(key, depth)
            _check_part(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_part(item, depth + 1)
    elif isinstance(value, str):
        if _is_not_utf8(value):
            raise InputError(
                "the input holds text that is not valid Unicode",
                hint="give bytes as a file's path instead",
            )
    elif isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise InputError(
            "the input holds an integer beyond 64 bits", hint="give it as text instead"
        )
    elif isinstance(value, float) and not math.isfinite(value):
        raise InputError(
            "the input holds a number that is not finite", hint="give it as text instead"
        )


def _parse(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object. Of two equal keys some readers take the first, others the last."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:60]!r} stands twice in one object")
        found[key] = value
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _short(name: str) -> str:
    return repr(name if len(name) <= 200 else f"{name[:199]}…")


def _is_not_utf8(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _kind(value: Any) -> str:
    names = {list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
