"""``durajob init``: a first workflows.toml, and a workflow in Python that runs at once."""

from __future__ import annotations

import errno
import os
import shlex
from contextlib import suppress
from pathlib import Path

from durajob.catalogue import Initialised
from durajob.config.settings import FILE_NAME
from durajob.errors import (
    ConfigError,
    DiskFull,
    NotFound,
    StorageError,
    StoreReadOnly,
    UnsafePermissions,
)

STARTER = ("hello.py", FILE_NAME)
"""What is written, the workflows.toml last: where it stands, the rest stands too."""


def init(folder: Path) -> Initialised:
    """Write the starter files into ``folder``, making it if need be.

    All of them are written, or none where any is there already.

    Raises:
        ConfigError: when one of the files exists; nothing is ever overwritten.
        NotFound: when ``folder`` is a file, or the current folder is gone.
        UnsafePermissions, StorageError: when it cannot be written to.
    """
    for name in reversed(STARTER):
        if os.path.lexists(folder / name):
            raise _exists(folder / name)
    starter = Path(__file__).with_name("starter")
    created: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in STARTER:
            _create(folder / name, (starter / name).read_bytes(), created)
    except BaseException as error:
        for path in created:
            with suppress(OSError):
                path.unlink()
        if isinstance(error, OSError):
            raise _refused(folder, error) from error
        raise
    here = folder == Path()
    file = shlex.quote(str(folder / FILE_NAME))
    return Initialised(
        created=tuple(str(path) for path in created),
        next_command="durajob start hello" if here else f"durajob -f {file} start hello",
    )


def _create(path: Path, content: bytes, created: list[Path]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    created.append(path)
    with open(descriptor, "wb") as file:
        file.write(content)


def _exists(path: Path) -> ConfigError:
    if path.name == FILE_NAME:
        return ConfigError(
            f"{path}: there is one already, and it is left as it is",
            hint="durajob validate checks it; durajob workflows shows what is in it",
        )
    return ConfigError(
        f"{path}: is in the way, and it is left as it is",
        hint="rename it, or run durajob init in another folder; nothing was written",
    )


def _refused(folder: Path, error: OSError) -> Exception:
    said = f"{folder}: {error.strerror}"
    match error.errno:
        case errno.EEXIST if Path(error.filename).name in STARTER:  # made this very moment
            return _exists(Path(error.filename))
        case errno.EEXIST | errno.ENOENT | errno.ENOTDIR:
            return NotFound(f"{folder}: is no folder", hint="name one: durajob init FOLDER")
        case errno.EACCES | errno.EPERM:
            return UnsafePermissions(said, hint="run durajob init in a folder of your own")
        case errno.EROFS:
            return StoreReadOnly(said, hint="run durajob init in a folder that can be written to")
        case errno.ENOSPC | errno.EDQUOT:
            return DiskFull(said, hint="make room, then again: durajob init")
        case _:
            return StorageError(said, hint="run durajob init in another folder")
