"""The wrapper around every step: the ledger answers, or the step runs and is committed.

When the step returns, its attempt and its result are committed, fsynced, and only then does
LangGraph get the result. If the process dies before LangGraph's own checkpoint is written,
the step is called again on resume, and the ledger answers without running it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.errors import GraphBubbleUp

from durajob import clock
from durajob.engine.context import AttemptContext
from durajob.engine.crashes import Guard, told
from durajob.engine.graph import Check
from durajob.engine.isolation.bounded import bounded
from durajob.engine.isolation.failure import trace_of
from durajob.engine.isolation.workers import CutOff, Workers
from durajob.engine.output import Output
from durajob.engine.pool import Drained, without_pool
from durajob.engine.questions import Questions
from durajob.engine.shortcuts import spare
from durajob.engine.signals import Drain
from durajob.engine.values import to_store
from durajob.engine.waits import fall_asleep, leave_graph, take_turn
from durajob.errors import CrashLoop, DurajobError, StepFault
from durajob.events import (
    Observer,
    StepFailed,
    StepFinished,
    StepStarted,
)
from durajob.model import AttemptStatus, StepError
from durajob.policies import StepPolicy
from durajob.record import Record
from durajob.steps.context import CommandRoom, Leave, Unanswered, current
from durajob.steps.limits import StepTimeout
from durajob.steps.lock import LockTimeout
from durajob.steps.retry import plan, run_with_retries
from durajob.store.effects import EffectBook
from durajob.store.ledger import Attempt, Ledger, Place, Undo
from durajob.store.saver import Progress
from durajob.targets.nested import key_of

_PULL = "__pregel_pull"
_LOOK_EVERY = 0.5  # seconds between two looks at the other steps, during a backoff


class Around(Record):
    """The subgraph call that steps run in: what its own place adds to theirs."""

    key: str
    step: str
    superstep: int


around: ContextVar[Around | None] = ContextVar("durajob_around", default=None)


@dataclass(kw_only=True)
class Run:
    """What all steps of one ownership of a thread share."""

    thread: str
    ledger: Ledger
    effects: EffectBook
    questions: Questions
    progress: Progress
    observer: Observer
    drain: Drain
    seats: AbstractContextManager[Any]  # bounds how many steps run at once
    output: Output
    room: CommandRoom
    workers: Workers
    guard: Guard | None = None  # only where a process has died before
    serde: Any = None  # set once the graph is compiled: it allows the types of its state
    state: Callable[[], Mapping[str, Any]] = dict  # likewise: the latest checkpoint's
    failures: dict[int, StepError] = field(default_factory=dict)  # by the exception's id
    handles_errors: bool = False  # whether the graph has error handlers
    sleeps: list[int] = field(default_factory=list)  # when steps that were left wake again

    @property
    def failed(self) -> bool:
        """Whether a step has failed for good, and no error handler takes it from there."""
        return bool(self.failures) and not self.handles_errors

    def is_finished(self, task: Any) -> bool:
        """Whether the ledger has the result of a LangGraph task."""
        return self.ledger.has(place_of(task.name, task.config).key)


class StepRunnable(Runnable[Any, Any]):
    """A node of the graph, made durable."""

    def __init__(
        self,
        path: Sequence[str],
        node: Runnable[Any, Any],
        policy: StepPolicy,
        check: Check,
        run: Run,
    ) -> None:
        """``path`` names the subgraphs that the node is in, and the node."""
        self._name = path[-1]
        self._node = key_of(path)
        self._policy = policy
        self._check = check
        self._run = run
        self._call = without_pool(bounded(node, policy, path, run.workers))

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Answer from the ledger, or run the step until it has finished or failed for good."""
        run = self._run
        assert config is not None
        spare(config["configurable"], run.progress.is_needed)
        place = place_of(self._name, config)
        run.progress.in_ledger.add(config["configurable"]["__pregel_task_id"])
        if run.ledger.has(place.key):
            return run.serde.loads_typed(run.ledger.recall(place.key))
        if run.questions.waits(place):
            raise run.questions.leave(place)
        if run.guard is not None:
            self._refuse_crash_loop(run.guard, place)
        attempts = Attempts(
            run, place, self._node, self._policy, self._check, self._call, input, config
        )
        if self._policy.delay is not None:
            attempts.delay(self._policy.delay)
        return attempts.run_all()

    def _refuse_crash_loop(self, guard: Guard, place: Place) -> None:
        run = self._run
        try:
            guard.check(place, self._policy)
        except CrashLoop as error:
            run.failures[id(error)] = told(error, place, run.ledger, run.output.folder)
            raise


