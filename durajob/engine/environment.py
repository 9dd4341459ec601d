"""What a thread runs under: kept when it is started, and put back when it is resumed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from durajob.errors import EnvironmentGone


class OtherInterpreter(EnvironmentGone):
    """The thread was started with another Python."""

    code = "other_interpreter"

    def __init__(self, message: str, *, hint: str, executable: str) -> None:
        super().__init__(message, hint=hint)
        self.executable = executable


def describe(file: str | None) -> dict[str, Any]:
    """The environment of this process, as it is kept with a thread."""
    from durajob import __version__

    try:
        cwd: str | None = os.getcwd()
    except FileNotFoundError:
        cwd = None
    return {
        "cwd": cwd,
        "path": os.environ.get("PATH"),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "version": __version__,
        "file": file,
    }


def restore(kept: Mapping[str, Any], thread: str) -> None:
    """Go where the thread was started, with the PATH and the interpreter it had.

    Raises:
        OtherInterpreter: when this is not its interpreter, but that is still there: whoever
            catches it may run the command again with it.
        EnvironmentGone: when its folder or its interpreter is gone.
    """
    way_out = f"durajob resume {thread} --here takes this folder, PATH and Python instead"
    if kept["prefix"] != sys.prefix:
        if not os.access(kept["executable"], os.X_OK):
            raise EnvironmentGone(
                f"thread {thread} was started with {kept['executable']}, which is gone",
                hint=way_out,
            )
        raise OtherInterpreter(
            f"thread {thread} was started with {kept['executable']}",
            hint=f"install durajob for it and resume again; or: {way_out}",
            executable=kept["executable"],
        )
    try:
        if kept["cwd"] is not None:
            os.chdir(kept["cwd"])
    except OSError as error:
        raise EnvironmentGone(
            f"thread {thread} was started in {kept['cwd']}, which cannot be entered: "
            f"{os.strerror(error.errno or 0)}",
            hint=way_out,
        ) from error
    if kept["path"] is not None:
        os.environ["PATH"] = kept["path"]


def dumps(value: Any) -> str:
    """JSON for a column."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))
