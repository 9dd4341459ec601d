"""Where the command begins, be it ``durajob`` or ``python -m durajob``.

The standard library's quick parts only: Ctrl-C may come before anything else is there.
"""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType


def main() -> int:
    """Run the command line; its exit status."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    from durajob.cli import main as run

    return run()


def _end(number: int, frame: FrameType | None) -> None:
    """Nothing has begun yet, or all has been said: no traceback of Python's helps anybody."""
    os._exit(130)


if __name__ == "__main__":
    raise SystemExit(main())
