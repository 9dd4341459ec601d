"""``durajob import``: threads of an export, into any store."""

from __future__ import annotations

import os
from pathlib import Path

from durajob.config.settings import Settings
from durajob.durations import counted
from durajob.errors import InputError, InputFileNotFound, ThreadExists, UsageError
from durajob.store.transfer import Importer, verified
from durajob.transfers import Imports

_ON_EXISTS = ("fail", "skip")


def import_threads(file: str, *, settings: Settings, on_exists: str) -> Imports:
    """Import all threads of ``file``; each is there whole or not at all.

    Raises:
        InputFileNotFound, InputError: when there is no such file, or it is no whole export.
        ThreadExists: when an id is taken, and ``on_exists`` is not ``skip``; nothing is imported.
    """
    if on_exists not in _ON_EXISTS:
        raise UsageError(
            f"--on-exists {on_exists[:40]!r} is none of the choices", hint="fail or skip"
        )
    try:
        source = os.fdopen(os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb")
    except FileNotFoundError as error:
        raise InputFileNotFound(f"no file {file}", hint="name an export") from error
    except (OSError, ValueError) as error:
        raise InputError(
            f"{file[:200]!r} cannot be read: {error}", hint="name an export"
        ) from error
    with source:
        if not os.path.isfile(file):
            raise InputError(f"{file} is no file", hint="name an export")
        names = verified(source)
        importer = Importer(settings.store.path)
        try:
            taken = importer.existing(names)
            if taken and on_exists == "fail":
                shown = ", ".join(taken[:5]) + (", …" if taken[5:] else "")
                raise ThreadExists(
                    f"{len(taken)} of {len(names)} threads exist already: {shown}",
                    hint="nothing was imported; --on-exists skip imports the others",
                )
            done = tuple(importer.take(source, set(taken)))
        finally:
            importer.close()
    return Imports(
        threads=done,
        skipped=tuple(taken),
        file=str(Path(file)),
        store=settings.store.url,
        notes=(_summary(len(done), len(taken)),),
        next_command="durajob list" if done else None,
    )


def _summary(done: int, skipped: int) -> str:
    text = counted(done, "thread", grouped=True)
    return f"{text} imported" + (f", {skipped:,} that existed left alone" if skipped else "")
