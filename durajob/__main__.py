"""``python -m durajob`` is ``durajob``."""

from __future__ import annotations

from durajob.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
