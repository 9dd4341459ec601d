"""Where durajob reaches into LangGraph's private parts, to spare work that it has done itself.

The ledger holds every result, so LangGraph needs no list of pending writes, which it goes
through for every task that finishes. And a checkpoint that is only laid aside for the next
commit needs no thread of its own to be stored in. Both are shortcuts alone: in a LangGraph
whose inside looks different nothing is found, all is slower, and as right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

_CALL = "__pregel_call"

IsNeeded = Callable[[Any, str], bool]
"""Whether LangGraph must keep the writes of a task, given by its id."""


def spare(configurable: Mapping[str, Any], is_needed: IsNeeded) -> None:
    """Come between LangGraph's runner and its loop, once; ``configurable`` is a task's."""
    try:
        runner = configurable[_CALL].keywords["futures"]().callback().__self__
        put_writes = runner.put_writes
        if isinstance(put_writes, _PutWrites):
            return
        loop = put_writes().__self__
        _ = loop.submit, loop.checkpoint_pending_writes
    except (AttributeError, KeyError, TypeError):
        return
    runner.put_writes = _PutWrites(put_writes, is_needed)
    loop.submit = _at_once


class _PutWrites:
    """Stands where the runner keeps a weak reference to the loop's ``put_writes``."""

    def __init__(self, original: Callable[[], Any], is_needed: IsNeeded) -> None:
        self._original = original
        self._is_needed = is_needed

    def __call__(self) -> Callable[[str, Any], None]:
        return self._put

    def _put(self, task_id: str, writes: Any) -> None:
        if self._is_needed(writes, task_id):
            self._original()(task_id, writes)


def _at_once(
    function: Callable[..., Any],
    *args: Any,
    __name__: str | None = None,
    __cancel_on_exit__: bool = False,
    __reraise_on_exit__: bool = True,
    __next_tick__: bool = False,
    **kwargs: Any,
) -> Future[Any]:
    """LangGraph's ``Submit`` for what its loop stores: done when it returns."""
    future: Future[Any] = Future()
    try:
        future.set_result(function(*args, **kwargs))
    except Exception as error:
        future.set_exception(error)
    return future
