"""Checkpoints as plain data, without LangGraph and without running what they name.

LangGraph stores a checkpoint as msgpack in which a value that is more than plain data is an
extension: ``(module, name, payload, …)``. Reading keeps the payload and imports nothing.
"""

from __future__ import annotations

from typing import Any

import ormsgpack

_HIDDEN = "__"
_PRIVATE = ("branch:to:", "join:")
_NUMPY = 6
_DELTA_SNAPSHOT = 7


def channel_values(kind: str, data: bytes) -> dict[str, Any]:
    """The state in a stored checkpoint: its channels, without LangGraph's own.

    Raises:
        ValueError: when it is no checkpoint.
    """
    if kind != "msgpack":
        raise ValueError(f"a checkpoint of type {kind!r}")
    checkpoint = _unpack(data)
    values = checkpoint.get("channel_values") if isinstance(checkpoint, dict) else None
    if not isinstance(values, dict):
        raise ValueError("a checkpoint without channel values")
    if "__root__" in values:
        root = values["__root__"]
        # A state that is one open dict, as that of shell steps, is shown as it is.
        return root if isinstance(root, dict) else {"__root__": root}
    return {
        str(name): value
        for name, value in values.items()
        if not str(name).startswith(_HIDDEN) and not str(name).startswith(_PRIVATE)
    }


def check_value(kind: str, data: bytes) -> None:
    """Refuse a stored value that no serialiser of ours has written.

    Raises:
        ValueError, TypeError: saying what is wrong with it.
    """
    if kind == "msgpack":
        _unpack(data)
    elif kind not in ("null", "bytes", "bytearray"):
        raise ValueError(f"a value of type {kind!r}")


def _unpack(data: bytes) -> Any:
    return ormsgpack.unpackb(data, ext_hook=_plain, option=ormsgpack.OPT_NON_STR_KEYS)


def _plain(code: int, data: bytes) -> Any:
    value = _unpack(data)
    if code == _DELTA_SNAPSHOT:
        return value
    if code == _NUMPY:
        return f"array of {value[0]} {tuple(value[1])}" if isinstance(value, list) else value
    if isinstance(value, list) and len(value) > 2:
        return value[2]
    return value
