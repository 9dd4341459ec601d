"""Compensations: a thread that failed for good, or is cancelled, undoes what it has done.

Those of the finished steps run one after the other, the last finished first. Each is a step
of its own in the ledger, with its own retries; when its commit returns, it is never run again.
That a thread is compensated is durable before the first begins: from then on the graph does
not run again, whoever drives the thread, and whatever became of the owner before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphBubbleUp

from durajob import clock
from durajob.engine.crashes import told
from durajob.engine.isolation.bounded import bounded_undo
from durajob.engine.pool import Drained, without_pool
from durajob.engine.step import Attempts, Run
from durajob.engine.waits import wakes_soon
from durajob.errors import CrashLoop, StepFault
from durajob.events import Notice
from durajob.model import AttemptStatus, StepError, ThreadStatus
from durajob.policies import Compensation, StepPolicy
from durajob.store.ledger import Attempt, Due, Undo

_READ = "__pregel_read"
"""Where LangGraph looks for the state, for those that read it as a branch does."""


def unwind(
    run: Run,
    policies: Mapping[str, StepPolicy],
    *,
    cause: StepError | None,
    begun: bool,
    cancelling: bool,
) -> ThreadStatus:
    """Run all that is due; where the thread stands then, made durable.

    ``cause`` is the failure that is compensated, None when a person cancelled the thread.
    ``begun``: an earlier owner has made it durable that the thread is compensated.
    """
    ledger = run.ledger
    status = ThreadStatus.CANCELLED if cancelling else ThreadStatus.FAILED
    due = ledger.due()
    if due is None and not begun:
        ledger.finish(status.value, error=cause)
        return status
    if due is not None and not begun:
        ledger.begin_compensating(due, cause)
        text = "it is cancelled" if cause is None else f"{cause.step or 'it'} failed for good"
        text += ": what had finished is compensated, the last first"
        run.observer.notify(Notice(thread=run.thread, at=clock.now(), text=text))
    # The failures that led here are over; those to come are the compensations' own.
    run = replace(run, failures={}, sleeps=[], handles_errors=False)
    run.questions.open.clear()
    while due is not None:
        try:
            failure = _compensate(run, due, policies)
        except Drained:
            # Only what a worker was ended in can still be running.
            reason = run.drain.reason
            left = AttemptStatus.TIMED_OUT if reason == "timeout" else None
            ledger.finish("stopped", attempts=left, reason=reason)
            return ThreadStatus.STOPPED
        except GraphBubbleUp:
            if run.questions.answered_meanwhile() or wakes_soon(run):
                continue
            return _wait(run)
        if failure is not None:
            ledger.finish("failed", error=failure)
            return ThreadStatus.FAILED
        due = ledger.due()
    return ThreadStatus(ledger.finish(status.value, error=cause, outcome="compensated"))


def _wait(run: Run) -> ThreadStatus:
    """A compensation asks a person, or sleeps: leave the thread until that is over."""
    ledger = run.ledger
    if run.questions.open:
        expiry = run.questions.next_expiry()
        ledger.finish("waiting", waiting=run.questions.as_waiting(), wake_at=expiry)
        return ThreadStatus.WAITING
    if run.drain.requested:
        ledger.finish("stopped", reason=run.drain.reason)
        return ThreadStatus.STOPPED
    ledger.finish("sleeping", wake_at=min(run.sleeps))
    return ThreadStatus.SLEEPING


def _compensate(run: Run, due: Due, policies: Mapping[str, StepPolicy]) -> StepError | None:
    """Run one compensation; why it failed for good, None when it did not."""
    compensation = policies.get(due.node, StepPolicy()).compensate
    if compensation is None:
        return StepError(
            step=due.place.step,
            type="DefinitionChanged",
            message=f"the workflow no longer has a compensation for {due.node}",
        )
    try:
        attempts = _Compensating(run, due, compensation)
        if run.guard is not None:
            run.guard.check(due.place, StepPolicy())
        attempts.run_all()
    except CrashLoop as loop:
        return told(loop, due.place, run.ledger, run.output.folder)
    except Exception as error:
        if id(error) not in run.failures:
            raise
        return run.failures[id(error)]
    return None


class _Compensating(Attempts):
    """The attempts at one compensation, in this process."""

    def __init__(self, run: Run, due: Due, compensation: Compensation) -> None:
        given = run.serde.loads_typed(due.state), run.serde.loads_typed(due.result)
        undo = bounded_undo(due.node, compensation, run.workers)

        def call(given: Any, config: RunnableConfig) -> None:
            try:
                undo(given, config)
            except Drained:
                raise
            except GraphBubbleUp as bubble:
                raise StepFault(
                    f"{due.place.step} used LangGraph's interrupt()",
                    hint="ask with durajob's approval()",
                ) from bubble

        super().__init__(
            run,
            due.place,
            due.node,
            StepPolicy(retry=compensation.retry),
            lambda result: None,
            without_pool(call),
            given,
            {
                "configurable": {_READ: lambda select, fresh: run.state()[select]},
                "metadata": {},
            },
        )
        self._due = due

    def _commit(self, attempt: Attempt, stored: tuple[str, bytes], undo: Undo | None) -> float:
        return self._shared.ledger.settle(attempt, self._due)
