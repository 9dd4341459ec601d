"""The log of an attempt: a file of lines, each with its time and where it came from.

    2026-11-22T16:32:19.237+00:00 out Hi, Ada!
    2026-11-22T16:32:19.240+00:00 log INFO shop.mail: sent

``out`` and ``err`` are what the step printed (programs that it started: ``out``), ``log`` what it
said through ``logging``, ``durajob`` what durajob adds, such as the traceback. A log that would
grow beyond its limit keeps its beginning and its end. Secrets are masked before anything is
written.
"""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple
from urllib.parse import quote

from durajob import clock
from durajob.masking import Mask
from durajob.store.files import open_log

OUTPUT = "output.log"
"""Of the thread: what no single attempt can be said to have printed."""
GRAPH = "graph.log"
"""Of the thread: why it failed, where no step did."""

MAX_SIZE = 10_000_000
_LONGEST_LINE = 64 * 1024  # characters; what is longer is broken
_LAST = 10  # lines that an error may quote
_TAIL = 32_768  # bytes from the end in which last lines are looked for
_STREAMS = ("out", "err", "log", "durajob")
_RECORD = re.compile(r"(DEBUG|INFO|WARNING|ERROR|CRITICAL|Level \d+) ([^:\n]*): ")


class Entry(NamedTuple):
    """One line of a log."""

    at: int
    stream: str
    text: str
    level: str | None = None
    logger: str | None = None


def log_path(folder: Path, step: str, visit: int, attempt: int) -> Path:
    """Where the log of an attempt is, or would be; ``folder`` is that of the thread."""
    return folder / log_name(step, visit, attempt)


def log_name(step: str, visit: int, attempt: int) -> str:
    """How the log of an attempt is named."""
    return f"{_quoted(step)}.{visit}.{attempt}.log"


@lru_cache(maxsize=1000)
def _quoted(step: str) -> str:
    return quote(step, safe="[]")[:180]


class AttemptLog:
    """A log to write to, made when something is first written; safe for many threads."""

    def __init__(
        self,
        path: Path,
        *,
        mask: Mask | None = None,
        max_size: int = MAX_SIZE,
        show: Callable[[str], None] | None = None,
    ) -> None:
        """``show`` is told of each line that the step printed or logged."""
        self.path = path
        self._mask = mask
        self._max_size = max_size
        self._show = show
        self._mutex = threading.Lock()
        self._open: dict[str, str] = {}  # what has no end of line yet, by stream
        self._last: deque[str] = deque(maxlen=_LAST)
        self._file: BinaryIO | None = None
        self.taken = 0  # characters that it was given, be they kept or not
        self._size = self._cut = 0
        self._failed = False

    @property
    def name(self) -> str | None:
        """Its path, if there is anything in it."""
        return str(self.path) if self._file is not None and not self._failed else None

    def write(self, text: str, stream: str = "out") -> None:
        """Append what ``stream`` said; a line is written when it has ended.

        A log that cannot be written is given up, the step goes on.
        """
        with self._mutex:
            self.taken += len(text)
            *lines, rest = (self._open.get(stream, "") + text).split("\n")
            while len(rest) > _LONGEST_LINE:
                lines.append(rest[:_LONGEST_LINE])
                rest = rest[_LONGEST_LINE:]
            self._open[stream] = rest
            if lines:
                self._put(stream, lines)

    def last_lines(self) -> list[str]:
        """The end of what the step printed, ended or not."""
        with self._mutex:
            rest = [self._masked(text) for text in self._open.values() if text.strip()]
            return [*(line for line in self._last if line.strip()), *rest][-_LAST:]

    def close(self) -> None:
        """Write what has no end of line; the file is opened again if more comes."""
        with self._mutex:
            for stream, rest in self._open.items():
                if rest:
                    self._put(stream, [rest])
            self._open.clear()
            if self._file is not None:
                try:
                    self._file.close()
                except OSError:
                    self._failed = True

    def _put(self, stream: str, lines: list[str]) -> None:
        head = f"{clock.to_rfc3339(clock.now())} {stream} "
        shown = [self._masked(_as_seen(line)) for line in lines]
        if stream != "durajob":
            self._last.extend(shown[-_LAST:])
            if self._show is not None:
                for line in shown:
                    self._show(line)
        self._append("".join(f"{head}{line}\n" for line in shown))

    def _masked(self, text: str) -> str:
        return text if self._mask is None else self._mask.text(text)

    def _append(self, text: str) -> None:
        if self._failed:
            return
        data = text.encode("utf-8", "backslashreplace")
        try:
            if self._file is None or self._file.closed:
                self._file = open_log(self.path)
            self._file.write(data)
            self._file.flush()
            self._size += len(data)
            if self._size > self._max_size:
                self._shorten()
        except OSError:
            self._failed = True

    def _shorten(self) -> None:
        """Keep a quarter of the limit from the beginning and one from the end."""
        assert self._file is not None
        self._file.close()
        part = self._max_size // 4
        with open(self.path, "rb") as file:
            head = file.read(part)
            head = head[: head.rfind(b"\n") + 1]
            file.seek(-part, os.SEEK_END)
            tail = file.read()
            tail = tail[tail.find(b"\n") + 1 :]
        self._cut += self._size - len(head) - len(tail)
        said = f"{self._cut:,} bytes were cut out here: the log is limited to {self._max_size:,}"
        middle = f"{tail[:29].decode('ascii', 'replace')} durajob {said}\n".encode()
        whole = self.path.with_suffix(".new")
        with open_log(whole) as file:
            file.truncate(0)
            file.write(head + middle + tail)
        os.replace(whole, self.path)
        self._size = len(head) + len(middle) + len(tail)
        self._cut -= len(middle)  # which the next cut takes away
        self._file = open_log(self.path)


