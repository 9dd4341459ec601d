"""Driving a thread that this process owns, from its latest checkpoint to where it ends.

The graph runs in a thread of its own, so that the main thread always hears signals and
keeps the time, even while a step blocks. How the thread ended is decided in ``ending``.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from functools import partial
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel
from langgraph.runtime import RunControl

from durajob import clock
from durajob.engine import graph as graphs
from durajob.engine import signals
from durajob.engine.assembly import assemble
from durajob.engine.crashes import Guard
from durajob.engine.ending import Outcome, finish, unwind
from durajob.engine.isolation.workers import Workers
from durajob.engine.job import Job
from durajob.engine.output import Output
from durajob.engine.pool import SUBMIT, Pool
from durajob.engine.questions import Questions
from durajob.engine.signals import Drain, before_abort
from durajob.engine.step import Run
from durajob.engine.waits import wakes_soon
from durajob.errors import Busy
from durajob.events import Notice, Observer, ThreadClaimed, ThreadLeft
from durajob.masking import Mask
from durajob.model import AttemptStatus, ThreadStatus
from durajob.steps.context import CommandRoom
from durajob.steps.shell import kill_commands
from durajob.store.effects import EffectBook
from durajob.store.ended import leave_word
from durajob.store.ledger import Ledger
from durajob.store.questions import QuestionBook
from durajob.store.saver import Progress

_LOOK_EVERY = 0.5  # seconds between two looks at whether a signal has come
_SUPERSTEPS = 1_000_000_000
"""LangGraph's recursion limit, which guards agents; a job may loop as long as it likes."""


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
    compiled = assemble(job, run)
    # What is there by now stays: the collector need not walk through it again and again.
    gc.freeze()
    if job.compensating or job.cancelling:
        return unwind(job, run, job.cause)
    control = RunControl()
    run.drain.on_request(control.request_drain)
    given = dict(job.input) if job.pointer is None else None
    error = _stream(job, run, compiled, given, control)
    while error is None and _can_go_on(run):
        error = _stream(job, run, compiled, None, control)
    return finish(job, run, error)


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
