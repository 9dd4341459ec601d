"""Results as commands might return them, made by hand, with fixed times."""

from __future__ import annotations

from typing import Any

from durajob.catalogue import Finding, Health, Initialised, WorkflowInfo, Workflows
from durajob.model import (
    Approvals,
    AttemptStatus,
    ErrorInfo,
    Overview,
    Owner,
    Result,
    Step,
    StepError,
    StepProgress,
    Thread,
    ThreadList,
    ThreadResult,
    ThreadStatus,
    Waiting,
)

T0 = 1_795_330_800_000_000  # 2026-11-22T07:00:00Z
NOW = T0 + 125_000_000
STORE = "sqlite:///var/lib/etl/durajob.db"

REFUSED = StepError(
    step="load",
    type="ConnectionError",
    message="could not reach db.example.org:\nconnection refused after 3 tries",
    attempt=3,
    log="/var/lib/etl/logs/nightly-1/load.3.log",
)


def thread(name: str = "nightly-1", **changes: Any) -> Thread:
    """A failed thread of three steps, changed as said."""
    values: dict[str, Any] = {
        "thread": name,
        "workflow": "nightly",
        "status": ThreadStatus.FAILED,
        "next": ("load",),
        "input": {"region": "no"},
        "done": 2,
        "total": 3,
        "error": REFUSED,
        "owner": None,
        "epoch": 2,
        "created_at": T0,
        "started_at": T0 + 10_000,
        "updated_at": T0 + 65_000_000,
        "finished_at": None,
    }
    return Thread(**(values | changes))


def step(name: str, status: AttemptStatus = AttemptStatus.SUCCEEDED, **changes: Any) -> Step:
    """A step that took 0.41 seconds, changed as said."""
    values: dict[str, Any] = {
        "step": name,
        "status": status,
        "attempts": 1,
        "started_at": T0 + 10_000,
        "finished_at": T0 + 420_000,
        "seconds": 0.41,
    }
    return Step(**(values | changes))


def failed_result() -> ThreadResult:
    """What ``resume`` returns when a step failed for good."""
    steps = (
        step("extract"),
        step("poll", visit=2, seconds=62.0),
        step("load", AttemptStatus.FAILED, attempts=3, error=REFUSED),
    )
    return ThreadResult(
        exit_status=1,
        error=ErrorInfo(code="workflow_failed", message="step load failed"),
        next_command="durajob resume nightly-1",
        thread=thread(state={"rows": 1200, "note": "blåbær \u202e"}, steps=steps),
    )


def fan_out() -> ThreadResult:
    """A running thread with a fan-out of 5,000, of which some failed."""
    steps = [step("scan")]
    for i in range(5000):
        status = AttemptStatus.FAILED if i in (7, 2100) else AttemptStatus.SUCCEEDED
        error = StepError(step=f"copy[{i}]", type="OSError", message="unreadable", attempt=1)
        steps.append(step(f"copy[{i}]", status, error=error if i in (7, 2100) else None))
    progress = StepProgress(done=33, total=100, note="hashing")
    steps.append(step("verify", AttemptStatus.RUNNING, seconds=None, progress=progress))
    running = thread(
        "backup-1",
        workflow="backup",
        status=ThreadStatus.RUNNING,
        error=None,
        next=tuple(f"copy[{i}]" for i in range(40)),
        owner=Owner(host="etl-1", pid=4711, since=T0),
        total=None,
        done=4999,
        steps=tuple(steps),
        state={"files": list(range(2000))},
    )
    return ThreadResult(thread=running)


def approvals() -> Approvals:
    """A thread with two questions, one of which expires, and another."""
    asked = (
        Waiting(
            id="8be628de25",
            step="approve",
            prompt="Send 2,340 invoices?",
            expires_at=T0 + 86_400_000_000,
        ),
        Waiting(id="99d61933c1", step="team/sign[3]", prompt={"amount": 990, "to": "Ada & Sons"}),
    )
    waits = {"status": ThreadStatus.WAITING, "error": None}
    threads = [
        thread("june", waiting_for=asked, **waits),
        thread("may", waiting_for=asked[1:], **waits),
    ]
    return Approvals(threads=threads, store=STORE)


def thread_list() -> ThreadList:
    """One thread of each status, with long names among them."""
    waits = Waiting(id="approve-1", step="approve", prompt={"amount": 990}, expires_at=T0)
    threads = [
        thread(
            f"{status.value}-2026-11-22T06:00:00+01:00" + "-and-a-long-tail" * (i % 2),
            status=status,
            error=REFUSED if status is ThreadStatus.FAILED else None,
            waiting_for=(waits,) if status is ThreadStatus.WAITING else (),
            next=() if status.is_final else ("load",),
        )
        for i, status in enumerate(ThreadStatus)
    ]
    return ThreadList(threads=threads, store=STORE, more=True)


def overview() -> Overview:
    """Counts, and what needs a person."""
    counts = {
        ThreadStatus.COMPLETED: 1204,
        ThreadStatus.FAILED: 1,
        ThreadStatus.INTERRUPTED: 1,
        ThreadStatus.RUNNING: 3,
        ThreadStatus.SLEEPING: 1,
        ThreadStatus.WAITING: 1,
    }
    asks = approvals().threads[1]
    died = thread("nightly-2", status=ThreadStatus.INTERRUPTED, error=None)
    asleep = thread(
        "remind-1", status=ThreadStatus.SLEEPING, error=None, wake_at=NOW + 7_200_000_000
    )
    done = thread("nightly-0", status=ThreadStatus.COMPLETED, error=None, next=(), finished_at=T0)
    return Overview(
        counts=counts,
        attention=[asks, thread(), died],
        commands={
            asks.thread: f"durajob answer {asks.thread} VALUE",
            "nightly-1": "durajob resume nightly-1",
            "nightly-2": "durajob recover",
        },
        sleepers=[asleep],
        ended=[done],
        ended_count=41,
        store=STORE,
    )


def workflows() -> Workflows:
    """What ``validate`` returns when one of two definitions is bad."""
    problem = ErrorInfo(code="bad_target", message="./bad.py:graph does not load: no such file")
    good = WorkflowInfo(
        name="backup",
        source="built-in",
        target="durajob.examples.backup:backup",
        description="Copy a folder into a content-addressed store.",
        steps=("scan", "copy"),
    )
    bad = WorkflowInfo(
        name="nightly",
        source="etl/workflows.toml",
        target="./bad.py:graph",
        description="",
        problem=problem,
    )
    error = ErrorInfo(code="bad_config", message="1 of 2 definitions cannot be used")
    return Workflows(exit_status=78, error=error, workflows=[good, bad], file="etl/workflows.toml")


def health() -> Health:
    """What ``doctor`` returns when something needs a look, and something is broken."""
    orphan = "store.db-logs/99 belongs to no thread"
    findings = (
        Finding(check="sqlite", level="ok", message="SQLite 3.53.4"),
        Finding(check="logs", level="warning", message=orphan, hint="rm -r store.db-logs/99"),
        Finding(check="integrity", level="error", message="checkpoint 1f is gone"),
    )
    error = ErrorInfo(code="store_damaged", message="the store store.db is damaged: 1 findings")
    return Health(exit_status=69, error=error, findings=findings, store=STORE)


RESULTS: dict[str, Result] = {
    "failed": failed_result(),
    "fan_out": fan_out(),
    "list": thread_list(),
    "overview": overview(),
    "approvals": approvals(),
    "workflows": workflows(),
    "doctor": health(),
    "init": Initialised(created=["workflows.toml", "jobs/hello.py"]),
}
