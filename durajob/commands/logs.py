"""What the steps of a thread printed and logged, as it is or as it comes.

Reads the store and the files beside it; several attempts that ran at once are told in the order
of time.
"""

from __future__ import annotations

import heapq
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from durajob.commands.ids import check_thread_id, whole_number
from durajob.commands.reading import reading
from durajob.config.settings import Settings
from durajob.errors import StepNotFound
from durajob.logbook import LogLine, Logs
from durajob.model import ThreadStatus
from durajob.store.begun import Begun, BegunBook
from durajob.store.files import log_folder
from durajob.store.logs import GRAPH, OUTPUT, Entry, log_name, read_log, tail_offset
from durajob.store.read import Reader

_POLL = 0.2
_ENDED = (ThreadStatus.COMPLETED, ThreadStatus.CANCELLED, ThreadStatus.FAILED)


def logs(
    thread: str,
    *,
    settings: Settings,
    step: str | None,
    attempt: str | None,
    tail: str | None,
    follow: bool,
) -> Logs:
    """The lines of the thread, of one step (and its branches), or of one attempt.

    With ``follow`` they go on, over attempts and processes, until the thread has completed,
    failed or been cancelled.

    Raises:
        ThreadNotFound, AmbiguousThread: when ``thread`` names none, or several.
        StepNotFound: when no such step of it has begun.
    """
    check_thread_id(thread)
    number = None if attempt is None else whole_number("--attempt", attempt)
    most = None if tail is None else whole_number("--tail", tail, least=0)
    with reading(thread, settings) as (reader, name):
        found = reader.find(name)
    assert found is not None, "it was just resolved"
    book = _Book(found.thread, settings.store.path, step, number)
    if step is not None and not book.has_begun(step) and not follow:
        raise StepNotFound(
            f"no step {step!r} of thread {found.thread} has begun",
            hint=f"durajob status {found.thread} shows those that have",
        )
    notes = () if follow or book.has_files() else ("nothing was printed or logged",)
    lines: Iterable[LogLine] = book.lines(last=most)
    if most is not None:
        lines = deque(lines, most)  # each log gave its own last ones
    if follow:
        lines = _followed(lines, book)
    return Logs(thread=found.thread, lines=lines, notes=notes)


class _Book:
    """The logs of one thread, each read from where it was left."""

    def __init__(self, thread: str, path: Path, step: str | None, attempt: int | None) -> None:
        self._thread = thread
        self._path = path
        self._step = step
        self._attempt = attempt
        self._attempts: BegunBook | None = None
        self._offsets: dict[Path, int] = {}
        self._identities: dict[Path, int] = {}
        self.look()

    def look(self) -> ThreadStatus:
        """Find out which attempts there are by now, and how the thread stands."""
        with Reader(self._path, known_before=True) as reader:
            found = reader.find(self._thread)
            if found is None:  # pruned meanwhile
                return ThreadStatus.CANCELLED
            if self._attempts is None:
                row = reader.number(self._thread)
                self._attempts = BegunBook(row)
                self._folder = log_folder(self._path) / str(row)
            self._begun = self._attempts.look(reader)
        # Most attempts print nothing, and have no file that would have to be looked for.
        self._files = set(os.listdir(self._folder)) if self._folder.is_dir() else set()
        return found.status

    def has_begun(self, step: str) -> bool:
        """Whether there is a step, or a branch of a step, of that name."""
        return any(_is_of(each.step, step) for each in self._begun)

    def has_files(self) -> bool:
        """Whether there is anything to read."""
        return next(self._sources(), None) is not None

    def lines(self, *, last: int | None = None) -> Iterator[LogLine]:
        """What was not read before, in the order of time; of each log its ``last`` lines."""
        sources = deque(self._sources())
        heap: list[tuple[int, int, Entry, int]] = []
        opened: list[tuple[Begun | None, Path, Iterator[tuple[Entry, int]]]] = []

        def push(index: int) -> None:
            for entry, offset in opened[index][2]:
                heapq.heappush(heap, (entry.at, index, entry, offset))
                return

        while sources or heap:
            # A log is opened when its time has come: only so many as ran at once are open.
            while sources and (not heap or sources[0][0] is None or sources[0][0].at <= heap[0][0]):
                begun, path = sources.popleft()
                offset = self._offset(path)
                if last is not None:
                    offset = self._offsets[path] = max(offset, tail_offset(path, last))
                opened.append((begun, path, read_log(path, offset)))
                push(len(opened) - 1)
            if not heap:
                continue
            _, index, entry, offset = heapq.heappop(heap)
            begun, path, _ = opened[index]
            self._offsets[path] = offset
            yield self._line(begun, entry)
            push(index)

    def _sources(self) -> Iterator[tuple[Begun | None, Path]]:
        """The logs that there may be something new in."""
        if not self._files:
            return
        if self._step is None and self._attempt is None:
            yield from ((None, self._folder / n) for n in (OUTPUT, GRAPH) if n in self._files)
        for each in self._begun:
            if self._step is not None and not _is_of(each.step, self._step):
                continue
            if self._attempt in (None, each.attempt):
                name = log_name(each.step, each.visit, each.attempt)
                if name in self._files:
                    yield each, self._folder / name

    def _offset(self, path: Path) -> int:
        """Where to read on. A log that was shortened meanwhile is another file: what it kept
        of the end is not told twice, so what was cut out between is not told at all."""
        try:
            status = path.stat()
        except OSError:
            return 0
        before = self._identities.get(path)
        self._identities[path] = status.st_ino
        if before is not None and before != status.st_ino:
            self._offsets[path] = status.st_size
        return self._offsets.get(path, 0)

    def _line(self, begun: Begun | None, entry: Entry) -> LogLine:
        return LogLine(
            at=entry.at,
            thread=self._thread,
            step=None if begun is None else begun.step,
            visit=None if begun is None else begun.visit,
            attempt=None if begun is None else begun.attempt,
            stream=entry.stream,
            level=entry.level,
            logger=entry.logger,
            line=entry.text,
        )


def _followed(lines: Iterable[LogLine], book: _Book) -> Iterator[LogLine]:
    yield from lines
    while True:
        # Asked before the last look at the logs: what is written before a thread ends is told.
        status = book.look()
        yield from book.lines()
        if status in _ENDED:
            return
        time.sleep(_POLL)


def _is_of(name: str, step: str) -> bool:
    """Whether ``name`` is the step, a branch of it, or a step inside it."""
    return name == step or name.startswith((f"{step}[", f"{step}/"))
