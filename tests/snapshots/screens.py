"""What the commands that look back and forward might show, made by hand, with fixed times."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from durajob.cause import Cause, Why
from durajob.history import (
    Admitted,
    Answered,
    Claimed,
    Effect,
    Entry,
    History,
    Intervened,
    Left,
    Questioned,
    Slept,
    Stored,
    Tried,
)
from durajob.model import (
    AttemptStatus,
    ErrorInfo,
    Owner,
    Plan,
    PlannedStep,
    ReusedStep,
    StepError,
    ThreadResult,
    ThreadStatus,
)
from durajob.picture import END, START, Edge, Picture
from durajob.pruning import Left as LeftAlone
from durajob.pruning import Pruned
from durajob.render import screens
from durajob.render.lines import Lines
from durajob.render.printer import Printer
from durajob.timeline import Bar, Timeline
from durajob.watching import Change, Watching
from tests.snapshots.made import STORE, T0, overview, step, thread

SECOND = 1_000_000
LONG = "load_into_the_warehouse_of_the_northern_region"
OWNER = Owner(host="etl-1", pid=4711, since=T0)
UNREACHED = StepError(
    step=LONG,
    type="ConnectionError",
    message="could not reach db.example.org (blåbær): connection refused after 3 tries",
    attempt=3,
)


def _tried(
    name: str, number: int, at: float, status: AttemptStatus = AttemptStatus.SUCCEEDED
) -> Tried:
    failed = status is AttemptStatus.FAILED
    key = "23c859d1-05c7-50ae-a54a-9469382f5f54"
    return Tried(
        at=T0 + int(at * SECOND),
        step=name,
        visit=1,
        attempt=number,
        epoch=1,
        status=status,
        finished_at=None,
        seconds=None if status is AttemptStatus.ABANDONED else 1.25,
        error=UNREACHED if failed else None,
        traceback="Traceback (most recent call last):\n  …" if failed else None,
        due_at=T0 + int((at + 2) * SECOND) if failed and number < 3 else None,
        max_attempts=3,
        effects=(Effect(name="insert", key=key, status="begun", times=2, at=T0, finished_at=None),)
        if failed
        else (),
    )


def history() -> History:
    """An entry of each kind, and names, errors and answers that are long."""
    entries: list[Entry] = [
        Admitted(at=T0, workflow="nightly", slot="2026-11-22T06:00+01:00", parent=None),
        Claimed(at=T0, epoch=1, owner=OWNER),
        Stored(at=T0, checkpoint="1", superstep=-1, graph=None),
        Stored(at=T0, checkpoint="2", superstep=0, graph=None),
        _tried("extract", 1, 0),
        Stored(at=T0 + SECOND, checkpoint="3", superstep=2, graph="team"),
        _tried(LONG, 1, 2, AttemptStatus.FAILED),
        _tried(LONG, 2, 4, AttemptStatus.ABANDONED),
        Left(at=None, epoch=1, owner=OWNER, status=ThreadStatus.INTERRUPTED),
        Claimed(at=T0 + 60 * SECOND, epoch=2, owner=OWNER._replace(pid=4712)),
        _tried(LONG, 3, 60, AttemptStatus.FAILED),
        Slept(at=T0 + 61 * SECOND, step="nap", until=T0 + 3600 * SECOND, is_over=False),
        Questioned(
            at=T0 + 62 * SECOND,
            id="8be628de25",
            step="approve",
            prompt="Send 2,340 invoices?",
            expires_at=T0 + 90_000 * SECOND,
        ),
        Left(at=T0 + 62 * SECOND, epoch=2, owner=OWNER, status=ThreadStatus.WAITING),
        Answered(
            at=T0 + 63 * SECOND,
            id="8be628de25",
            step="approve",
            answer={"amount": 2300},
            by="ada",
            expired=False,
        ),
        Intervened(
            at=T0 + 64 * SECOND,
            user="ada",
            verb="complete",
            step="poll",
            reason="seen it myself, in the morning",
            details={"rows": 1200, "from": "the mail of the people at example.org"},
        ),
        Left(
            at=T0 + 65 * SECOND, epoch=2, owner=OWNER, status=ThreadStatus.STOPPED, reason="SIGTERM"
        ),
        Left(
            at=T0 + 66 * SECOND,
            epoch=3,
            owner=OWNER,
            status=ThreadStatus.FAILED,
            error=UNREACHED,
            outcome="compensated",
        ),
    ]
    return History(thread="nightly-1", input={}, entries=entries)


def why() -> Why:
    """A sentence longer than a line, and two commands."""
    cause = Cause(
        reason="step_failed",
        sentence=f"thread nightly-1 failed, since step {LONG} failed with ConnectionError: could "
        "not reach db.example.org (blåbær), at the last of 3 attempts",
        command="durajob resume nightly-1",
        look=f"durajob logs nightly-1 {LONG} --attempt 3",
    )
    return Why(thread="nightly-1", status=ThreadStatus.FAILED, cause=cause)


def timeline() -> Timeline:
    """Retries, a death, a night in which nothing ran, and a fan-out."""

    def bar(name: str, start: float, end: float, number: int, status: AttemptStatus) -> Bar:
        times = (T0 + int(start * SECOND), T0 + int(end * SECOND))
        error = UNREACHED if status is AttemptStatus.FAILED else None
        return Bar(name, 1, number, status, *times, True, end - start, error)

    done, failed = AttemptStatus.SUCCEEDED, AttemptStatus.FAILED
    bars = [
        bar("extract", 0, 4, 1, done),
        bar(LONG, 4, 6, 1, failed),
        bar(LONG, 8, 9, 2, AttemptStatus.ABANDONED),
        *(bar(f"copy[{i}]", 4 + i / 4, 5 + i / 3, 1, done) for i in range(15)),
        bar("copy[15]", 7.75, 10, 1, failed),
        bar(LONG, 28_800, 28_803, 3, AttemptStatus.TIMED_OUT),
    ]
    return Timeline(thread=thread(), bars=bars, now=T0)


def graph() -> Picture:
    """A thread's progress on a fan-out, a choice and a loop."""
    steps = (
        step("extract"),
        step("copy[0]"),
        step("copy[1]", AttemptStatus.FAILED),
        step(LONG, AttemptStatus.RUNNING, attempts=2),
    )
    edges = [
        *(Edge(START, "extract"), Edge("extract", "copy"), Edge("extract", LONG)),
        *(Edge("copy", "check"), Edge(LONG, "check"), Edge("check", "extract", "again")),
        *(Edge("check", "report", "again"), Edge("report", END)),
    ]
    names = ["extract", "copy", LONG, "check", "report"]
    drawn = thread(status=ThreadStatus.RUNNING, steps=steps, next=("check",), error=None, total=5)
    return Picture(name="nightly", steps=names, edges=edges, form="tree", thread=drawn)


