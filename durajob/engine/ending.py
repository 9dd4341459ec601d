"""How driving a thread has ended, and that made durable.

It is decided from what LangGraph raised and what the wrapper and the saver saw; never from
``next == ()``, which is also empty when a step to come was renamed or a router failed.
"""

from __future__ import annotations

import traceback

from langgraph.errors import GraphDrained

from durajob.engine import compensate
from durajob.engine.job import Job
from durajob.engine.pool import Drained
from durajob.engine.step import Run
from durajob.errors import (
    Busy,
    CrashLoop,
    DefinitionChanged,
    InternalError,
    OwnershipLost,
    StorageError,
    StoreError,
)
from durajob.model import AttemptStatus, StepError, ThreadStatus
from durajob.record import Record
from durajob.store.logs import GRAPH, AttemptLog

_BEYOND_REPAIR = (StoreError, StorageError, OwnershipLost, InternalError, Busy)
"""Trouble of the store or the owner: nothing more can be written about the thread."""


class Outcome(Record):
    """How driving ended. ``abandoned``: a step still runs in this process, which must end."""

    status: ThreadStatus
    timed_out: bool = False
    abandoned: bool = False


def finish(job: Job, run: Run, error: BaseException | None) -> Outcome:
    """Decide where the thread stands, and make that durable."""
    if isinstance(error, _BEYOND_REPAIR):
        raise error
    drained = isinstance(error, GraphDrained | Drained)
    if error is not None and not (drained and run.drain.requested):
        cause = _blame(run, error)
        if cause.type not in (CrashLoop.__name__, DefinitionChanged.__name__):
            return unwind(job, run, cause)
        # What a process that died was doing is in doubt, and a step that the workflow has lost
        # has not failed: a person decides what comes of it.
        run.ledger.finish("failed", error=cause)
        return Outcome(status=ThreadStatus.FAILED)
    if drained:
        timed_out = run.drain.reason == "timeout"
        # Only what a worker was ended in can still be running.
        left = AttemptStatus.TIMED_OUT if timed_out else None
        run.ledger.finish("stopped", attempts=left, reason=run.drain.reason)
        return Outcome(status=ThreadStatus.STOPPED, timed_out=timed_out)
    wake_at = min(run.sleeps, default=None)
    if run.questions.open:
        times = [at for at in (wake_at, run.questions.next_expiry()) if at is not None]
        asked = run.questions.as_waiting()
        run.ledger.finish("waiting", waiting=asked, wake_at=min(times, default=None))
        return Outcome(status=ThreadStatus.WAITING)
    if wake_at is not None and run.drain.requested:
        run.ledger.finish("stopped", reason=run.drain.reason)
        return Outcome(status=ThreadStatus.STOPPED, timed_out=run.drain.reason == "timeout")
    if wake_at is not None:
        run.ledger.finish("sleeping", wake_at=wake_at)
        return Outcome(status=ThreadStatus.SLEEPING)
    run.ledger.finish("completed")
    return Outcome(status=ThreadStatus.COMPLETED)


def unwind(job: Job, run: Run, cause: StepError | None) -> Outcome:
    """The thread has failed for good, or is cancelled: what it has done is compensated."""
    status = compensate.unwind(
        run,
        job.loaded.policies,
        cause=cause,
        begun=job.compensating,
        cancelling=job.cancelling,
    )
    stopped = status is ThreadStatus.STOPPED
    return Outcome(status=status, timed_out=stopped and run.drain.reason == "timeout")


def _blame(run: Run, error: BaseException) -> StepError:
    if id(error) in run.failures:
        return run.failures[id(error)]
    if isinstance(error, Drained) and run.failures:
        return next(iter(run.failures.values()))  # a backoff was cut short by it
    # Not in a step: a router, a conflict between parallel updates, LangGraph itself.
    step = None
    for note in getattr(error, "__notes__", ()):
        if note.startswith("During task with name '"):
            step = note.removeprefix("During task with name '").rpartition("' and id")[0]
    log = AttemptLog(run.output.folder / GRAPH, mask=run.output.mask)
    log.write("".join(traceback.format_exception(error)), "durajob")
    log.close()
    message = run.output.masked(str(error)[:10_000])
    return StepError(step=step, type=type(error).__name__, message=message, log=log.name)
