"""A file that a person asked for: whoever reads it finds the old text or the new one, whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from durajob.errors import StorageError


@contextmanager
def whole_file(
    path: Path,
    *,
    refusal: str,
    hint: str,
    mode: int = 0o600,
    encoding: str = "utf-8",
    errors: str = "strict",
) -> Iterator[TextIO]:
    """A text file to write, which takes the place of ``path`` once the block has ended well.

    Raises:
        StorageError: ``refusal`` and why, when something of it, or of the block, fails.
    """
    # Beside it, so that a rename will do, and hidden: the node exporter's collector reads *.prom.
    partial = path.parent / f".{path.name[:50]}.{os.urandom(4).hex()}"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(partial, flags, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding=encoding, errors=errors) as file:
                yield file
                file.flush()
                os.fchmod(descriptor, mode)
                os.fsync(descriptor)
            os.replace(partial, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(partial)
            raise
    except OSError as error:
        raise StorageError(f"{refusal}: {error.strerror}", hint=hint) from error
