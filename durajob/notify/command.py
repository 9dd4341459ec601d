"""A notification that is a shell command: a session of its own, and a limit that holds."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from contextlib import suppress

from durajob.durations import format_duration
from durajob.notify.message import Message

_LONGEST_OUTPUT = 2_000  # bytes of it that are looked at


def run_command(command: str, message: Message, *, timeout: float, lock: int) -> str | None:
    """Run ``command`` with the message; why it failed, None when it did not.

    ``lock`` is the descriptor whose lock says that the notification is being delivered: where
    this process is killed, the command holds it as long as it runs.
    """
    environment = {name: text for name, text in os.environ.items() if not name.startswith(_OURS)}
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        # Files, since nobody need read a pipe to its end, and a program left behind may keep one.
        given.write(message.json.encode() + b"\n")
        given.seek(0)
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=given,
            stdout=said,
            stderr=subprocess.STDOUT,
            cwd=message.folder,
            env={**environment, **message.environment},
            start_new_session=True,
            pass_fds=(lock,),
        )
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"the command was killed after {format_duration(timeout)}"
        if status == 0:
            return None
        last = _last_line(said.fileno())
    how = f"exit status {status}" if status > 0 else f"signal {-status}"
    return f"the command ended with {how}" + (f": {last}" if last else "")


_OURS = ("DURAJOB_", "NOTIFY_SOCKET", "WATCHDOG_")
"""Beginnings of variables that are not for the command; its own DURAJOB_… come with the message."""


def _last_line(said: int) -> str:
    size = os.fstat(said).st_size
    text = os.pread(said, _LONGEST_OUTPUT, max(0, size - _LONGEST_OUTPUT)).decode(
        "utf-8", "replace"
    )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
