"""What ``durajob watch`` costs while it watches a busy thread, and an idle one, for a minute."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from benchmarks.measure import DURAJOB, GRAPHS, Taken, environment, machine, report, workplace

SHARE = 0.02
"""Of a core, at most."""


def main(*, quick: bool) -> None:
    """Print the processor time of a watch, as a share of the time that it watched."""
    seconds = 20.0 if quick else 60.0
    with workplace() as folder:
        print(machine(folder))
        store = folder / "store.db"
        env = environment(folder, store)
        for name, what in (("ticking", "a step every 50 ms"), ("still", "one long step")):
            start = [DURAJOB, "start", f"{GRAPHS}:{name}", "-t", name, "-q"]
            job = subprocess.Popen(start, cwd=folder, env=env)
            try:
                while not _is_there(store, name, env):
                    time.sleep(0.2)
                # The start of the watching is counted, too.
                cpu = _watched(name, folder, env, seconds)
            finally:
                job.send_signal(signal.SIGKILL)
                job.wait()
            ours = [Taken(wall=cpu)]
            report(
                f"watch, {what} / {seconds:g} s of a core",
                ours,
                [Taken(wall=seconds)],
                target=SHARE,
            )


def _is_there(store: Path, thread: str, env: dict[str, str]) -> bool:
    asked = [DURAJOB, "status", thread, "-q"]
    return subprocess.run(asked, env=env, capture_output=True).returncode == 0


def _watched(thread: str, folder: Path, env: dict[str, str], seconds: float) -> float:
    """Seconds of processor time that a watch on a terminal takes."""
    view, terminal = os.openpty()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    watch = subprocess.Popen(
        [DURAJOB, "watch", thread],
        cwd=folder,
        env={**env, "TERM": "xterm-256color"},
        stdout=terminal,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(terminal)
    os.set_blocking(view, False)
    shown, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(BlockingIOError):
            shown += len(os.read(view, 65536))
        time.sleep(0.05)
    watch.send_signal(signal.SIGINT)
    watch.wait()
    os.close(view)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert shown > 100, "the watch showed nothing"
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
