"""A list of threads as one envelope, written thread by thread: of a hundred thousand, few are in
memory at once.

Nothing is printed before the last of them has been read: what goes wrong until then has an
envelope of its own, and scripts are never left with the first half of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain
from typing import IO

from durajob.model import Thread, ThreadList
from durajob.render.envelope import envelope, json_line
from durajob.render.objects import thread_object
from durajob.render.sink import Sink

_IN_MEMORY = 2_000_000  # characters, beyond which they are put aside in a file
_AT_ONCE = 200_000  # characters that are read from it at once
_NONE = '"threads": []'


def write(
    command: str, threads: Iterable[Thread], out: Sink, *, limit: int, store: str
) -> ThreadList:
    """Write the envelope of the first ``limit`` of the threads, once all have been read; what it
    says, but with the first thread alone."""
    shown, more = list[Thread](), False
    with closing(_Aside()) as aside:
        for number, thread in enumerate(threads):
            more = number >= limit
            if more:
                break
            text = json_line(thread_object(thread, whole=False))
            aside.put(f", {text}" if number else text)
            shown = shown or [thread]
        head, _, tail = envelope(command, ThreadList(threads=(), store=store, more=more)).partition(
            _NONE
        )
        for piece in chain((head, _NONE[:-1]), aside.read(), ("]", tail, "\n")):
            out.write(piece)
    return ThreadList(threads=shown, store=store, more=more)


class _Aside:
    """Text that is put aside, and read once from its beginning."""

    def __init__(self) -> None:
        self._held: list[str] = []
        self._size = 0
        self._file: IO[str] | None = None

    def put(self, text: str) -> None:
        self._held.append(text)
        self._size += len(text)
        if self._size > _IN_MEMORY:
            if self._file is None:
                from tempfile import TemporaryFile

                self._file = TemporaryFile("w+", encoding="ascii")  # noqa: SIM115 - see close
            self._file.write("".join(self._held))
            self._held, self._size = [], 0

    def read(self) -> Iterator[str]:
        if self._file is not None:
            self._file.seek(0)
            while piece := self._file.read(_AT_ONCE):
                yield piece
        yield from self._held

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
