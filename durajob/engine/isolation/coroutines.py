"""Coroutine steps with limits: cancelled when one is passed, and never run any further.

A coroutine runs only while its loop does. So one that does not end of being cancelled is left
lying, and its loop closed. One that blocks its thread cannot be reached at all: that is what
``isolate`` is for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from durajob.engine.isolation.limits import Limits, Watch

_GRACE = 0.3  # seconds in which what was cancelled may wind itself up


def run_within(
    limits: Limits, make: Callable[[], Coroutine[Any, Any, Any]], beaten: Callable[[], float]
) -> Any:
    """What the coroutine returns, in a loop of its own; ``beaten`` tells the last heartbeat.

    Raises:
        StepTimeout: when it was cancelled because a limit had passed.
    """
    loop = asyncio.new_event_loop()
    task = loop.create_task(make())
    # What is left behind would be complained of when it is collected.
    loop.set_exception_handler(lambda loop, context: None)
    try:
        return loop.run_until_complete(_limited(limits, task, beaten))
    finally:
        try:
            loop.run_until_complete(_wind_up(task))
        finally:
            loop.close()


async def _limited(limits: Limits, task: asyncio.Task[Any], beaten: Callable[[], float]) -> Any:
    watch = Watch(limits)
    while not task.done():
        left = watch.left(beaten())
        if left is not None and left <= 0:
            error = watch.error(beaten(), "it was cancelled")
            task.cancel()
            await asyncio.wait([task], timeout=_GRACE)
            raise error
        await asyncio.wait([task], timeout=left)
    return task.result()


async def _wind_up(done: asyncio.Task[Any]) -> None:
    """End what the step's own task has left behind."""
    others = asyncio.all_tasks() - {asyncio.current_task(), done}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=_GRACE)
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.get_running_loop().shutdown_asyncgens(), _GRACE)
