"""What watches a job: never in its way, bounded, and right about what happened."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

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
from durajob.render import pump as pumps
from durajob.render.lines import Lines
from durajob.render.live import Live
from durajob.render.marks import bar
from durajob.render.pump import Painter, Pump
from durajob.render.sink import Sink
from durajob.render.tally import Tally
from tests.harness import wait_for


def event(kind: type[Event], **values: Any) -> Event:
    """An event of one thread, now."""
    return kind(thread="t-1", at=clock.now(), **values)


def claimed(**changes: Any) -> Event:
    """The first event of a drive."""
    values = {"workflow": "w", "epoch": 1, "resumed": False, "next": ("a",), "done": 0, "total": 3}
    return event(ThreadClaimed, **(values | changes))


def started(step: str, attempt: int = 1, visit: int = 1) -> Event:
    """An attempt begins."""
    return event(StepStarted, step=step, visit=visit, attempt=attempt, max_attempts=3)


def finished(step: str, attempt: int = 1, visit: int = 1) -> Event:
    """An attempt succeeded."""
    return event(StepFinished, step=step, visit=visit, attempt=attempt, seconds=0.5)


def failed(step: str, retry_in: float | None = None) -> Event:
    """An attempt failed."""
    error = StepError(step=step, type="OSError", message="no\nway", attempt=1)
    return event(
        StepFailed, step=step, visit=1, attempt=1, seconds=0.5, error=error, retry_in=retry_in
    )


class Kept:
    """A painter that keeps what it is given, and waits at a gate."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.events: list[Event] = []
        self.finished = False

    def take(self, event: Event, /) -> None:
        """Keep the event, once the gate is open."""
        assert self.gate.wait(60)
        self.events.append(event)

    def refresh(self) -> None:
        """Nothing to draw."""

    def finish(self) -> None:
        """Note that the end was drawn."""
        self.finished = True


class Broken(Kept):
    """A painter with a bug."""

    def take(self, event: Event, /) -> None:
        """Break."""
        raise ZeroDivisionError


@pytest.fixture
def said(tmp_path: Path) -> Any:
    """A sink of an ordinary file, and what was written to it."""
    path = tmp_path / "said"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    yield Sink(descriptor, "utf-8"), lambda: path.read_text()
    os.close(descriptor)


