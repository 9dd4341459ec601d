"""Runs the command line with made commands in the place of the real ones.

Usage: python cli_stub.py SCENARIO [durajob's own arguments]. Prints the modules it loaded to the
file that CLI_STUB_MODULES names.
"""

from __future__ import annotations

import os
import sys
import types
from typing import Any

from durajob import clock
from durajob.cli import main
from durajob.errors import Busy, ThreadNotFound
from durajob.events import Notice, StepFinished, StepPrinted, StepStarted, ThreadClaimed, ThreadLeft
from durajob.model import ErrorInfo, ThreadResult, ThreadStatus

SCENARIO = sys.argv[1]


def start(workflow: str, *, observer: Any, **_: Any) -> ThreadResult:
    """Act out the scenario as an engine would."""
    from tests.snapshots.made import failed_result, thread

    if SCENARIO == "busy":
        raise Busy("thread 'nightly-1' is driven by pid 7", hint="durajob status nightly-1")
    if SCENARIO == "bug":
        raise ZeroDivisionError("division by zero")
    if SCENARIO == "interrupt":
        raise KeyboardInterrupt
    base: dict[str, Any] = {"thread": "nightly-1", "at": clock.now()}
    observer.notify(
        ThreadClaimed(
            **base, workflow=workflow, epoch=1, resumed=False, next=("a",), done=0, total=1
        )
    )
    observer.notify(StepStarted(**base, step="a", visit=1, attempt=1))
    observer.notify(StepPrinted(**base, step="a", line="caf\u00e9 \udcff \u2713"))
    for _number in range(20_000 if SCENARIO == "flood" else 0):
        observer.notify(Notice(**base, text="x" * 100))
    observer.notify(StepFinished(**base, step="a", visit=1, attempt=1, seconds=0.01))
    observer.notify(ThreadLeft(**base, status=ThreadStatus.COMPLETED))
    if SCENARIO == "fails":
        return failed_result()
    done = thread(status=ThreadStatus.COMPLETED, error=None, next=(), done=3)
    if SCENARIO == "stopped":
        error = ErrorInfo(code="stopped", message="stopped between steps", hint=None)
        return ThreadResult(
            exit_status=75,
            error=error,
            next_command="durajob resume nightly-1",
            thread=done._replace(status=ThreadStatus.STOPPED, done=1),
        )
    return ThreadResult(thread=done, notes=("a note",))


def status(thread: str | None, **_: Any) -> Any:
    """One thread, or the overview."""
    from tests.snapshots.made import failed_result, overview

    if thread == "missing":
        raise ThreadNotFound(f"no thread {thread!r}", hint="durajob list")
    if SCENARIO == "strange":
        state = {"nan": float("nan"), "bytes": b"\xff", "set": {2, 1}, "odd": object, "s": "\udcff"}
        return ThreadResult(thread=failed_result().thread._replace(state=state))
    return ThreadResult(thread=failed_result().thread) if thread else overview()


def list_threads(**_: Any) -> Any:
    """The made list."""
    from tests.snapshots.made import thread_list

    return thread_list()


def long_list(**_: Any) -> None:
    """The made list is short."""


def workflows(**_: Any) -> Any:
    """The made workflows."""
    from tests.snapshots.made import RESULTS

    return RESULTS["workflows"]


def install(**commands: Any) -> None:
    """Put functions where the command line looks for commands."""
    for name, function in commands.items():
        module = types.ModuleType(f"durajob.commands.{name}")
        setattr(module, name, function)
        sys.modules[module.__name__] = module


if __name__ == "__main__":
    install(start=start, status=status, list_threads=list_threads, workflows=workflows)
    setattr(sys.modules["durajob.commands.list_threads"], long_list.__name__, long_list)
    code = main(sys.argv[2:])
    loaded = os.environ.get("CLI_STUB_MODULES")
    if loaded:
        with open(loaded, "w") as out:
            out.write("\n".join(sys.modules))
    sys.exit(code)
