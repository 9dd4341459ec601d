"""Where the steps of one superstep run: few threads, the unfinished first.

LangGraph hands every task of a superstep over at once and then looks through all that are
not done whenever one is, which makes wide fan-outs quadratic. So this pool

- runs what has not finished yet before it asks the ledger for what has, so that a resumed
  fan-out of thousands begins with new work at once;
- tells LangGraph of finished tasks in waves, an eighth of what is left at a time.
  Nothing is lost by that: a step has finished when the ledger says so;
- lets go of waiting tasks as soon as somebody asks to stop.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context, copy_context
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.errors import GraphBubbleUp

from durajob.engine.shortcuts import IsNeeded, spare
from durajob.engine.signals import Drain

SUBMIT = "__pregel_runner_submit"
"""Where LangGraph looks for a ``Submit`` of ours."""
_WAVES = 8


class Drained(GraphBubbleUp):
    """A step did not begin because somebody asked to stop."""


def without_pool(
    call: Callable[[Any, RunnableConfig], Any],
) -> Callable[[Any, RunnableConfig], Any]:
    """A graph that a step calls by itself must not queue behind that step in our pool."""

    def run(state: Any, config: RunnableConfig) -> Any:
        own = {key: each for key, each in config["configurable"].items() if key != SUBMIT}
        inner: RunnableConfig = {**config, "configurable": own}
        token, pid, status = var_child_runnable_config.set(inner), os.getpid(), 1
        try:
            result = call(state, inner)
            status = 0
        finally:
            if os.getpid() != pid:
                # A child that the step forked has come back out of it. The store's
                # connection, which it shares, is not its to use.
                os._exit(status)
            var_child_runnable_config.reset(token)
        return result

    return run


class _Future(Future[Any]):
    """One of many futures under one lock: whoever looks at them sees a wave whole, or not yet.

    ``concurrent.futures.wait`` takes the lock of every future that it is given. With a lock
    for each, LangGraph would wake up at the first of a wave and look through all the others.
    """

    def __init__(self, condition: threading.Condition) -> None:
        super().__init__()
        self._condition = condition
        self.dropped = False  # read without the lock, unlike cancelled()
        self.is_silent = False

    def cancel(self) -> bool:
        """Called by LangGraph when another task has failed."""
        self.dropped = True
        return super().cancel()

    def tell(self) -> None:
        """Call whoever waits, now that the common lock is free again."""
        self.is_silent = False
        self._invoke_callbacks()

    def _invoke_callbacks(self) -> None:
        # LangGraph's callbacks take a lock of its own, under which it asks futures how they
        # are: called with the common lock held, the two would wait for each other.
        if not self.is_silent:
            super()._invoke_callbacks()  # type: ignore[misc] # the standard library's own, untyped


class _Task:
    __slots__ = ("args", "context", "function", "future", "kwargs")

    def __init__(
        self,
        function: Callable[..., Any],
        args: Any,
        kwargs: Any,
        condition: threading.Condition,
    ) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.context: Context = copy_context()
        self.future = _Future(condition)


class Pool:
    """Runs the tasks of one graph; a graph inside a graph has a pool of its own."""

    def __init__(
        self,
        width: int,
        drain: Drain,
        is_finished: Callable[[Any], bool],
        is_needed: IsNeeded,
    ) -> None:
        """``is_finished`` tells of a LangGraph task whether the ledger has its result."""
        self._width = width
        self._is_needed = is_needed
        self._drain = drain
        self._is_finished = is_finished
        self._mutex = threading.Lock()
        self._wake = threading.Condition(self._mutex)
        self._resolving = threading.Condition()
        self._fresh: deque[_Task] = deque()
        self._answered: deque[_Task] = deque()
        self._unresolved: list[tuple[_Task, Any, BaseException | None]] = []
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._outstanding = 0
        self._closed = False
        self._others: list[threading.Thread] = []

    def submit(
        self,
        function: Callable[..., Any],
        *args: Any,
        __name__: str | None = None,
        __cancel_on_exit__: bool = False,
        __reraise_on_exit__: bool = True,
        __next_tick__: bool = False,
        **kwargs: Any,
    ) -> Future[Any]:
        """LangGraph's ``Submit``: the first argument of ``function`` is the task."""
        if __next_tick__:
            task = _Task(function, args, kwargs, threading.Condition())
            # Called by a running task that will wait for it: it cannot queue behind it.
            other = threading.Thread(target=self._run_now, args=(task,), daemon=True)
            self._others.append(other)
            other.start()
            return task.future
        spare(kwargs.get("configurable", {}), self._is_needed)
        task = _Task(function, args, kwargs, self._resolving)
        with self._mutex:
            self._outstanding += 1
            (self._answered if self._is_finished(args[0]) else self._fresh).append(task)
            if self._idle:
                self._wake.notify()
            elif len(self._threads) < self._width:
                thread = threading.Thread(target=self._work, daemon=True)
                self._threads.append(thread)
                thread.start()
        return task.future

    def close(self) -> None:
        """Wait for the steps in flight; what had not begun never will."""
        self._drop_waiting()
        with self._mutex:
            self._closed = True
            self._wake.notify_all()
        for thread in (*self._threads, *self._others):
            thread.join()
        self._resolve(everything=True)

    def _work(self) -> None:
        while (task := self._next()) is not None:
            value: Any = None
            error: BaseException | None = None
            if task.future.dropped:
                pass
            elif self._drain.requested:
                error = Drained()
                self._drop_waiting()
            else:
                try:
                    value = task.context.run(task.function, *task.args, **task.kwargs)
                except BaseException as raised:
                    error = raised
            with self._mutex:
                self._unresolved.append((task, value, error))
            self._resolve(everything=error is not None and not isinstance(error, Drained))

    def _drop_waiting(self) -> None:
        """Cancel what has not begun: LangGraph takes that in its stride, where it looks
        through all that failed for every task that raises."""
        with self._mutex:
            left = [*self._fresh, *self._answered]
            self._fresh.clear()
            self._answered.clear()
            self._outstanding -= len(left)
        with self._resolving:
            for task in left:
                task.future.is_silent = True
                task.future.cancel()
                task.future.set_running_or_notify_cancel()  # or who waits would not hear of it
        for task in left:
            task.future.tell()

    def _next(self) -> _Task | None:
        with self._mutex:
            while not (self._fresh or self._answered):
                if self._closed:
                    return None
                self._idle += 1
                self._wake.wait()
                self._idle -= 1
            return (self._fresh or self._answered).popleft()

    def _resolve(self, *, everything: bool) -> None:
        with self._mutex:
            due = max(1, self._outstanding // _WAVES)
            if not self._unresolved or (len(self._unresolved) < due and not everything):
                return
            wave, self._unresolved = self._unresolved, []
            self._outstanding -= len(wave)
        told = []
        with self._resolving:
            for task, value, error in wave:
                # False when LangGraph has cancelled it, because another task failed.
                if not task.future.set_running_or_notify_cancel():
                    continue
                task.future.is_silent = True
                told.append(task.future)
                if error is None:
                    task.future.set_result(value)
                else:
                    task.future.set_exception(error)
        for future in told:
            future.tell()

    def _run_now(self, task: _Task) -> None:
        try:
            value = task.context.run(task.function, *task.args, **task.kwargs)
        except BaseException as raised:
            task.future.set_exception(raised)
        else:
            task.future.set_result(value)
