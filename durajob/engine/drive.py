"""Driving a thread that this process owns, from its latest checkpoint to where it ends.

The graph runs in a thread of its own, so that the main thread always hears signals and
keeps the time, even while a step blocks. How the thread ended is decided here, from what
LangGraph raised and what the wrapper and the saver saw; never from ``next == ()``, which is
also empty when a step to come was renamed or a router failed.
"""

from __future__ import annotations

import gc
import os
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.errors import GraphDrained
from langgraph.pregel import Pregel
from langgraph.runtime import RunControl

from durajob import clock
from durajob.engine import graph as graphs
from durajob.engine import signals
from durajob.engine.compensate import unwind
from durajob.engine.crashes import Guard
from durajob.engine.graph import Check
from durajob.engine.guests import builder_of
from durajob.engine.isolation.workers import Workers
from durajob.engine.output import Output
from durajob.engine.pool import SUBMIT, Drained, Pool
from durajob.engine.questions import Questions
from durajob.engine.signals import Drain, before_abort
from durajob.engine.step import Around, Run, StepRunnable, around, place_of
from durajob.engine.waits import wakes_soon
from durajob.errors import (
    Busy,
    CrashLoop,
    DefinitionChanged,
    InternalError,
    OwnershipLost,
    StorageError,
    StoreError,
)
from durajob.events import Notice, Observer, ThreadClaimed, ThreadLeft
from durajob.masking import Mask
from durajob.model import AttemptStatus, StepError, ThreadStatus
from durajob.policies import StepPolicy
from durajob.registry import Definition
from durajob.steps.context import CommandRoom
from durajob.steps.shell import kill_commands
from durajob.store.door import Door
from durajob.store.effects import EffectBook
from durajob.store.ended import leave_word
from durajob.store.ledger import Ledger
from durajob.store.logs import GRAPH, MAX_SIZE, AttemptLog
from durajob.store.notifications import Announcer
from durajob.store.questions import QuestionBook
from durajob.store.saver import Progress, Saver
from durajob.store.spent import Spent
from durajob.targets import Loaded
from durajob.targets.nested import key_of

