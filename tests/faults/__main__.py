"""``python -m tests.faults PART [OPTIONS]``: a part of the harness in its full form."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

PARTS = sorted(
    path.stem
    for path in Path(__file__).parent.glob("*.py")
    if "\ndef main(argv: list[str])" in path.read_text(encoding="utf-8")
)

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in PARTS:
        sys.exit(f"{__doc__}\nparts: {', '.join(PARTS)}")
    sys.exit(import_module(f"tests.faults.{sys.argv[1]}").main(sys.argv[2:]))
