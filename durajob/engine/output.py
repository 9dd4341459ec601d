"""What steps print, kept apart from what durajob says.

While a thread is driven, ``sys.stdout`` and ``sys.stderr`` are routers: what is written inside a
step goes to the log of its attempt and to whoever watches. A program that a step starts by
``subprocess`` without saying where it prints is given a pipe to that log; Python would let it
inherit descriptors 1 and 2, which steps share. Those two are pointed at a file that is read
now and then: what is found there belongs to the step that runs alone, else to the thread's
``output.log``. Standard output belongs to durajob's own answer, and standard error to what it
says.
"""

from __future__ import annotations

import functools
import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from durajob.engine.pipes import Follower, Pipe, Spool
from durajob.masking import Mask
from durajob.steps.context import StepContext, current
from durajob.steps.logged import logging_to_steps
from durajob.store.logs import MAX_SIZE, OUTPUT, AttemptLog


class Output:
    """Everything that the steps of one driven thread print."""

    def __init__(self, folder: Path, *, mask: Mask | None = None, max_size: int = MAX_SIZE) -> None:
        """``folder`` is that of the thread's logs."""
        self.folder = folder
        self.mask = mask
        self.max_size = max_size
        self._rest = AttemptLog(folder / OUTPUT, mask=mask, max_size=max_size)
        self._running: set[StepContext] = set()
        self._mutex = threading.Lock()
        self._spool: Spool | None = None
        self._follower: Follower | None = None

    @contextmanager
    def captured(self) -> Iterator[None]:
        """Route what is printed while the block runs."""
        out, err = sys.stdout, sys.stderr
        saved = self._redirect_descriptors()
        self._follower = Follower(self._spool, self._store_progress)
        sys.stdout, sys.stderr = _Router("out", self._rest), _Router("err", self._rest)
        popen = subprocess.Popen.__init__
        subprocess.Popen.__init__ = _told(popen)  # type: ignore[method-assign] # put back below
        try:
            with logging_to_steps(out, err):
                yield
        finally:
            subprocess.Popen.__init__ = popen  # type: ignore[method-assign] # as it was
            sys.stdout, sys.stderr = out, err
            for number, copy in saved.items():
                os.dup2(copy, number)
                os.close(copy)
            self._follower.close()
            if self._spool is not None:
                with suppress(OSError):
                    self._spool.close()
            self._rest.close()

    def begin(self, step: StepContext) -> None:
        """An attempt begins; what was printed until now is not its own."""
        with self._mutex:
            if len(self._running) >= 2:  # then it is nobody's, before and after
                self._running.add(step)
                return
        self._drain()
        with self._mutex:
            self._running.add(step)

    def end(self, step: StepContext) -> None:
        """An attempt ends; what was printed until now is its own."""
        with self._mutex:
            # Likewise. To look at the file for each branch of a wide fan-out would have their
            # threads wait for one another.
            if len(self._running) >= 3:
                self._running.discard(step)
                return
        self._drain()
        with self._mutex:
            self._running.discard(step)

    def masked(self, text: str) -> str:
        """``text`` without secrets."""
        return text if self.mask is None else self.mask.text(text)

    def open_pipe(self, log: AttemptLog) -> Pipe:
        """A pipe for the programs of an attempt."""
        pipe = Pipe(log)
        if self._follower is not None:
            self._follower.follow(pipe)
        return pipe

    def close_pipe(self, pipe: Pipe) -> None:
        """The attempt has ended; what a program of it still prints is kept nevertheless."""
        if self._follower is not None:
            self._follower.release(pipe)

    def _drain(self) -> None:
        if self._spool is not None:
            with suppress(OSError):
                self._spool.drain()

    def _store_progress(self) -> None:
        with self._mutex:
            running = list(self._running)
        for step in running:
            step.store_progress()

    def _take(self, text: str) -> None:
        with self._mutex:
            alone = next(iter(self._running)) if len(self._running) == 1 else None
        if alone is None:
            self._rest.write(text)
        else:
            alone.print(text)

    def _redirect_descriptors(self) -> dict[int, int]:
        """Point descriptors 1 and 2 at the spool; copies of what they were."""
        for stream in (sys.__stdout__, sys.__stderr__):
            with suppress(OSError, ValueError):
                if stream is not None:
                    stream.flush()
        try:
            self._spool = Spool(self.folder, self._take)
            target = os.dup(self._spool.descriptor)
        except OSError:
            target = os.open(os.devnull, os.O_WRONLY)
        saved: dict[int, int] = {}
        for number in (1, 2):
            with suppress(OSError):
                saved[number] = os.dup(number)
                os.dup2(target, number)
        os.close(target)
        return saved


def _told(popen: Any) -> Any:
    """``Popen.__init__`` that tells a program of a step where to print."""

    @functools.wraps(popen)
    def init(self: Any, *args: Any, **options: Any) -> None:
        context = current.get()
        # Their places in Popen's signature: args, bufsize, executable, stdin, stdout, stderr.
        for place, name in ((4, "stdout"), (5, "stderr")):
            if context is None or len(args) > place or options.get(name) is not None:
                continue
            descriptor = context.descriptor()
            if descriptor is not None:
                options[name] = descriptor
        popen(self, *args, **options)

    return init


class _Router(io.TextIOBase):
    """A text stream that asks the context whose words these are."""

    encoding = "utf-8"

    def __init__(self, name: str, rest: AttemptLog) -> None:
        self.buffer = _BinaryRouter(self)
        self._name = name
        self._rest = rest

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        context = current.get()
        if context is not None:
            context.print(text, self._name)
        else:
            self._rest.write(text, self._name)
        return len(text)

    def fileno(self) -> int:
        # Programs that a step starts with stdout=sys.stdout write where we would.
        context = current.get()
        descriptor = None if context is None else context.descriptor()
        return 2 if descriptor is None else descriptor


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

    def fileno(self) -> int:
        return self._text.fileno()
