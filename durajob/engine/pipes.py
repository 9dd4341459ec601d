"""What programs print, carried to the logs of the attempts that started them.

A program gets a pipe of its attempt as standard output and error. One thread reads all the
pipes, and looks a few times a second at what was written to descriptors 1 and 2 themselves
(by C code, ``os.system``, forked children): that is a file, since a library that prints while
it holds Python's lock would wait for ever for a pipe to be read.
"""

from __future__ import annotations

import codecs
import os
import select
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from durajob.errors import DurajobError
from durajob.store.files import make_folder
from durajob.store.logs import AttemptLog

_TICK = 0.1
_CHUNK = 65536
_CHUNKS = 64  # read at once at most, so that a program that never stops printing holds nobody up
_LARGE = 1 << 26


class Pipe:
    """Where the programs of one attempt print to."""

    def __init__(self, log: AttemptLog) -> None:
        self.number, self.writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.number, False)
        self._log = log
        self._decoder = _decoder()
        self._mutex = threading.Lock()
        self._at_end = False

    def drain(self) -> bool:
        """Take what is there; False when nobody holds the other end any more."""
        with self._mutex:
            for _ in range(_CHUNKS):
                if self._at_end:
                    return False
                try:
                    data = os.read(self.number, _CHUNK)
                except BlockingIOError:
                    return True
                if not data:
                    self._close()
                    return False
                self._log.write(self._decoder.decode(data))
            return True

    def close_writing(self) -> None:
        """Hand it to no further program."""
        with self._mutex:
            if self.writing >= 0:
                os.close(self.writing)
                self.writing = -1

    def close(self) -> None:
        """Whoever still prints is told that nobody reads."""
        self.close_writing()
        with self._mutex:
            self._close()

    def _close(self) -> None:
        if not self._at_end:
            self._at_end = True
            os.close(self.number)


class Spool:
    """A file without a name that takes what is written to descriptors 1 and 2."""

    def __init__(self, folder: Path, take: Callable[[str], None]) -> None:
        self.descriptor = _nameless(folder)
        self._take = take
        self._read = 0
        self._decoder = _decoder()
        self._mutex = threading.Lock()

    def drain(self) -> None:
        """Take what has been written since."""
        size = os.fstat(self.descriptor).st_size
        if size == self._read:
            return
        with self._mutex:
            if size < self._read:  # a program has opened /dev/stdout, and cut the file
                self._read = 0
            while data := os.pread(self.descriptor, _CHUNK, self._read):
                self._read += len(data)
                self._take(self._decoder.decode(data))
            if self._read > _LARGE and self._read == os.fstat(self.descriptor).st_size:
                os.ftruncate(self.descriptor, 0)
                self._read = 0

    def close(self) -> None:
        """Take the rest."""
        self.drain()
        os.close(self.descriptor)


class Follower:
    """The thread that reads."""

    def __init__(self, spool: Spool | None, look: Callable[[], None]) -> None:
        """``look`` is called a few times a second, too."""
        self._spool = spool
        self._look = look
        self._pipes: dict[int, Pipe] = {}
        self._poll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC)
        self._poll.register(self._wake, select.EPOLLIN)
        self._thread = threading.Thread(target=self._run, name="durajob output", daemon=True)
        self._thread.start()

    def follow(self, pipe: Pipe) -> None:
        """Read ``pipe`` from now on, until nobody holds its other end."""
        self._pipes[pipe.number] = pipe
        self._poll.register(pipe.number, select.EPOLLIN)

    def release(self, pipe: Pipe) -> None:
        """The attempt of ``pipe`` has ended; a program that it left behind is still read."""
        pipe.close_writing()
        if not pipe.drain() and self._pipes.get(pipe.number) is pipe:
            del self._pipes[pipe.number]

    def close(self) -> None:
        """Read what is there, then no more."""
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        os.close(self._wake)
        for pipe in list(self._pipes.values()):
            pipe.drain()
            pipe.close()
        self._poll.close()

    def _run(self) -> None:
        while True:
            for number, _ in self._poll.poll(_TICK):
                if number == self._wake:
                    return
                pipe = self._pipes.get(number)
                # Once closed it is out of the poll, and its number may be another's.
                if pipe is not None and not pipe.drain() and self._pipes.get(number) is pipe:
                    del self._pipes[number]
            if self._spool is not None:
                with suppress(OSError):
                    self._spool.drain()
            # Trouble with the store is met by the step itself, when it ends.
            with suppress(DurajobError):
                self._look()


def _nameless(folder: Path) -> int:
    make_folder(folder)
    flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
    try:
        return os.open(folder, flags | os.O_TMPFILE, 0o600)
    except OSError:  # not every file system knows files without a name
        number, name = tempfile.mkstemp(dir=folder)
        try:
            return os.open(name, flags)
        finally:
            os.close(number)
            os.unlink(name)


def _decoder() -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder("utf-8")("backslashreplace")
