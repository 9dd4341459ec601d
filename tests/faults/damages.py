"""What is done to a store: each function damages it in its way, and says how."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

PAGE, FRAME, WAL_HEADER = 4096, 4096 + 24, 32


class Target:
    """The files of one store, to be damaged."""

    def __init__(self, folder: Path, older: Path, logs: Sequence[Path], rng: Random) -> None:
        self.path = folder / "s" / "d.db"
        self.older = older  # the store as it was before
        self.logs = logs  # of other stores
        self.rng = rng

    def file(self, suffix: str = "") -> Path:
        return Path(f"{self.path}{suffix}")

    def any_file(self) -> str:
        """Most often the file or its log."""
        there = [each for each in ("", "-wal", "-shm", "-lock") if self.file(each).exists()]
        there = [each for each in there if self.file(each).stat().st_size]
        weights = {"": 8, "-wal": 5, "-shm": 1, "-lock": 1}
        return self.rng.choices(there, [weights[each] for each in there])[0]

    def any_place(self, suffix: str) -> int:
        """An offset: headers are met as often as the rest."""
        rng, size = self.rng, self.file(suffix).stat().st_size
        kind = rng.randrange(4)
        if kind == 0:
            return rng.randrange(min(100, size))
        if kind == 1 and suffix == "":
            return min(rng.randrange(max(1, size // PAGE)) * PAGE + rng.randrange(12), size - 1)
        if kind == 1 and suffix == "-wal":
            frames = max(1, (size - WAL_HEADER) // FRAME)
            return min(WAL_HEADER + rng.randrange(frames) * FRAME + rng.randrange(24), size - 1)
        return rng.randrange(size)


def flip(target: Target) -> str:
    """One bit."""
    suffix = target.any_file()
    place = target.any_place(suffix)
    bit = 1 << target.rng.randrange(8)
    _patch(target.file(suffix), place, lambda old: bytes([old[0] ^ bit]), 1)
    return f"bit {bit} of byte {place} of {suffix or 'the file'}"


def scribble(target: Target) -> str:
    """Some bytes in a row, at random or all alike."""
    rng, suffix = target.rng, target.any_file()
    place, length = target.any_place(suffix), rng.choice((1, 2, 4, 8, 64, 512, PAGE))
    if length >= 512:
        place -= place % 512
    fill = rng.choice((None, 0, 0xFF))
    new = rng.randbytes(length) if fill is None else bytes([fill]) * length
    _patch(target.file(suffix), place, lambda old: new[: len(old)], length)
    return f"{length} bytes from {place} of {suffix or 'the file'}: {fill}"


def letters(target: Target) -> str:
    """One letter or digit becomes another: what no parser can notice."""
    rng, suffix = target.rng, target.rng.choice(["", "-wal"])
    if not target.file(suffix).exists() or not target.file(suffix).stat().st_size:
        suffix = ""
    data = target.file(suffix).read_bytes()
    start = rng.randrange(len(data))
    for place in (*range(start, len(data)), *range(start)):
        if chr(data[place]).isalnum() and data[place] < 128:
            break
    new = rng.choice(b"abcdefghijklmnopqrstuvwxyz0123456789")
    _patch(target.file(suffix), place, lambda old: bytes([new]), 1)
    return f"{chr(data[place])!r} becomes {chr(new)!r} at {place} of {suffix or 'the file'}"


def truncate(target: Target) -> str:
    """Any length, or a whole number of pages or frames."""
    rng, suffix = target.rng, target.any_file()
    file = target.file(suffix)
    size = file.stat().st_size
    length = rng.randrange(size)
    if rng.random() < 0.5 and suffix == "":
        length -= length % PAGE
    if rng.random() < 0.5 and suffix == "-wal" and length > WAL_HEADER:
        length -= (length - WAL_HEADER) % FRAME
    os.truncate(file, length)
    return f"{suffix or 'the file'} cut to {length} of {size} bytes"


def _two_pages(target: Target) -> tuple[int, int]:
    pages = target.file().stat().st_size // PAGE
    first, second = target.rng.randrange(pages), target.rng.randrange(pages)
    return first * PAGE, second * PAGE


def swap(target: Target) -> str:
    """Two pages change places."""
    one, two = _two_pages(target)
    data = target.file().read_bytes()
    _patch(target.file(), one, lambda old: data[two : two + PAGE], PAGE)
    _patch(target.file(), two, lambda old: data[one : one + PAGE], PAGE)
    return f"pages at {one} and {two} swapped"


def duplicate(target: Target) -> str:
    """A page was written in the place of another."""
    one, two = _two_pages(target)
    data = target.file().read_bytes()
    _patch(target.file(), two, lambda old: data[one : one + PAGE], PAGE)
    return f"page at {one} also at {two}"


def zero(target: Target) -> str:
    """A page was never written."""
    one, _ = _two_pages(target)
    _patch(target.file(), one, lambda old: bytes(PAGE), PAGE)
    return f"page at {one} zeroed"


def stale_page(target: Target) -> str:
    """A page as it was before: a write that the disk has lost."""
    old = (target.older / "d.db").read_bytes()
    one = target.rng.randrange(len(old) // PAGE) * PAGE
    _patch(target.file(), one, lambda _: old[one : one + PAGE], PAGE)
    return f"page at {one} as it was before"


def lose(target: Target) -> str:
    """Files of the store are gone."""
    lost = target.rng.choice((("-wal",), ("-shm",), ("-wal", "-shm"), ("-lock",)))
    for suffix in lost:
        target.file(suffix).unlink(missing_ok=True)
    return f"{' and '.join(lost)} lost"


def go_back(target: Target) -> str:
    """The file, its log, or both, are those of an older copy."""
    older = target.older / "d.db"
    back = target.rng.choice((("",), ("-wal",), ("", "-wal")))
    for suffix in back:
        if Path(f"{older}{suffix}").exists():
            shutil.copy(f"{older}{suffix}", target.file(suffix))
        else:
            target.file(suffix).unlink(missing_ok=True)
    return f"{' and '.join(each or 'the file' for each in back)} of an older copy"


def change_log(target: Target) -> str:
    """The log is that of another store."""
    log = target.rng.choice(target.logs)
    shutil.copy(log, target.file("-wal"))
    return f"the log of {log.parent.parent.name}"


def mix(target: Target) -> str:
    """Several of them."""
    some = target.rng.choices([each for each in DAMAGES if each is not mix], k=2)
    told = []
    for each in some:
        if target.file().exists() and target.file().stat().st_size >= PAGE:
            told.append(each(target))
    return "; ".join(told)


DAMAGES: dict[Callable[[Target], str], int] = {
    flip: 6,
    scribble: 5,
    letters: 5,
    truncate: 3,
    swap: 2,
    duplicate: 2,
    zero: 2,
    stale_page: 1,
    lose: 1,
    go_back: 1,
    change_log: 1,
    mix: 2,
}


def _patch(file: Path, place: int, change: Callable[[bytes], bytes], length: int) -> None:
    with open(file, "r+b") as opened:
        opened.seek(place)
        old = opened.read(length)
        if old:
            opened.seek(place)
            opened.write(change(old)[: len(old)])
