"""Feeds the live view with made events, for tests that look at it in a real terminal.

Usage: python live_script.py SECONDS_A_STEP BRANCHES [lines]
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from durajob import clock
from durajob.events import (
    Event,
    Notice,
    StepFailed,
    StepFinished,
    StepPrinted,
    StepProgressed,
    StepStarted,
    ThreadClaimed,
    ThreadLeft,
)
from durajob.model import StepError, StepProgress, ThreadStatus
from durajob.render.lines import Lines
from durajob.render.live import Live
from durajob.render.pump import Pump
from durajob.render.sink import Sink

PACE, BRANCHES = float(sys.argv[1]), int(sys.argv[2])


def main() -> None:
    """Act as an engine would."""
    sink = Sink.of(sys.stderr)
    plain = "lines" in sys.argv
    pump = Pump(lambda: Lines(sink) if plain else Live(sink, color=True))
    wait = threading.Event().wait

    def tell(kind: type[Event], **values: Any) -> None:
        pump.notify(kind(thread="demo-1", at=clock.now(), **values))

    tell(ThreadClaimed, workflow="demo", epoch=1, resumed=False, next=("scan",), done=0, total=None)
    tell(StepStarted, step="scan", visit=1, attempt=1)
    wait(PACE)
    tell(StepPrinted, step="scan", line="\x1b[31mfound\x1b[0m 3 files [bold]not markup[/bold]\n")
    tell(StepFinished, step="scan", visit=1, attempt=1, seconds=0.4)
    tell(StepStarted, step="load", visit=1, attempt=1, max_attempts=3)
    wait(PACE)
    refused = StepError(step="load", type="ConnectionError", message="refused\nby host", attempt=1)
    tell(StepFailed, step="load", visit=1, attempt=1, seconds=0.2, error=refused, retry_in=PACE)
    wait(PACE)
    tell(StepStarted, step="load", visit=1, attempt=2, max_attempts=3)
    for done in range(0, 101, 20):
        tell(
            StepProgressed,
            step="load",
            visit=1,
            progress=StepProgress(done=done, total=100, note="rows"),
        )
        wait(PACE / 5)
    tell(StepFinished, step="load", visit=1, attempt=2, seconds=1.2)
    for i in range(BRANCHES):
        tell(StepStarted, step=f"copy[{i}]", visit=1, attempt=1)
        if i >= 4:
            tell(StepFinished, step=f"copy[{i - 4}]", visit=1, attempt=1, seconds=0.01)
        if i % 50 == 0:
            wait(PACE / 20)
    for i in range(max(BRANCHES - 4, 0), BRANCHES):
        tell(StepFinished, step=f"copy[{i}]", visit=1, attempt=1, seconds=0.01)
    tell(Notice, text="asked to stop: finishing the step in flight")
    for i in range(30):
        tell(StepStarted, step=f"tail{i:02}", visit=1, attempt=1)
        tell(StepFinished, step=f"tail{i:02}", visit=1, attempt=1, seconds=0.02)
    tell(StepStarted, step="verify", visit=1, attempt=1)
    wait(PACE * 2)
    broken = StepError(step="verify", type="ValueError", message="x" * 300, attempt=1)
    tell(StepFailed, step="verify", visit=1, attempt=1, seconds=0.2, error=broken, retry_in=None)
    tell(ThreadLeft, status=ThreadStatus.FAILED)
    sys.stdout.write("closed\n" if pump.close(2.0) else "hung\n")


if __name__ == "__main__":
    main()