class Attempts:
    """The attempts at one place, in this process."""

    def __init__(
        self,
        run: Run,
        place: Place,
        node: str,
        policy: StepPolicy,
        check: Check,
        call: Callable[[Any, RunnableConfig], Any],
        state: Any,
        config: RunnableConfig,
    ) -> None:
        """``node`` is the step as policies name it: with the subgraphs that it is in."""
        self.retry_in: float | None = None
        self._shared = run
        self._place = place
        self._node = node
        self._policy = policy
        self._check = check
        self._call = call
        self._state = state
        self._config = config

    def delay(self, seconds: float) -> None:
        """Before the first attempt: wait until the step may begin."""
        run, place = self._shared, self._place
        if run.ledger.past(place).attempts == 0:
            try:
                fall_asleep(run, place, 0, clock.now() + round(seconds * 1e6))
            except Leave as leave:
                raise leave_graph(run, leave) from None

    def run_all(self) -> Any:
        """Try until it succeeds or has failed for good."""
        self.await_due()
        if self._policy.retry is None:
            return self.run()
        return run_with_retries(self)

    def await_due(self) -> None:
        """Wait out a backoff that an earlier process had begun."""
        due_at = self._shared.ledger.past(self._place).due_at
        if due_at is not None and self._policy.retry is not None:
            left = (due_at - clock.now()) / 1_000_000
            # A clock that was set back must not make the wait longer than it ever was.
            self.pause(min(left, self._policy.retry.max_wait))

    def pause(self, seconds: float) -> None:
        """Wait, unless somebody asks to stop or another step has failed for good."""
        end = clock.monotonic() + seconds
        while (left := end - clock.monotonic()) > 0:
            if self._shared.drain.wait(min(left, _LOOK_EVERY)) or self._shared.failed:
                raise Drained()

    def run(self) -> Any:
        """One attempt."""
        run, place = self._shared, self._place
        self.retry_in = None  # what comes before the step is never tried again
        turn = nullcontext() if run.guard is None else run.guard.turn(place, self._policy)
        with run.seats, turn, ExitStack() as held:
            if run.drain.requested:
                raise Drained()
            refusal = None if self._policy.lock is None else self._take_lock(held)
            attempt = run.ledger.begin(place, self._most())
            context = AttemptContext(run, attempt, self._policy)
            token = current.set(context)
            self._announce(attempt)
            try:
                if refusal is not None:
                    raise refusal
                undo = self._undo()
                result = run.questions.call(place, self._call, self._state, self._config)
                self._check(result)
                stored = to_store(run.serde, f"step {place.step}", result)
            except CutOff:
                raise  # the end of the run says what became of the attempt
            except Unanswered:
                run.ledger.forget(attempt)
                raise run.questions.leave(place) from None
            except GraphBubbleUp:
                run.ledger.forget(attempt)
                raise
            except Leave as leave:
                run.ledger.forget(attempt)
                raise leave_graph(run, leave) from None
            except BaseException as error:
                self._fail(attempt, context, error)
                if isinstance(error, Exception):
                    raise
                # sys.exit() in a step ends the step, not durajob.
                fault = StepFault(f"step {place.step} raised {type(error).__name__}: {error}")
                if id(error) in run.failures:
                    run.failures[id(fault)] = run.failures[id(error)]
                raise fault from error
            finally:
                current.reset(token)
                context.close()
            seconds = self._commit(attempt, stored, None if context.did_nothing else undo)
        run.observer.notify(
            StepFinished(
                thread=run.thread,
                at=clock.now(),
                step=place.step,
                visit=attempt.visit,
                attempt=attempt.number,
                seconds=seconds,
            )
        )
        return run.serde.loads_typed(stored)

    def _take_lock(self, held: ExitStack) -> LockTimeout | None:
        """Hold the lock of the policy, or say why an attempt that had it to hold must fail."""
        assert self._policy.lock is not None
        try:
            turn = take_turn(self._shared, self._place.step, self._policy.lock)
        except LockTimeout as error:
            return error
        except Leave as leave:
            raise leave_graph(self._shared, leave) from None
        held.callback(turn.leave)
        return None

    def _has_total(self) -> bool:
        return self._policy.retry is not None and self._policy.retry.total is not None

    def _most(self) -> int | None:
        retry = self._policy.retry
        return (
            None if retry is None else self._shared.ledger.past(self._place).spent + retry.attempts
        )

    def _undo(self) -> Undo | None:
        """What a compensation will need; kept from before the step can change it."""
        if self._policy.compensate is None:
            return None
        state = to_store(
            self._shared.serde, f"step {self._place.step}", self._state, did="was given"
        )
        return Undo(node=self._node, state=state)

    def _commit(self, attempt: Attempt, stored: tuple[str, bytes], undo: Undo | None) -> float:
        return self._shared.ledger.succeed(attempt, *stored, undo=undo)

    def _announce(self, attempt: Attempt) -> None:
        self._shared.observer.notify(
            StepStarted(
                thread=self._shared.thread,
                at=clock.now(),
                step=self._place.step,
                visit=attempt.visit,
                attempt=attempt.number,
                max_attempts=self._most(),
            )
        )

    def _fail(self, attempt: Attempt, context: AttemptContext, error: BaseException) -> None:
        run, place = self._shared, self._place
        if isinstance(error, DurajobError) and not isinstance(error, StepFault):
            return  # the store's own trouble is not the step's
        used = attempt.number - run.ledger.past(place).spent
        final = isinstance(error, StepFault)
        since = run.ledger.since_first(place) if self._has_total() else 0.0
        retry_in = None if final else plan(self._policy.retry, error, used, since)
        trace = run.output.masked(trace_of(error))
        status = AttemptStatus.FAILED
        if isinstance(error, StepTimeout):
            status = AttemptStatus.TIMED_OUT
        context.log.write(trace, "durajob")
        told = StepError(
            step=place.step,
            type=type(error).__name__,
            message=run.output.masked(_message(error)),
            attempt=attempt.number,
            log=context.log.name,
        )
        seconds = run.ledger.fail(attempt, status, told, trace, retry_in)
        self.retry_in = retry_in  # and not if the ledger could not note it
        if retry_in is None:
            run.failures[id(error)] = told
        run.observer.notify(
            StepFailed(
                thread=run.thread,
                at=clock.now(),
                step=place.step,
                visit=attempt.visit,
                attempt=attempt.number,
                seconds=seconds,
                error=told,
                retry_in=retry_in,
            )
        )


def place_of(name: str, config: RunnableConfig) -> Place:
    """Where in the run a task stands.

    Superstep and path are the same at every resume; the task id is not, once an edge is
    added. Inside a subgraph both start anew, so the place of the call around it is put first.
    """
    metadata = config["metadata"]
    path, number = metadata["langgraph_path"], metadata["langgraph_step"]
    outer = around.get()
    # No name of a step holds a colon, so keys cannot be alike where names for people may.
    if len(path) > 3:
        step, key = f"{name}({path[1]})", f"{number}:{name}:after:{path[1]}"  # an error handler
    elif path[0] == _PULL:
        step, key = name, f"{number}:{name}"
    else:
        step, key = f"{name}[{path[1]}]", f"{number}:{name}:{path[1]}"
    ns = metadata["langgraph_checkpoint_ns"].rpartition("|")[0]
    if outer is None:
        return Place(key=key, ns=ns, step=step, superstep=number)
    return Place(
        key=f"{outer.key}/{key}",
        ns=ns,
        step=f"{outer.step}/{step}",
        superstep=outer.superstep,
    )


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = "(its message cannot be shown)"
    return text[:10_000]
