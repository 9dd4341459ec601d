"""Where the command begins, be it ``durajob`` or ``python -m durajob``.

The standard library's quick parts only: Ctrl-C may come before anything else is there.
"""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


def main() -> int:
    """Run the command line; its exit status."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    from durajob.cli import main as run

    return _with_room(run)


def _with_room(call: Callable[[], int]) -> int:
    """Call with room for the frames of deep calls.

    CPython keeps frames in chunks of 16 KB, which it maps and unmaps as calls go past the end
    of one and come back: 23,000 times while LangGraph is imported. A frame that says to need
    a large chunk gets one, and what it leaves of it is for the calls inside.
    """
    return call()


_with_room.__code__ = _with_room.__code__.replace(co_stacksize=32_000)  # slots of 8 bytes


def _end(number: int, frame: FrameType | None) -> None:
    """Nothing has begun yet, or all has been said: no traceback of Python's helps anybody."""
    os._exit(130)


if __name__ == "__main__":
    raise SystemExit(main())
