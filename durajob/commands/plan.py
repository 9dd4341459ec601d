"""What a resume would do: which steps run again, which are reused, what stands in its way.

Only reads. Whether the workflow still fits is asked of a process of its own, which loads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from durajob import clock
from durajob.commands import running
from durajob.commands.fitting import misfits
from durajob.commands.ids import check_thread_id, resume_command, way_on
from durajob.commands.reading import reading
from durajob.config.settings import Settings
from durajob.errors import Busy, CrashLoop, DurajobError
from durajob.model import (
    COMPENSATION,
    AttemptStatus,
    ErrorInfo,
    Plan,
    PlannedStep,
    ReusedStep,
    Thread,
    ThreadStatus,
)
from durajob.store import hand_queries

_FINISHED = (AttemptStatus.SUCCEEDED, AttemptStatus.SKIPPED)


def plan(
    thread: str,
    *,
    settings: Settings,
    take_over: bool,
    here: bool,
    reset_resumes: bool,
    accept_change: bool,
) -> Plan:
    """What ``resume`` with these options would do now; nothing is changed.

    Raises:
        ThreadNotFound, AmbiguousThread: when ``thread`` names none, or several.
        StoreError: when the thread cannot be read.
    """
    check_thread_id(thread)
    with reading(thread, settings) as (reader, name):
        row = reader.row(name, checked=True)
        found = reader.find(name, whole=True)
        assert row is not None, "it was just resolved"
        assert found is not None, "it was just resolved"
        met = list(reader.rows(hand_queries.MET_SINCE, (row["id"], row["superstep"])))
        finished = list(reader.rows(hand_queries.REUSED, (row["id"],)))
        due = list(reader.rows(hand_queries.DUE_STEPS, (row["id"],)))
    reused = tuple(
        ReusedStep(step=step, visit=visit, source="ledger" if kept else "checkpoint")
        for step, visit, kept in finished
    )
    if running.has_ended(row):
        return Plan(thread=found, verdict="nothing", again=(), reused=reused)
    unwinding = row["outcome"] == "compensating" or row["cancel_epoch"] is not None
    refused = _refused(row, found, settings, take_over=take_over, reset_resumes=reset_resumes)
    if here:
        from durajob.engine import environment

        row = {**row, "environment": environment.dumps(environment.describe(None))}
    refused += [
        ErrorInfo(code=each.code, message=each.message, hint=each.hint)
        for each in misfits([row], settings, accept_change=accept_change)
    ]
    verdict = "compensates" if unwinding else "runs"
    if refused:
        verdict = "refused"
    elif not unwinding or row["outcome"] == "compensating":
        verdict = _pause(row, found) or verdict
    return Plan(
        thread=found,
        verdict=verdict,
        again=() if unwinding else tuple(_again(found, met)),
        reused=reused,
        compensations=tuple(f"{step}{COMPENSATION}" for (step,) in due) if unwinding else (),
        refused=tuple(refused),
        next_command=None if refused else way_on(found),
    )


def _again(thread: Thread, met: list[Any]) -> Iterator[PlannedStep]:
    """The steps that would run, with what became of their last attempt."""
    last = {step: (visit, AttemptStatus(status), count) for step, visit, status, count in met}
    inside = [
        step for step, (_, status, _) in last.items() if "/" in step and status not in _FINISHED
    ]
    for name in (*thread.next, *inside):
        visit, status, attempts = last.get(name, (None, None, 0))
        if status in _FINISHED:
            continue  # it is answered from the ledger, to find out what comes after it
        if status is AttemptStatus.RUNNING and thread.status is not ThreadStatus.RUNNING:
            status = AttemptStatus.ABANDONED
        yield PlannedStep(step=name, visit=visit, status=status, attempts=attempts)


def _refused(
    row: Mapping[str, Any],
    thread: Thread,
    settings: Settings,
    *,
    take_over: bool,
    reset_resumes: bool,
) -> list[ErrorInfo]:
    refused: list[ErrorInfo] = []
    if not take_over and (busy := running.busy_with(row, settings)) is not None:
        refused.append(_info(busy))
    if reset_resumes:
        return refused
    error = thread.error
    if row["status"] == "failed" and error is not None and error.type == CrashLoop.__name__:
        hint = f"mend the cause, then: {resume_command(thread)}"
        refused.append(ErrorInfo(code=CrashLoop.code, message=error.message, hint=hint))
    try:
        most = running.definition_of(row, settings).max_resumes
    except DurajobError:
        return refused  # told with what else of the definition does not fit
    if row["resumes"] >= most:
        refused.append(
            ErrorInfo(
                code="too_many_resumes",
                message=f"it was resumed {row['resumes']} times without a step finishing",
                hint=f"mend the cause, then: durajob resume {row['thread']} --reset-resumes",
            )
        )
    return refused


def _info(error: Busy) -> ErrorInfo:
    return ErrorInfo(code=error.code, message=error.message, hint=error.hint)


def _pause(row: Mapping[str, Any], thread: Thread) -> str | None:
    """Why a resume would run nothing yet."""
    if row["status"] == "waiting" and not row["due"]:
        return "waits"
    if row["status"] == "sleeping" and row["wake_at"] is not None and row["wake_at"] > clock.now():
        return "sleeps"
    return None
