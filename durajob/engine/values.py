"""Values as the store keeps them, and the refusal of what it cannot keep."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from langgraph.types import Send

from durajob.errors import ResultNotStorable
from durajob.store.ledger import MAX_VALUE


def to_store(
    serde: Any, who: str, value: Any, *, did: str = "returned", so: str = ""
) -> tuple[str, bytes]:
    """What ``who`` returned (or ``did``), as it is stored: type and bytes.

    ``so`` is what follows from a refusal.

    Raises:
        ResultNotStorable: naming the key under which the trouble lies.
    """
    try:
        kind, data = serde.dumps_typed(value)
    except Exception as error:
        raise ResultNotStorable(
            f"{who} {did} what cannot be stored{_culprit(serde, value)}: {error}{so}",
            hint="return plain data (or what your state's types say), not open files, "
            "connections, locks or functions",
        ) from error
    # The serialiser writes "?" for what is no character, and says nothing.
    if b"?" in data and _is_garbled(value):
        raise ResultNotStorable(
            f"{who} {did} what cannot be stored{_culprit(serde, value)}: text with bytes that are "
            f"no UTF-8, such as the name of a file{so}",
            hint="encode it, for example with os.fsencode: bytes can be stored",
        )
    if len(data) > MAX_VALUE:
        raise ResultNotStorable(
            f"{who} {did} {len(data):,} bytes; at most {MAX_VALUE:,} can be stored{so}",
            hint="keep large data in files and return their paths",
        )
    return kind, data


def _culprit(serde: Any, value: Any) -> str:
    if isinstance(value, dict):
        for key, one in value.items():
            if _is_garbled(key) or _is_garbled(one) or not _is_storable(serde, one):
                return f" under {key!r} (of type {type(one).__name__})"
    return ""


def _is_storable(serde: Any, value: Any) -> bool:
    try:
        serde.dumps_typed(value)
    except Exception:
        return False
    return True


def _is_garbled(value: Any) -> bool:
    """Whether plain data holds text that is none: lone surrogates, as of undecodable bytes."""
    left, seen = [value], set[int]()
    while left:
        one = left.pop()
        if isinstance(one, str):
            if not one.isascii() and not _is_utf8(one):
                return True
            continue
        if id(one) in seen:  # what cannot be stored may hold itself
            continue
        seen.add(id(one))
        if isinstance(one, dict):
            left += (*one.keys(), *one.values())
        elif isinstance(one, list | tuple | set | frozenset):
            left += one
        elif isinstance(one, Send):
            left.append(one.arg)
        elif is_dataclass(one) and not isinstance(one, type):
            left += [getattr(one, field.name, None) for field in fields(one)]
    return False


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