def plan() -> Plan:
    """What runs again, what is reused, and what stands in the way."""
    message = "the step load, which is to run next, is not in workflow nightly any more"
    return Plan(
        thread=thread(),
        verdict="refused",
        again=(
            PlannedStep(step=LONG, visit=1, status=AttemptStatus.FAILED, attempts=3),
            PlannedStep(step="poll", visit=2, status=AttemptStatus.ABANDONED, attempts=1),
            *(
                PlannedStep(step=f"copy[{i}]", visit=None, status=None, attempts=0)
                for i in range(40)
            ),
        ),
        reused=(
            ReusedStep(step="check", visit=1, source="ledger"),
            ReusedStep(step="extract", visit=1, source="checkpoint"),
        ),
        refused=(ErrorInfo(code="shape_changed", message=message, hint="durajob doctor"),),
    )


def pruned() -> Pruned:
    """What a dry run tells."""
    return Pruned(
        threads=1204,
        statuses={"completed": 1200, "cancelled": 4},
        checkpoints=88,
        folders=1,
        bytes=123_456_789,
        freed=0,
        left=[LeftAlone("nightly-1", "it can still run; to end it: durajob cancel nightly-1")],
        store=STORE,
        dry_run=True,
    )


def watching() -> Watching:
    """A thread that is driven, fails, and is left."""
    begun = thread(status=ThreadStatus.RUNNING, owner=OWNER, error=None, done=1)
    ended = thread(error=UNREACHED)
    failing = step(LONG, AttemptStatus.FAILED, attempts=2, error=UNREACHED)

    def changes() -> Iterator[Change | None]:
        yield Change(T0, begun, (step("extract"), step(LONG, AttemptStatus.RUNNING)))
        yield None
        yield Change(T0 + SECOND, begun._replace(done=2), (step("check", seconds=62.0), failing))
        yield Change(T0 + 2 * SECOND, ended, (failing._replace(attempts=3),))

    end = ThreadResult(thread=ended, next_command="durajob resume nightly-1")
    return Watching(thread="nightly-1", changes=changes(), end=lambda: end)


SCREENS: dict[str, Callable[[Printer], int]] = {
    "history": lambda printer: screens.history(printer, history(), json_lines=False, full=False),
    "why": lambda printer: screens.why(printer, why()),
    "morning": lambda printer: printer.result(overview()),
    "timeline": lambda printer: screens.timeline(printer, timeline()),
    "graph": lambda printer: screens.graph(printer, graph()),
    "plan": lambda printer: printer.result(plan()),
    "prune": lambda printer: printer.result(pruned()),
    "watch": lambda printer: screens.watched(
        printer, watching(), lambda: Lines(printer.out), json_lines=False
    ),
}
