"""``durajob export``: threads as a file, to keep or to import into any store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from durajob.commands.ids import check_thread_id
from durajob.commands.whole_file import whole_file
from durajob.config.settings import Settings
from durajob.durations import counted
from durajob.errors import NoStore, ThreadNotFound, UsageError
from durajob.store.read import Reader
from durajob.store.transfer import Exported
from durajob.store.transfer import export as write_threads
from durajob.transfers import Exports


def export(
    threads: Sequence[str],
    *,
    settings: Settings,
    all_threads: bool,
    file: str | None,
    logs: bool,
    write: Callable[[str], object],
) -> Exports:
    """Write the threads, or all of them, to ``file``; without one with ``write``.

    The file is there whole or not at all, readable by its owner alone.

    Raises:
        UsageError: when no thread is named, and not all are meant.
        ThreadNotFound, AmbiguousThread: when one of them is none, or several.
    """
    if bool(threads) == all_threads:
        raise UsageError(
            "export takes threads, or --all", hint="durajob export nightly-1 -o nightly-1.export"
        )
    for thread in threads:
        check_thread_id(thread)
    path = settings.store.path
    try:
        with Reader(path) as reader:
            if all_threads:
                names = [thread.thread for thread in reader.threads()][::-1]
            else:
                names = list(dict.fromkeys(map(reader.resolve, threads)))
    except NoStore as error:
        if all_threads:
            raise
        raise ThreadNotFound(f"no thread {threads[0]!r}: {error}", hint="durajob list") from error
    if file is None:
        done, size = _written(path, names, write, logs=logs)
    else:
        done, size = _to_file(Path(file), path, names, logs=logs)
    driven = tuple(each.thread for each in done if each.driven)
    notes = [f"{counted(len(done), 'thread', grouped=True)} exported, {size:,} bytes"]
    if driven:
        notes.append(f"driven meanwhile, and exported as of one instant: {', '.join(driven[:5])}")
    return Exports(
        threads=tuple(each.thread for each in done),
        driven=driven,
        file=file,
        bytes=size,
        store=settings.store.url,
        notes=tuple(notes),
        next_command=None if file is None else f"durajob --store OTHER.db import {file}",
    )


def _written(
    path: Path, names: Sequence[str], write: Callable[[str], object], *, logs: bool
) -> tuple[list[Exported], int]:
    size = 0

    def count(text: str) -> None:
        nonlocal size
        size += len(text)
        write(text)

    return list(write_threads(path, names, count, logs=logs)), size


def _to_file(
    file: Path, path: Path, names: Sequence[str], *, logs: bool
) -> tuple[list[Exported], int]:
    refusal, hint = f"{file} cannot be written", "name another file with -o"
    with whole_file(file, refusal=refusal, hint=hint, encoding="ascii") as out:
        return _written(path, names, out.write, logs=logs)
