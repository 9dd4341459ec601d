"""Driving a thread in a process of its own, which outlives the terminal.

The thread is admitted here, where whoever asked can be told what is wrong; a new process, in
a session of its own and without a terminal, then resumes it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from durajob.commands import running
from durajob.commands.running import Options
from durajob.config.settings import Settings
from durajob.model import ThreadResult
from durajob.store.files import log_folder, open_log


def drive_detached(thread: str, options: Options, settings: Settings) -> ThreadResult:
    """Have a new process resume ``thread``; returns at once."""
    command = ["resume", "--quiet", "--on-busy", options.on_busy]
    if options.timeout is not None:
        command += ["--timeout", f"{max(1, round(options.timeout * 1000))}ms"]
    if options.epoch is not None:
        command += ["--if-epoch", str(options.epoch)]
    for name in ("take_over", "here", "reset_resumes", "accept_change"):
        if getattr(options, name):
            command.append("--" + name.replace("_", "-"))
    pid = drive_in_background([*command, "--", thread], settings)
    found = running.shown(thread, settings).thread
    return ThreadResult(
        thread=found,
        notes=(f"thread {thread} runs on in the background, in process {pid}",),
        next_command=f"durajob status {thread}",
    )


def command_line(settings: Settings) -> list[str]:
    """How a command of durajob is begun in a process of its own, up to its verb."""
    command = [sys.executable, "-P", "-m", "durajob", "--store", settings.store.url]
    if settings.file is not None:
        command += ["--file", str(settings.file)]
    return command


def drive_in_background(arguments: Sequence[str], settings: Settings) -> int:
    """Begin a command that outlives this process and its terminal; the new process id."""
    with open_log(log_folder(settings.store.path) / "detached.log") as log:
        process = subprocess.Popen(
            [*command_line(settings), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    # Left to run on; without this Python warns that nobody waited for it.
    process.returncode = 0
    return process.pid
