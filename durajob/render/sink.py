"""Standard output and standard error as durajob writes to them.

A sink keeps its own duplicate of the descriptor it was made from, so that what the engine
does to descriptors 1 and 2 while steps run does not reach it. It writes without a buffer: a
daemon thread that hangs in a write then holds no lock that the interpreter needs at exit. A
write never raises; after the first error the sink is dead and swallows what comes.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Mapping
from typing import TextIO

from durajob.render.marks import ASCII

_CHUNK = 4096  # a pipe that polls as writable takes so much without blocking (PIPE_BUF)


class Sink:
    """One output stream, made when the process starts."""

    def __init__(self, descriptor: int | None, encoding: str) -> None:
        self.encoding = encoding
        self.dead = descriptor is None
        self._descriptor = -1 if descriptor is None else descriptor
        self._ascii = not _can_show_marks(encoding)
        self._terminal = not self.dead and os.isatty(self._descriptor)

    @classmethod
    def of(cls, stream: TextIO | None, environ: Mapping[str, str] = os.environ) -> Sink:
        """The sink of a standard stream; a stream that is closed makes a dead one."""
        try:
            if stream is None:
                return cls(None, "ascii")
            descriptor = os.dup(stream.fileno())
        except (OSError, ValueError):
            return cls(None, "ascii")
        return cls(descriptor, "ascii" if _is_c_locale(environ) else stream.encoding)

    def write(self, text: str, *, patience: float | None = None) -> int:
        """Write ``text`` as far as possible.

        ``patience`` is how many seconds a reader that takes nothing is waited for; with None
        it is waited for as long as it takes.
        """
        if not self.dead:
            try:
                self._write(self._encode(text), patience)
            except OSError:
                self.dead = True
        return len(text)

    def flush(self) -> None:
        """Nothing is ever held back; there for those who expect a file."""

    def isatty(self) -> bool:
        """Whether a terminal reads this."""
        return self._terminal

    def fileno(self) -> int:
        """The descriptor, for those who ask for the size of the terminal."""
        return self._descriptor

    def size(self, environ: Mapping[str, str] = os.environ) -> tuple[int, int]:
        """Columns and lines: COLUMNS where there is no terminal to ask, else 80 by 24."""
        try:
            columns, lines = os.get_terminal_size(self._descriptor)
        except (OSError, ValueError):
            columns, lines = 0, 0
        told = environ.get("COLUMNS", "")
        fallback = int(told) if told.isascii() and told.isdigit() else 0
        return min(columns or fallback or 80, 1000), lines or 24

    def shown(self, text: str) -> str:
        """``text`` as it will be read: what is cut and aligned must be as long as it looks."""
        return self._encode(text).decode(self.encoding) if self._ascii else text

    def _encode(self, text: str) -> bytes:
        if self._ascii:
            text = text.translate(ASCII)
        return text.encode(self.encoding, "backslashreplace")

    def _write(self, data: bytes, patience: float | None) -> None:
        view = memoryview(data)
        while view:
            if patience is not None and not self._ready(patience):
                raise TimeoutError("the reader of this stream hangs")
            try:
                view = view[os.write(self._descriptor, view[:_CHUNK]) :]
            except BlockingIOError:  # someone made the terminal non-blocking
                self._ready(1.0)

    def _ready(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(seconds * 1000))


def fill_standard_descriptors() -> None:
    """Open /dev/null where descriptor 0, 1 or 2 is closed.

    Otherwise the next file that is opened, a store perhaps, gets the number, and whatever a
    step prints is written into it. Steps that use ``sys.stdout`` find one, too.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))


def abandon_unwritten() -> None:
    """Flush the interpreter's own streams; what nobody takes goes to /dev/null.

    Otherwise the interpreter tries again at exit, complains, and ends with 120.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1 if stream is sys.stdout else 2)
            os.close(null)


def _can_show_marks(encoding: str) -> bool:
    try:
        "✓…━⠋".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _is_c_locale(environ: Mapping[str, str]) -> bool:
    """Whether the person asked for plain ASCII, which Python answers with UTF-8.

    In the C locale Python itself sets LC_CTYPE=C.UTF-8 (PEP 538), so that value tells
    nothing of what was asked for.
    """
    if environ.get("PYTHONIOENCODING") or environ.get("PYTHONUTF8") == "1":
        return False
    coerced = environ.get("LC_CTYPE") == "C.UTF-8"
    asked = environ.get("LC_ALL") or ("" if coerced else environ.get("LC_CTYPE"))
    return (asked or environ.get("LANG") or "C") in ("C", "POSIX")
