"""Driving a thread in a process of its own, which outlives the terminal.

The thread is admitted here, where whoever asked can be told what is wrong; a new process, in
a session of its own and without a terminal, then resumes it.
"""

from __future__ import annotations

import subprocess
import sys

from durajob.commands import running
from durajob.commands.running import Options
from durajob.config.settings import Settings
from durajob.model import ThreadResult
from durajob.store.files import log_folder, open_log


def drive_detached(thread: str, options: Options, settings: Settings) -> ThreadResult:
    """Have a new process resume ``thread``; returns at once."""
    command = [sys.executable, "-P", "-m", "durajob", "--store", settings.store.url]
    if settings.file is not None:
        command += ["--file", str(settings.file)]
    command += ["resume", "--quiet", "--on-busy", options.on_busy]
    if options.timeout is not None:
        command += ["--timeout", f"{max(1, round(options.timeout * 1000))}ms"]
    for name in ("take_over", "here", "reset_resumes", "accept_change"):
        if getattr(options, name):
            command.append("--" + name.replace("_", "-"))
    with open_log(log_folder(settings.store.path) / "detached.log") as log:
        process = subprocess.Popen(
            [*command, "--", thread],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    found = running.shown(thread, settings).thread
    # Left to run on; without this Python warns that nobody waited for it.
    process.returncode = 0
    return ThreadResult(
        thread=found,
        notes=(f"thread {thread} runs on in the background, in process {process.pid}",),
        next_command=f"durajob status {thread}",
    )
