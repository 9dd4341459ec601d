"""Signs of life of a command that runs: what it prints, and how far it says that it has come.

It says so in a file, of which the last line counts: ``3/10 copying``, ``3/10``, ``3``.
"""

from __future__ import annotations

import os
import re

from durajob import clock
from durajob.model import StepProgress
from durajob.steps.context import StepContext

_LINE = re.compile(r"\s*(\d{1,15}(?:\.\d{1,9})?)(?:\s*/\s*(\d{1,15}(?:\.\d{1,9})?))?(?:\s+(.*))?")
_NOTE = 500
_TAIL = 4096  # bytes of the file that are looked at


class Signs:
    """Those of one command; to be looked at a few times a second."""

    def __init__(self, context: StepContext, path: str | None, idle: float | None) -> None:
        """``path`` is the file; ``idle`` is how many seconds the command may be silent."""
        self._context = context
        self._path = path
        self._idle = idle
        self._seen = (0, 0)
        self._printed = context.printed()
        self._last = clock.monotonic()
        self._complained = False

    def look(self) -> None:
        """Take what is new."""
        printed = self._context.printed()
        if printed != self._printed:
            self._printed = printed
            self._last = clock.monotonic()
        if self._path is not None:
            self._read(self._path)

    @property
    def are_over(self) -> bool:
        """Whether the last one is longer ago than the command may be silent."""
        return self._idle is not None and clock.monotonic() - self._last >= self._idle

    def _read(self, path: str) -> None:
        try:
            status = os.stat(path)
            seen = (status.st_mtime_ns, status.st_size)
            if seen == self._seen or not status.st_size:
                return
            with open(path, "rb") as file:
                file.seek(max(0, status.st_size - _TAIL))
                tail = file.read(_TAIL)
        except OSError:
            return  # the file is the command's to remove
        if not tail.endswith(b"\n"):
            tail = tail[: tail.rfind(b"\n") + 1]  # of the last line there is more to come
        lines = tail.decode("utf-8", "replace").split("\n")
        line = next((each for each in reversed(lines) if each.strip()), None)
        if line is None:
            return
        self._seen = seen
        self._last = clock.monotonic()
        self._tell(line)

    def _tell(self, line: str) -> None:
        told = _LINE.fullmatch(line)
        if told is not None:
            done, total, note = told.groups()
            note = note[:_NOTE] if note else None
            self._context.report(
                StepProgress(_number(done), None if total is None else _number(total), note)
            )
        elif not self._complained:
            self._complained = True
            rule = "DONE, DONE/TOTAL, or either with a note"
            text = f"in $DURAJOB_PROGRESS, {line[:200]!r} is not {rule}"
            self._context.print(f"{text}\n", "durajob")


def _number(text: str) -> float:
    return float(text) if "." in text else int(text)
