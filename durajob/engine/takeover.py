"""Taking over is killing first: a stuck owner must be gone before its successor begins."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from durajob.errors import Busy
from durajob.store.processes import descendants, drives

_SECONDS = 10.0


def end_owner(thread: str, owner: Mapping[str, Any] | None, files: Iterable[str | Path]) -> bool:
    """Kill the process that owns the thread, with all that it started; whether it lived.

    ``files`` are those of the store: a process that has none of them open owns a thread of
    another store, of which this one is a copy.

    Raises:
        Busy: when it cannot be ended from here.
    """
    if owner is None:
        return False
    if owner["host"] != os.uname().nodename:
        raise Busy(
            f"thread {thread} is owned by process {owner['pid']} on {owner['host']}",
            hint="take it over there: this machine cannot end that process",
        )
    if not drives(owner, files):
        return False
    pid = owner["pid"]
    try:
        handle = os.pidfd_open(pid)
        try:
            # Between opening the handle and here, the pid may have passed to another process.
            if not drives(owner, files):
                return False
            # Stopped, it can start nothing more while its descendants are looked for.
            signal.pidfd_send_signal(handle, signal.SIGSTOP)
            children = descendants(pid)
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            for child in children:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            if not select.select([handle], [], [], _SECONDS)[0]:
                raise Busy(
                    f"process {pid}, which owns thread {thread}, does not die",
                    hint="it hangs in the kernel, on a disk or network that does not answer",
                )
        finally:
            os.close(handle)
    except ProcessLookupError:
        return False
    except PermissionError as error:
        raise Busy(
            f"process {pid}, which owns thread {thread}, may not be ended by this user",
            hint="take it over as the user who started it",
        ) from error
    return True
