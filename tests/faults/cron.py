"""The crontab line that ``schedule install`` prints, run by the real cron(8): needs root.

The crontab of root is put back afterwards. Takes up to two minutes, so it is no test.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

DURAJOB = str(Path(sysconfig.get_path("scripts")) / "durajob")
_DEADLINE = 130.0  # seconds: cron begins with the next minute
_FILE = """
[workflows.job]
thread = "job-{slot:%Y-%m-%dT%H%M}"
[workflows.job.schedule]
cron = "* * * * *"
[[workflows.job.steps]]
name = "note"
run = 'env > seen; echo "$DURAJOB_THREAD" >> done'
"""


def run(folder: Path) -> list[str]:
    """Let cron run the line until a slot was run; the threads that were.

    Raises:
        AssertionError: when that takes too long, or a slot was run twice.
    """
    (folder / "workflows.toml").write_text(_FILE)
    printed = subprocess.run(
        [DURAJOB, "schedule", "install", "--cron"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    before = subprocess.run(["crontab", "-l"], capture_output=True, text=True, check=False)
    subprocess.run(["crontab", "-"], input=printed, text=True, check=True)
    daemon = subprocess.Popen(["cron", "-f"])
    done = folder / "done"
    try:
        end = time.monotonic() + _DEADLINE
        while not done.exists() and time.monotonic() < end:
            assert daemon.poll() is None, "cron has ended: another one is running"
            time.sleep(0.2)
    finally:
        daemon.terminate()
        daemon.wait()
        if before.returncode == 0:
            subprocess.run(["crontab", "-"], input=before.stdout, text=True, check=True)
        else:
            subprocess.run(["crontab", "-r"], check=True)
    assert done.exists(), "cron has run no slot"
    threads = done.read_text().split()
    assert len(threads) == len(set(threads)), threads
    return threads


def main(argv: list[str]) -> int:
    """Run it from the command line."""
    if argv:
        sys.exit("it takes no options")
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        threads = run(Path(folder))
        took = time.monotonic() - began
        print(f"cron has run {', '.join(threads)} after {took:.0f} s")  # noqa: T201 - a command
    return 0
