"""What steps print, kept apart from what durajob says.

While a thread is driven, ``sys.stdout`` and ``sys.stderr`` are routers: what is written
inside a step goes to the log file of its attempt and to whoever watches. Descriptors 1 and 2,
which programs that a step starts inherit, are pointed at the thread's ``output.log``:
standard output belongs to durajob's own answer, and standard error to what it says.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from durajob.steps.context import current
from durajob.store.files import open_log


@contextmanager
def captured(folder: Path) -> Iterator[None]:
    """Route what is printed while the block runs; ``folder`` is that of the thread's logs."""
    out, err = sys.stdout, sys.stderr
    path = folder / "output.log"
    saved = _redirect_descriptors(path)
    fallback = io.TextIOWrapper(
        _Unbuffered(2), encoding="utf-8", errors="backslashreplace", write_through=True
    )
    sys.stdout = sys.stderr = _Router(fallback)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err
        for number, copy in saved.items():
            os.dup2(copy, number)
            os.close(copy)
        with suppress(OSError):
            if path.stat().st_size == 0:
                path.unlink()


class AttemptLog:
    """The log file of one attempt, made when something is first written to it."""

    def __init__(self, folder: Path, step: str, visit: int, attempt: int) -> None:
        self._folder = folder
        self._name = (step, visit, attempt)
        self._file: BinaryIO | None = None
        self._failed = False

    @property
    def path(self) -> Path:
        """Where it is, or would be."""
        step, visit, attempt = self._name
        return self._folder / f"{quote(step, safe='[]')[:180]}.{visit}.{attempt}.log"

    def write(self, text: str) -> None:
        """Append; a log that cannot be written is given up, the step goes on."""
        if self._failed:
            return
        try:
            if self._file is None:
                self._file = open_log(self.path)
            self._file.write(text.encode("utf-8", "backslashreplace"))
            self._file.flush()
        except OSError:
            self._failed = True

    @property
    def name(self) -> str | None:
        """Its path, if there is anything in it."""
        return str(self.path) if self._file is not None and not self._failed else None

    def close(self) -> None:
        """Nothing more will be written."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError:
                self._failed = True


class _Router(io.TextIOBase):
    """A text stream that asks the context whose words these are."""

    encoding = "utf-8"

    def __init__(self, fallback: io.TextIOWrapper) -> None:
        self._fallback = fallback
        self.buffer = _BinaryRouter(self)

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        context = current.get()
        if context is not None:
            context.print(text)
        else:
            # A reader that is gone does not decide whether a job goes on.
            with suppress(OSError, ValueError):
                self._fallback.write(text)
        return len(text)

    def fileno(self) -> int:
        # Programs that a step starts with stdout=sys.stdout write where we would.
        return 2


class _BinaryRouter(io.RawIOBase):
    """What ``sys.stdout.buffer`` is inside a step."""

    def __init__(self, text: _Router) -> None:
        self._text = text

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        raw = bytes(data)
        self._text.write(raw.decode("utf-8", "backslashreplace"))
        return len(raw)


class _Unbuffered(io.FileIO):
    """Descriptor 2, left open when this object goes."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, "wb", closefd=False)


def _redirect_descriptors(path: Path) -> dict[int, int]:
    """Point descriptors 1 and 2 at the log; copies of what they were."""
    for stream in (sys.__stdout__, sys.__stderr__):
        with suppress(OSError, ValueError):
            if stream is not None:
                stream.flush()
    saved: dict[int, int] = {}
    try:
        log = open_log(path)
    except OSError:
        log = open(os.devnull, "wb")  # noqa: SIM115 - closed below
    with log:
        for number in (1, 2):
            with suppress(OSError):
                saved[number] = os.dup(number)
                os.set_inheritable(saved[number], False)
                os.dup2(log.fileno(), number)
    return saved