def test_a_painter_that_hangs_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a hanging painter, progress and printed lines are dropped first, then all."""
    monkeypatch.setattr(pumps, "MANY", 10)
    monkeypatch.setattr(pumps, "TOO_MANY", 20)
    painter = Kept()
    pump = Pump(lambda: painter, interval=0.001)
    progress = StepProgress(done=1, total=None, note=None)
    for _ in range(50):
        pump.notify(event(StepProgressed, step="a", visit=1, progress=progress))
        pump.notify(event(StepPrinted, step="a", line="x"))
    for _ in range(50):
        pump.notify(finished("a"))
    assert pump.close(0.01) is False
    painter.gate.set()
    assert pump.close(60.0) is True
    kinds = [type(e) for e in painter.events]
    assert (True, True, True) == (
        len(kinds) <= 21,
        kinds.count(StepFinished) >= 10,
        painter.finished,
    )


@pytest.mark.parametrize("make", [Broken, lambda: 1 // 0])
def test_a_painter_that_breaks_ends_the_view_only(make: Any) -> None:
    """A bug in the view reaches nobody."""

    def painter() -> Painter:
        made: Painter = make()
        return made

    pump = Pump(painter, interval=0.001)
    for _ in range(100):
        pump.notify(finished("a"))
    assert pump.close(60.0) is True


def test_a_pipe_that_nobody_reads_does_not_hang_the_end() -> None:
    """``close`` comes back in time though the thread that draws is stuck in a write."""
    read, write = os.pipe()
    pump = Pump(lambda: Lines(Sink(write, "utf-8")), interval=0.001)
    for _ in range(2000):
        pump.notify(event(Notice, text="x" * 200))
    begun = clock.monotonic()
    assert pump.close(0.2) is False
    assert clock.monotonic() - begun < 10
    os.close(read)  # the stuck write fails, and the thread goes home
    assert pump.close(60.0) is True
    os.close(write)


def test_branches_are_counted_and_not_kept() -> None:
    """A fan-out of thousands costs a watcher one row."""
    tally = Tally()
    tally.take(claimed(next=tuple(f"copy[{i}]" for i in range(3000)), total=None))
    for i in range(3000):
        tally.take(started(f"copy[{i}]"))
        tally.take(failed(f"copy[{i}]") if i == 7 else finished(f"copy[{i}]"))
    row = tally.rows["copy"]
    assert (1, 3000, 2999, 1, 0, 2999) == (
        len(tally.rows),
        row.branches,
        row.succeeded,
        row.failed,
        len(row.running),
        tally.done,
    )


def test_a_loop_is_one_row() -> None:
    """A step that is visited again stays in its row and shows which visit it is."""
    tally = Tally()
    for visit in range(1, 1001):
        tally.take(started("poll", visit=visit))
        tally.take(finished("poll", visit=visit))
    assert (["poll"], 1000) == (list(tally.rows), tally.rows["poll"].visit)


def test_a_retry_goes_on_in_its_row() -> None:
    """Between two attempts a step is neither done nor failed."""
    tally = Tally()
    tally.take(started("a"))
    tally.take(failed("a", retry_in=5.0))
    row = tally.rows["a"]
    assert (1, 0, 0) == (len(row.running), row.succeeded, row.failed)
    tally.take(started("a", attempt=2))
    tally.take(finished("a", attempt=2))
    assert (0, 1, 2, None) == (len(row.running), row.succeeded, row.attempt, row.error)


def test_lines_tell_each_step(said: Any) -> None:
    """Off a terminal every step that ends is a line, and an attempt that failed is, too."""
    sink, text = said
    lines = Lines(sink)
    for e in (
        claimed(resumed=True, next=("a", "b[1]", "b[2]"), done=1),
        started("a"),
        event(StepPrinted, step="a", line="\x1b[31mred\x1b[0m \x07 bell\n"),
        failed("a", retry_in=2.0),
        started("a", attempt=2),
        finished("a", attempt=2),
        finished("poll", visit=2),
        failed("last"),
        event(ThreadLeft, status=ThreadStatus.FAILED),
    ):
        lines.take(e)
    lines.finish()
    assert [
        "thread t-1 (w): resumed at a, b \N{MULTIPLICATION SIGN}2, 1 of 3 steps done",
        r"a| red \x07 bell",
        "step a: attempt 1 failed in 500ms: OSError: no way; trying again in 2.0s",
        "step a: attempt 2 of 3 begins",
        "step a: succeeded in 500ms at attempt 2",
        "step poll (visit 2): succeeded in 500ms",
        "step last: attempt 1 failed in 500ms: OSError: no way",
    ] == text().splitlines()


def test_lines_sum_up_a_wide_fan_out(said: Any) -> None:
    """Beyond 20 branches there are no more lines for each, but one about all."""
    sink, text = said
    lines = Lines(sink)
    for i in range(3000):
        lines.take(started(f"copy[{i}]"))
        lines.take(failed(f"copy[{i}]") if i == 2500 else finished(f"copy[{i}]"))
        lines.refresh()
    lines.finish()
    told = text().splitlines()
    assert (True, "step copy: 2999 done, 1 failed") == (len(told) < 40, told[-1])


def test_the_live_view_never_outgrows_the_terminal(
    said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of steps are drawn within the height and width there is, busy ones first."""
    monkeypatch.setenv("COLUMNS", "80")
    live = Live(said[0], color=False)
    live.take(claimed())
    live.take(started("first-and-still-busy"))
    for i in range(300):
        live.take(started(f"step-with-a-long-name-{i:03}"))
        live.take(finished(f"step-with-a-long-name-{i:03}"))
    live.take(failed("broken" * 30))
    lines = live._view().plain.splitlines()
    assert (True, True, True, True) == (
        len(lines) < 24,
        max(len(line) for line in lines) < 80,
        any("first-and-still-busy" in line for line in lines),
        any("OSError" in line for line in lines),
    )


@pytest.mark.parametrize(
    ("done", "total"), [(float("nan"), 10), (1, float("nan")), (-5, 10), (99, 10), (1, 0)]
)
def test_odd_progress_never_breaks_a_bar(done: float, total: float) -> None:
    """Whatever a step reports, the bar is as wide as it should be."""
    assert 10 == len(bar(done, total, 10))


def test_a_sink_survives_a_reader_that_leaves() -> None:
    """After the first error a sink swallows what comes."""
    read, write = os.pipe()
    sink = Sink(write, "utf-8")
    os.close(read)
    sink.write("x")
    sink.write("y")
    assert sink.dead is True
    os.close(write)


def test_a_patient_sink_gives_up_in_time() -> None:
    """With a limit, a full pipe is given up and not waited for."""
    read, write = os.pipe()
    sink = Sink(write, "utf-8")
    sink.write("x" * 1_000_000, patience=0.05)
    assert sink.dead is True
    os.close(read)
    os.close(write)


def test_a_sink_writes_all_to_a_slow_non_blocking_reader() -> None:
    """A descriptor that somebody made non-blocking loses nothing."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    sink = Sink(write, "utf-8")
    got = bytearray()

    def slowly() -> None:
        while chunk := os.read(read, 1000):
            got.extend(chunk)

    reader = threading.Thread(target=slowly)
    reader.start()
    sink.write("x" * 300_000)
    os.close(write)
    reader.join(60)
    os.close(read)
    assert 300_000 == len(got)
    wait_for(lambda: not reader.is_alive())