_BEYOND_REPAIR = (StoreError, StorageError, OwnershipLost, InternalError, Busy)
"""Trouble of the store or the owner: nothing more can be written about the thread."""
_LOOK_EVERY = 0.5  # seconds between two looks at whether a signal has come
_SUPERSTEPS = 1_000_000_000
"""LangGraph's recursion limit, which guards agents; a job may loop as long as it likes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What is driven: a claimed thread and all that its graph needs."""

    thread: str
    workflow: str
    input: Mapping[str, Any]
    definition: Definition
    loaded: Loaded
    concurrency: int
    door: Door
    lock: int  # the descriptor that holds the thread's lock
    pointer: str | None  # the latest checkpoint, None before the first
    superstep: int
    next: tuple[str, ...]
    done: int
    total: int | None
    resumed: bool
    logs: Path
    max_crashes: int  # for steps that say nothing of their own
    folder: Path  # the thread's own, for its shell steps
    secrets: tuple[str, ...] = ()
    log_size: int = MAX_SIZE
    compensating: bool = False  # the graph runs no more, its compensations are due
    cause: StepError | None = None  # the failure that is compensated
    cancelling: bool = False  # a person wants it to end
    announcer: Announcer | None = None  # notes what somebody is to be told of


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How driving ended. ``abandoned``: a step still runs in this process, which must end."""

    status: ThreadStatus
    timed_out: bool = False
    abandoned: bool = False


def drive(job: Job, *, observer: Observer, drain: Drain, deadline: float | None) -> Outcome:
    """Run the thread until it ends, waits, fails, or is asked to stop.

    ``deadline`` is on the monotonic clock: then the run is over, whatever a step does.

    Raises:
        OwnershipLost: when another process has claimed the thread meanwhile.
        StorageError: when the store cannot be written; the thread is then interrupted.
    """
    progress = Progress(job.pointer)
    ledger = Ledger(job.door, job.superstep, job.announcer)
    mask = Mask(job.secrets, os.environ) if job.secrets else None
    if mask is not None:
        mask.learn(job.input)
    workers = Workers(job.definition, job.lock)
    run = Run(
        thread=job.thread,
        ledger=ledger,
        effects=EffectBook(job.door),
        questions=Questions(QuestionBook(job.door, job.superstep), job.thread),
        progress=progress,
        observer=observer,
        drain=drain,
        # One pool bounds by itself; several, of graphs inside graphs, need a common bound.
        seats=threading.Semaphore(job.concurrency)
        if graphs.has_subgraphs(job.loaded.builder)
        else nullcontext(),
        room=CommandRoom(job.workflow, job.input, str(job.folder), job.lock),
        output=Output(job.logs, mask=mask, max_size=job.log_size),
        workers=workers,
    )
    observer.notify(
        ThreadClaimed(
            thread=job.thread,
            at=clock.now(),
            workflow=job.workflow,
            epoch=job.door.epoch,
            resumed=job.resumed,
            next=job.next,
            done=job.done,
            total=job.total,
        )
    )
    if ledger.crashes:
        run.guard = Guard(ledger, job.max_crashes, lambda: drain.requested or run.failed)
    drain.on_request(partial(_say_stopping, job.thread, observer))
    signals.before_abort.append(kill_commands)
    try:
        with run.output.captured(), _no_crash(job):
            try:
                outcome = _supervise(partial(_run_graph, job, run), run, job, deadline)
            finally:
                workers.close()
    finally:
        signals.before_abort.remove(kill_commands)
    observer.notify(ThreadLeft(thread=job.thread, at=clock.now(), status=outcome.status))
    return outcome


@contextmanager
def _no_crash(job: Job) -> Iterator[None]:
    """Leave word when the process ends by itself with attempts in flight: no step killed it."""

    def leave() -> None:
        # A store that has been put in the place of ours has threads of other owners.
        if job.door.is_in_place:
            leave_word(job.logs, job.door.epoch)

    before_abort.insert(0, leave)
    try:
        yield
    except BaseException:
        leave()
        raise
    finally:
        before_abort.remove(leave)


def _say_stopping(thread: str, observer: Observer, reason: str) -> None:
    text = f"asked to stop ({reason}): the steps in flight finish, the rest waits for a resume"
    if reason != "timeout":
        observer.notify(Notice(thread=thread, at=clock.now(), text=text))


def _supervise(work: Any, run: Run, job: Job, deadline: float | None) -> Outcome:
    ended = threading.Event()
    box: dict[str, Any] = {}

    def target() -> None:
        try:
            box["outcome"] = work()
        except BaseException as error:
            box["error"] = error
        finally:
            ended.set()

    threading.Thread(
        target=copy_context().run, args=(target,), name=f"durajob {job.thread}", daemon=True
    ).start()
    # The kernel gives a signal that comes right after another to any thread, and then nothing
    # wakes this one, which alone can act on it: so it looks by itself.
    while not ended.wait(_until(deadline)):
        if deadline is not None and clock.monotonic() >= deadline:
            return _cut_off(run, job, ended, box)
    return _unpack(box)


def _until(deadline: float | None) -> float:
    left = _LOOK_EVERY if deadline is None else deadline - clock.monotonic()
    return max(0.0, min(left, _LOOK_EVERY))


def _cut_off(run: Run, job: Job, ended: threading.Event, box: dict[str, Any]) -> Outcome:
    """The run's time is over: whatever still runs is left behind and can write no more."""
    run.drain.request("timeout")
    if ended.wait(1.0 if run.workers.cut_off() else 0.05):
        outcome = _unpack(box)
        return Outcome(status=outcome.status, timed_out=outcome.status is ThreadStatus.STOPPED)
    try:
        run.ledger.finish("stopped", attempts=AttemptStatus.TIMED_OUT, reason="timeout")
    finally:
        job.door.shut(Busy("the run is over: its timeout ended it"))
        kill_commands()
    return Outcome(status=ThreadStatus.STOPPED, timed_out=True, abandoned=True)


def _unpack(box: dict[str, Any]) -> Outcome:
    if "error" in box:
        raise box["error"]
    outcome: Outcome = box["outcome"]
    return outcome


def _run_graph(job: Job, run: Run) -> Outcome:
    compiled = _compile(job, run)
    # What is there by now stays: the collector need not walk through it again and again.
    gc.freeze()
    if job.compensating or job.cancelling:
        return _unwind(job, run, job.cause)
    control = RunControl()
    run.drain.on_request(control.request_drain)
    given = dict(job.input) if job.pointer is None else None
    error = _stream(job, run, compiled, given, control)
    while error is None and _can_go_on(run):
        error = _stream(job, run, compiled, None, control)
    return _finish(job, run, error)


def _can_go_on(run: Run) -> bool:
    """Whether, once nothing of the graph could run, something can now."""
    if run.questions.answered_meanwhile():
        run.sleeps.clear()
        return True
    return wakes_soon(run)


