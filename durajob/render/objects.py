"""Threads and what belongs to them, as the objects that scripts read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from durajob import clock
from durajob.model import (
    Approvals,
    LockWait,
    Overview,
    Owner,
    Step,
    StepError,
    StepProgress,
    Thread,
    ThreadList,
    ThreadResult,
    ThreadStatus,
    Waiting,
)
from durajob.render.envelope import error_object

if TYPE_CHECKING:
    from durajob.cause import Why
    from durajob.recovery import Recovered, Recovery


def thread_result(result: ThreadResult) -> dict[str, Any]:
    """One thread, whole."""
    return {"thread": thread_object(result.thread, whole=True)}


def thread_list(result: ThreadList) -> dict[str, Any]:
    """Threads, and whether there are more."""
    threads = thread_objects(result.threads)
    return {"threads": threads, "store": result.store, "more": result.more}


def approvals(result: Approvals) -> dict[str, Any]:
    """Threads that wait for a person."""
    return {"threads": thread_objects(result.threads), "store": result.store}


def overview(result: Overview) -> dict[str, Any]:
    """How many threads there are, and those that somebody may want to see."""
    return {
        "counts": {status.value: result.counts.get(status, 0) for status in ThreadStatus},
        "threads": thread_objects(result.attention),
        "commands": dict(result.commands),
        "sleepers": thread_objects(result.sleepers),
        "ended": thread_objects(result.ended),
        "ended_count": result.ended_count,
        "store": result.store,
    }


def recovery(result: Recovery) -> dict[str, Any]:
    """Threads that are resumed, and how they ended where that was waited for."""
    return {
        "threads": thread_objects(result.threads),
        "outcomes": outcome_objects(result.outcomes),
        "store": result.store,
    }


def why(result: Why) -> dict[str, Any]:
    """Why a thread stands where it stands."""
    cause = result.cause._asdict()
    return {"thread": result.thread, "status": result.status.value, **cause}


def thread_object(thread: Thread, *, whole: bool) -> dict[str, Any]:
    """A thread; with its state and steps if ``whole``."""
    shown: dict[str, Any] = {
        "thread": thread.thread,
        "workflow": thread.workflow,
        "status": thread.status.value,
        "next": list(thread.next),
        "input": thread.input,
    }
    if whole and thread.state is not None:
        shown["state"] = thread.state
    shown["progress"] = {"done": thread.done, "total": thread.total}
    if whole and thread.steps is not None:
        shown["steps"] = [step_object(step) for step in thread.steps]
    if whole and thread.waiting_for_locks:
        shown["waiting_for_locks"] = [lock_wait_object(wait) for wait in thread.waiting_for_locks]
    return shown | {
        "outcome": thread.outcome,
        "error": step_error(thread.error),
        "cause": step_error(thread.cause),
        "owner": _owner(thread.owner),
        "epoch": thread.epoch,
        "waiting_for": [_waiting(w) for w in thread.waiting_for] or None,
        "wake_at": clock.to_rfc3339(thread.wake_at),
        "slot": thread.slot,
        "parent": thread.parent,
        "created_at": clock.to_rfc3339(thread.created_at),
        "started_at": clock.to_rfc3339(thread.started_at),
        "updated_at": clock.to_rfc3339(thread.updated_at),
        "finished_at": clock.to_rfc3339(thread.finished_at),
    }


def thread_objects(threads: Sequence[Thread]) -> list[dict[str, Any]]:
    """Threads without their state and steps."""
    return [thread_object(thread, whole=False) for thread in threads]


def step_object(step: Step) -> dict[str, Any]:
    """A step of a thread."""
    shown: dict[str, Any] = {"step": step.step}
    if step.visit > 1:
        shown["visit"] = step.visit
    shown |= {
        "status": step.status.value,
        "attempts": step.attempts,
        "started_at": clock.to_rfc3339(step.started_at),
        "finished_at": clock.to_rfc3339(step.finished_at),
        "seconds": None if step.seconds is None else round(step.seconds, 6),
        "error": step_error(step.error),
    }
    if step.progress is not None:
        shown["progress"] = _progress(step.progress)
    if step.max_attempts is not None:
        shown["max_attempts"] = step.max_attempts
    if step.due_at is not None:
        shown["due_at"] = clock.to_rfc3339(step.due_at)
    return shown


def lock_wait_object(wait: LockWait) -> dict[str, Any]:
    """A lock that a step waits for."""
    return {
        "name": wait.name,
        "step": wait.step,
        "limit": wait.limit,
        "since": clock.to_rfc3339(wait.since),
        "holders": [
            {
                "thread": holder.thread,
                "step": holder.step,
                "pid": holder.pid,
                "since": clock.to_rfc3339(holder.since),
            }
            for holder in wait.holders
        ],
    }


def step_error(error: StepError | None) -> dict[str, Any] | None:
    """Why a step failed, as an object."""
    if error is None:
        return None
    shown: dict[str, Any] = {
        "step": error.step,
        "type": error.type,
        "message": error.message,
        "attempt": error.attempt,
    }
    if error.log is not None:
        shown["log"] = error.log
    return shown


def outcome_objects(outcomes: Sequence[Recovered] | None) -> list[dict[str, Any]] | None:
    """How threads ended that were driven; None where nobody waited for that."""
    return None if outcomes is None else [_outcome(each) for each in outcomes]


def _outcome(outcome: Recovered) -> dict[str, Any]:
    return {
        "thread": outcome.thread.thread,
        "status": outcome.thread.status.value,
        "exit_code": outcome.exit_status,
        "error": error_object(outcome.error),
    }


def _progress(progress: StepProgress) -> dict[str, Any]:
    return {"done": progress.done, "total": progress.total, "note": progress.note}


def _owner(owner: Owner | None) -> dict[str, Any] | None:
    if owner is None:
        return None
    return {"host": owner.host, "pid": owner.pid, "since": clock.to_rfc3339(owner.since)}


def _waiting(waiting: Waiting) -> dict[str, Any]:
    return {
        "id": waiting.id,
        "step": waiting.step,
        "prompt": waiting.prompt,
        "schema": waiting.schema,
        "expires_at": clock.to_rfc3339(waiting.expires_at),
    }
