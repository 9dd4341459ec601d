"""Faults that a forked durajob is given before it begins (FAULTS names them)."""

from __future__ import annotations

import os
import signal
import time
from typing import Any


def die_before_checkpoint() -> None:
    """Kill the process when it is about to store its COUNT-th checkpoint."""
    from durajob.store.saver import Saver

    store, left = Saver.put, [int(os.environ["COUNT"])]

    def put(self: Saver, *args: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return store(self, *args)

    setattr(Saver, "put", put)  # noqa: B010 - that is the fault


def set_clock() -> None:
    """Let the wall clock be OFFSET seconds off."""
    offset, true = int(os.environ["OFFSET"]), time.time_ns
    time.time_ns = lambda: true() + offset * 1_000_000_000
    time.time = lambda: time.time_ns() / 1e9


def enter_mounts() -> None:
    """Move into the mount namespace of the process MOUNTS (tests/mounts.py)."""
    import ctypes

    folder = os.getcwd()
    namespace = os.open(f"/proc/{os.environ['MOUNTS']}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(namespace, 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(namespace)
    os.chdir(folder)


def no_umask() -> None:
    """Let nobody but durajob itself restrict the modes of what it makes."""
    os.umask(0)
