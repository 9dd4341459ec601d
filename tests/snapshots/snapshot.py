"""Texts kept beside the tests. DURAJOB_UPDATE_SNAPSHOTS=1 writes them anew: read the diff."""

from __future__ import annotations

import os
from pathlib import Path

_UPDATE = os.environ.get("DURAJOB_UPDATE_SNAPSHOTS") == "1"  # before tests scrub the environment
_KEPT = Path(__file__).parent / "kept"


def expect(name: str, text: str) -> None:
    """``text`` is what was kept under ``name``."""
    path = _KEPT / f"{name}.txt"
    if _UPDATE:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"no snapshot {path.name}: run with DURAJOB_UPDATE_SNAPSHOTS=1"
    assert path.read_text(encoding="utf-8") == text
