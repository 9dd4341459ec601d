"""Values as the store keeps them, and the refusal of what it cannot keep."""

from __future__ import annotations

from typing import Any

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
    if len(data) > MAX_VALUE:
        raise ResultNotStorable(
            f"{who} {did} {len(data):,} bytes; at most {MAX_VALUE:,} can be stored{so}",
            hint="keep large data in files and return their paths",
        )
    return kind, data


def _culprit(serde: Any, value: Any) -> str:
    if isinstance(value, dict):
        for key, one in value.items():
            try:
                serde.dumps_typed(one)
            except Exception:
                return f" under {key!r} (a {type(one).__name__})"
    return ""