def read_log(path: Path, offset: int = 0) -> Iterator[tuple[Entry, int]]:
    """The whole lines of a log from ``offset`` on, each with the offset after it."""
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        return
    with file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return  # it is being written
            offset += len(line)
            entry = _entry(line.decode("utf-8", "replace").rstrip("\n"))
            if entry is not None:
                yield entry, offset


def tail_offset(path: Path, count: int) -> int:
    """Where the last ``count`` whole lines of a log begin; it is read from its end."""
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        return 0
    left = count + 1  # the end of the line before them
    with file:
        start = file.seek(0, os.SEEK_END)
        while start:
            begin = max(start - _TAIL, 0)
            file.seek(begin)
            data = file.read(start - begin)
            place = len(data)
            while (place := data.rfind(b"\n", 0, place)) >= 0:
                left -= 1
                if not left:
                    return begin + place + 1
            start = begin
    return 0


def last_lines(path: Path, count: int, *, streams: Collection[str] | None = None) -> list[str]:
    """What the last lines of a log say, ``count`` at most, of all ``streams`` unless said; none
    where it cannot be read."""
    try:
        start = max(0, path.stat().st_size - _TAIL)
        entries = (entry for entry, _ in read_log(path, start))
        said = (each.text for each in entries if streams is None or each.stream in streams)
        found = deque(said, maxlen=count)
    except OSError:
        return []
    return list(found)


def _entry(line: str) -> Entry | None:
    at, _, rest = line.partition(" ")
    stream, _, text = rest.partition(" ")
    try:
        time = datetime.fromisoformat(at)
    except ValueError:
        return None
    if stream not in _STREAMS or time.tzinfo is None:
        return None
    stamp = (time - clock.to_datetime(0)) // timedelta(microseconds=1)
    if stream == "log" and (said := _RECORD.match(text)):
        return Entry(stamp, stream, text[said.end() :], level=said[1], logger=said[2])
    return Entry(stamp, stream, text)


def _as_seen(line: str) -> str:
    """A line in which a carriage return has begun anew, as a terminal would show it."""
    line = line.rstrip("\r")
    return line.rpartition("\r")[2] if "\r" in line else line
