"""A step's own function as something to call, and what LangGraph hands to it in a worker.

A node asks its config for what it needs: the thread's id, the runtime, the counters behind
``interrupt()``. What is plain goes to the worker as it is; what reaches into LangGraph's loop
stays with the owner, and the worker asks for it.
"""

from __future__ import annotations

import asyncio
import inspect
import pickle
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, NoReturn, cast

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph._internal._scratchpad import PregelScratchpad
from langgraph.graph import StateGraph
from langgraph.runtime import Runtime

from durajob.engine.guests import builder_of
from durajob.errors import StepFault
from durajob.policies import Compensation

Call = Callable[[Any, RunnableConfig], Any]
Ask = Callable[..., Any]
"""Calls something of the owner's by name, with plain arguments."""

_RUNTIME = "__pregel_runtime"
_SCRATCHPAD = "__pregel_scratchpad"
_SEND = "__pregel_send"
_CALL = "__pregel_call"
_GOES_ALONG = ("__pregel_task_id", "__pregel_node_error")
NULL_RESUME, SEND = "langgraph:null_resume", "langgraph:send"
"""What a worker may ask of the owner beyond the step's context."""


def is_async(node: Runnable[Any, Any]) -> bool:
    """Whether it has no way to be called from a thread but through an event loop."""
    return getattr(node, "func", ...) is None and hasattr(node, "afunc")


def plain_call(node: Runnable[Any, Any]) -> Call:
    """Calls the node in this thread."""
    if is_async(node):
        return lambda state, config: asyncio.run(cast("Any", node.ainvoke(state, config)))
    return node.invoke


def undo_call(compensation: Compensation) -> Call:
    """Calls a compensation in this thread; what it returns is nobody's."""
    function = compensation.run
    assert callable(function), "names were looked up when the workflow was loaded"

    def call(given: Any, config: RunnableConfig) -> None:
        answer = function(*given)
        if inspect.isawaitable(answer):
            asyncio.run(_awaited(answer))

    return call


async def _awaited(answer: Any) -> Any:
    return await answer


def node_at(builder: StateGraph[Any, Any, Any, Any], path: Sequence[str]) -> Runnable[Any, Any]:
    """The node that the path leads to, through the subgraphs that it names.

    Raises:
        StepFault: when this process has loaded a graph without it.
    """
    for name in path[:-1]:
        builder = builder_of(name, cast("Any", builder.nodes[name].runnable))
    if path[-1] not in builder.nodes:
        raise StepFault(
            f"the step {path[-1]!r} is not in the graph that its worker process has loaded",
            hint="a function that returns the graph must return the same one each time",
        )
    return cast("Runnable[Any, Any]", builder.nodes[path[-1]].runnable)


def pack(config: RunnableConfig) -> dict[str, Any]:
    """What of a step's config goes to a worker."""
    configurable = config["configurable"]
    scratchpad = configurable[_SCRATCHPAD]
    plain = {
        key: value
        for key, value in configurable.items()
        if key in _GOES_ALONG or (not key.startswith("__pregel_") and _is_plain(value))
    }
    return {
        "configurable": plain,
        "metadata": {k: v for k, v in config.get("metadata", {}).items() if _is_plain(v)},
        "tags": list(config.get("tags") or ()),
        "recursion_limit": config.get("recursion_limit"),
        "execution": configurable[_RUNTIME].execution_info,
        "step": scratchpad.step,
        "stop": scratchpad.stop,
        "resume": list(scratchpad.resume),
        "null_resume": scratchpad.get_null_resume(False),
    }


def unpack(packed: dict[str, Any], ask: Ask, heartbeat: Callable[[], None]) -> RunnableConfig:
    """The config in the worker; ``ask`` reaches the owner."""
    null = packed["null_resume"]

    def get_null_resume(consume: bool = False) -> Any:
        nonlocal null
        if not consume or null is None:
            return null
        ask(NULL_RESUME)
        found, null = null, None
        return found

    configurable = {
        **packed["configurable"],
        _RUNTIME: Runtime(heartbeat=heartbeat, execution_info=packed["execution"]),
        _SCRATCHPAD: PregelScratchpad(
            step=packed["step"],
            stop=packed["stop"],
            call_counter=count().__next__,
            interrupt_counter=count().__next__,
            get_null_resume=get_null_resume,
            resume=packed["resume"],
            subgraph_counter=count().__next__,
        ),
        _SEND: lambda writes: ask(SEND, list(writes)),
        _CALL: _refuse_task,
    }
    config: RunnableConfig = {
        "configurable": configurable,
        "metadata": packed["metadata"],
        "tags": packed["tags"],
        "callbacks": None,  # a task's call looks for them first
    }
    if packed["recursion_limit"] is not None:
        config["recursion_limit"] = packed["recursion_limit"]
    return config


def answers(config: RunnableConfig) -> dict[str, Callable[..., Any]]:
    """What the owner does when a worker asks for it."""
    configurable = config["configurable"]

    def null_resume() -> None:
        configurable[_SCRATCHPAD].get_null_resume(True)

    return {NULL_RESUME: null_resume, SEND: configurable[_SEND]}


def _refuse_task(*args: Any, **kwargs: Any) -> NoReturn:
    raise StepFault(
        "a LangGraph @task was called inside a step that runs in a process of its own",
        hint="call the plain function, or leave the step's timeout and isolate out",
    )


def _is_plain(value: Any) -> bool:
    try:
        pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception:
        return False
    return True