def _stream(
    job: Job, run: Run, compiled: Pregel[Any, Any, Any, Any], given: Any, control: RunControl
) -> BaseException | None:
    """Run the graph until it ends, or nothing of it can run; what LangGraph raised."""
    pool = Pool(job.concurrency, run.drain, run.is_finished, run.progress.is_needed)
    config: RunnableConfig = {
        "configurable": {"thread_id": job.thread, SUBMIT: lambda: pool.submit},
        "recursion_limit": _SUPERSTEPS,
    }
    try:
        for _ in compiled.stream(given, config, stream_mode=[], durability="sync", control=control):
            pass
    except BaseException as error:
        return error
    finally:
        pool.close()
    return None


def _finish(job: Job, run: Run, error: BaseException | None) -> Outcome:
    """Decide where the thread stands, and make that durable."""
    if isinstance(error, _BEYOND_REPAIR):
        raise error
    drained = isinstance(error, GraphDrained | Drained)
    if error is not None and not (drained and run.drain.requested):
        cause = _blame(run, error)
        if cause.type not in (CrashLoop.__name__, DefinitionChanged.__name__):
            return _unwind(job, run, cause)
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


def _unwind(job: Job, run: Run, cause: StepError | None) -> Outcome:
    """The thread has failed for good, or is cancelled: what it has done is compensated."""
    status = unwind(
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


def _compile(job: Job, run: Run) -> Pregel[Any, Any, Any, Any]:
    saver = Saver(job.door, run.ledger, run.progress)
    policies = job.loaded.policies

    def step(
        path: Sequence[str], node: Runnable[Any, Any], policy: StepPolicy, check: Check
    ) -> Runnable[Any, Any]:
        return StepRunnable(path, node, policy, check, run)

    def inner(
        path: Sequence[str], node: Pregel[Any, Any, Any, Any], names: frozenset[str]
    ) -> Runnable[Any, Any]:
        builder = builder_of(key_of(path), node)
        wrapped = graphs.wrap(
            builder, policies=policies, step=step, inner=inner, outer=names, path=path
        )
        return _Subgraph(path[-1], wrapped.compile(name=node.name), run, job.concurrency)

    wrapped = graphs.wrap(job.loaded.builder, policies=policies, step=step, inner=inner)
    compiled = wrapped.compile(checkpointer=saver)
    run.serde = compiled.checkpointer.serde  # type: ignore[union-attr] # the saver given above
    run.state = cache(partial(_state_of, compiled.checkpointer, job.thread))
    run.handles_errors = bool(compiled.node_error_handler_map)
    entries = graphs.entry_steps(job.loaded.builder)
    run.progress.pending = partial(graphs.pending_steps, compiled, entries)
    run.progress.check_inner = partial(graphs.refuse_steps_that_are_gone, job.loaded.builder)
    run.progress.delta_channels = graphs.delta_channels(compiled)
    if not graphs.keeps_changes(job.loaded.builder):
        run.progress.spent = Spent(job.thread, resumed=job.pointer is not None)
    return compiled


def _state_of(saver: Any, thread: str) -> Mapping[str, Any]:
    """What the latest checkpoint holds, by channel."""
    found = saver.get_tuple({"configurable": {"thread_id": thread, "checkpoint_ns": ""}})
    values: Mapping[str, Any] = {} if found is None else found.checkpoint["channel_values"]
    return values


class _Subgraph(Runnable[Any, Any]):
    """A subgraph node: entered, not wrapped; its own steps are."""

    def __init__(self, name: str, graph: Pregel[Any, Any, Any, Any], run: Run, width: int) -> None:
        self._name = name
        self._graph = graph
        self._run = run
        self._width = width

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Run the inner graph with a pool of its own: this call occupies a place in ours."""
        assert config is not None
        place = place_of(self._name, config)
        run = self._run
        if run.ledger.has(place.key):  # settled by hand
            run.progress.in_ledger.add(config["configurable"]["__pregel_task_id"])
            return run.serde.loads_typed(run.ledger.recall(place.key))
        pool = Pool(self._width, run.drain, run.is_finished, run.progress.is_needed)
        token = around.set(Around(key=place.key, step=place.step, superstep=place.superstep))
        inner: RunnableConfig = {
            **config,
            "configurable": {**config["configurable"], SUBMIT: lambda: pool.submit},
        }
        try:
            return self._graph.invoke(input, inner)
        finally:
            around.reset(token)
            pool.close()
