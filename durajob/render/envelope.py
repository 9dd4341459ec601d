"""Results as the one JSON envelope that scripts read; the plain ``json`` module only.

A value that JSON does not know never breaks the envelope. It is shown like this: NaN and the
infinities as the strings "NaN", "Infinity", "-Infinity"; bytes as {"base64": …}; sets as
sorted lists; dates, paths, numbers of other kinds as their text; records as objects; an
integer too long for decimal as hexadecimal text; a value inside itself as "<cycle>"; anything
else as its repr. The output is ASCII, lone surrogates are escaped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

from durajob import clock
from durajob.model import (
    Approvals,
    ErrorInfo,
    LockWait,
    Overview,
    Owner,
    Plan,
    Result,
    Step,
    StepError,
    StepProgress,
    Thread,
    ThreadList,
    ThreadResult,
    ThreadStatus,
    Waiting,
)

if TYPE_CHECKING:
    from durajob.catalogue import Finding, WorkflowInfo
    from durajob.picture import Picture
    from durajob.pruning import Pruned
    from durajob.recovery import Recovered
    from durajob.timeline import Bar

VERSION = 1
_DEEPEST = 100
_LONGEST_INT = 10_000  # bits; Python refuses to write longer ones in decimal
_LONGEST_REPR = 2_000


def envelope(command: str, result: Result) -> str:
    """A result as one line of JSON."""
    return _dumps(command, result.exit_status, _data(result), result.error)


def error_envelope(command: str, error: ErrorInfo, exit_status: int) -> str:
    """An error that left no result, as one line of JSON."""
    return _dumps(command, exit_status, None, error)


def json_text(value: Any) -> str:
    """One value as JSON for people: on one line, in their own letters."""
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return json.dumps(jsonable(value), allow_nan=False, ensure_ascii=False)


def jsonable(value: Any) -> Any:
    """``value`` as JSON can hold it, by the rules of this module."""
    return _jsonable(value, ())


def _dumps(command: str, exit_status: int, data: Any, error: ErrorInfo | None) -> str:
    whole = {
        "version": VERSION,
        "command": command,
        "ok": exit_status == 0,
        "exit_code": exit_status,
        "data": data,
        "error": _error(error),
    }
    try:
        return json.dumps(whole, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return json.dumps(jsonable(whole), allow_nan=False)


def _data(result: Result) -> Any:
    if isinstance(result, ThreadResult):
        return {"thread": thread_object(result.thread, whole=True)}
    if isinstance(result, Plan):
        return {"thread": thread_object(result.thread, whole=True), "plan": _plan(result)}
    if isinstance(result, ThreadList):
        threads = [thread_object(thread, whole=False) for thread in result.threads]
        return {"threads": threads, "store": result.store, "more": result.more}
    if isinstance(result, Overview):
        return {
            "counts": {status.value: result.counts.get(status, 0) for status in ThreadStatus},
            "threads": _threads(result.attention),
            "commands": dict(result.commands),
            "sleepers": _threads(result.sleepers),
            "ended": _threads(result.ended),
            "ended_count": result.ended_count,
            "store": result.store,
        }
    if isinstance(result, Approvals):
        threads = [thread_object(thread, whole=False) for thread in result.threads]
        return {"threads": threads, "store": result.store}
    # Those that are read most load no module but their own.
    if type(result).__module__ in ("durajob.logbook", "durajob.cause", "durajob.history"):
        return _past(result)
    from durajob.catalogue import Health, Initialised, Workflows
    from durajob.recovery import Recovery

    if isinstance(result, Recovery):
        return {
            "threads": [thread_object(thread, whole=False) for thread in result.threads],
            "outcomes": None if result.outcomes is None else [_outcome(o) for o in result.outcomes],
            "store": result.store,
        }
    if isinstance(result, Workflows):
        return {"workflows": [_workflow(w) for w in result.workflows], "file": result.file}
    if isinstance(result, Health):
        return {"findings": [_finding(f) for f in result.findings], "store": result.store}
    if isinstance(result, Initialised):
        return {"created": list(result.created)}
    from durajob.measures import Measures

    if isinstance(result, Measures):
        from durajob.render.exposition import as_objects

        measures = as_objects(result)
        return {"measures": measures, "store": result.store, "output": result.output}
    from durajob.pruning import Pruned

    if isinstance(result, Pruned):
        return _pruned(result)
    from durajob.transfers import Exports, Imports

    if isinstance(result, Exports):
        return {
            "threads": list(result.threads),
            "driven": list(result.driven),
            "file": result.file,
            "bytes": result.bytes,
            "store": result.store,
        }
    if isinstance(result, Imports):
        return {
            "threads": list(result.threads),
            "skipped": list(result.skipped),
            "file": result.file,
            "store": result.store,
        }
    from durajob.picture import Picture

    if isinstance(result, Picture):
        return _picture(result)
    from durajob.timeline import Timeline

    if isinstance(result, Timeline):
        return {
            "thread": result.thread.thread,
            "status": result.thread.status.value,
            "attempts": [_attempt(bar) for bar in result.bars],
            "page": result.page,
        }
    from durajob.render.slots import slot_data

    return slot_data(
        result, thread=lambda thread: thread_object(thread, whole=False), outcome=_outcome
    )


def _past(result: Result) -> Any:
    from durajob.logbook import Logs

    if isinstance(result, Logs):
        from durajob.render.loglines import as_object

        return {"thread": result.thread, "lines": [as_object(line) for line in result.lines]}
    from durajob.cause import Why

    if isinstance(result, Why):
        cause = result.cause._asdict()
        return {"thread": result.thread, "status": result.status.value, **cause}
    from durajob.history import History
    from durajob.render.past import as_object as entry_object

    assert isinstance(result, History), "there is no other result of these modules"
    return {"thread": result.thread, "entries": [entry_object(e) for e in result.entries]}


def thread_line(thread: Thread) -> str:
    """A thread without its state and steps, as one line of JSON."""
    shown = thread_object(thread, whole=False)
    try:
        return json.dumps(shown, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return json.dumps(jsonable(shown), allow_nan=False)


def _threads(threads: Sequence[Thread]) -> list[dict[str, Any]]:
    return [thread_object(thread, whole=False) for thread in threads]


def thread_object(thread: Thread, *, whole: bool) -> dict[str, Any]:
    """A thread; with its state and steps if ``whole``."""
    shown: dict[str, Any] = {
        "thread": thread.thread,
        "workflow": thread.workflow,
        "status": thread.status.value,
        "next": list(thread.next),
        "input": thread.input,
    }
    if whole and thread.state is not None:
        shown["state"] = thread.state
    shown["progress"] = {"done": thread.done, "total": thread.total}
    if whole and thread.steps is not None:
        shown["steps"] = [step_object(step) for step in thread.steps]
    if whole and thread.waiting_for_locks:
        shown["waiting_for_locks"] = [lock_wait_object(wait) for wait in thread.waiting_for_locks]
    return shown | {
        "outcome": thread.outcome,
        "error": step_error(thread.error),
        "cause": step_error(thread.cause),
        "owner": _owner(thread.owner),
        "epoch": thread.epoch,
        "waiting_for": [_waiting(w) for w in thread.waiting_for] or None,
        "wake_at": clock.to_rfc3339(thread.wake_at),
        "slot": thread.slot,
        "parent": thread.parent,
        "created_at": clock.to_rfc3339(thread.created_at),
        "started_at": clock.to_rfc3339(thread.started_at),
        "updated_at": clock.to_rfc3339(thread.updated_at),
        "finished_at": clock.to_rfc3339(thread.finished_at),
    }


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "verdict": plan.verdict,
        "again": [
            {**each._asdict(), "status": None if each.status is None else each.status.value}
            for each in plan.again
        ],
        "reused": [each._asdict() for each in plan.reused],
        "compensations": list(plan.compensations),
        "refused": [_error(each) for each in plan.refused],
    }


def step_object(step: Step) -> dict[str, Any]:
    """A step of a thread."""
    shown: dict[str, Any] = {"step": step.step}
    if step.visit > 1:
        shown["visit"] = step.visit
    shown |= {
        "status": step.status.value,
        "attempts": step.attempts,
        "started_at": clock.to_rfc3339(step.started_at),
        "finished_at": clock.to_rfc3339(step.finished_at),
        "seconds": None if step.seconds is None else round(step.seconds, 6),
        "error": step_error(step.error),
    }
    if step.progress is not None:
        shown["progress"] = _progress(step.progress)
    if step.max_attempts is not None:
        shown["max_attempts"] = step.max_attempts
    if step.due_at is not None:
        shown["due_at"] = clock.to_rfc3339(step.due_at)
    return shown


def _picture(picture: Picture) -> dict[str, Any]:
    from durajob.render.drawn import mermaid, progress

    stands = progress(picture)
    steps = []
    for name in picture.steps:
        own = stands.get(name)
        status = None if own is None or own.status is None else own.status.value
        steps.append({"step": name, "status": status, "next": own is not None and own.is_next})
    return {
        "workflow": picture.name,
        "thread": None if picture.thread is None else picture.thread.thread,
        "steps": steps,
        "edges": [
            {"from": each.start, "to": each.end, "router": each.router} for each in picture.edges
        ],
        "mermaid": mermaid(picture),
    }


def _attempt(bar: Bar) -> dict[str, Any]:
    return {
        "step": bar.step,
        "visit": bar.visit,
        "attempt": bar.attempt,
        "status": bar.status.value,
        "started_at": clock.to_rfc3339(bar.started_at),
        "finished_at": clock.to_rfc3339(bar.finished_at) if bar.ended else None,
        "seconds": None if bar.seconds is None else round(bar.seconds, 6),
        "error": step_error(bar.error),
    }


def lock_wait_object(wait: LockWait) -> dict[str, Any]:
    """A lock that a step waits for."""
    return {
        "name": wait.name,
        "step": wait.step,
        "limit": wait.limit,
        "since": clock.to_rfc3339(wait.since),
        "holders": [
            {
                "thread": holder.thread,
                "step": holder.step,
                "pid": holder.pid,
                "since": clock.to_rfc3339(holder.since),
            }
            for holder in wait.holders
        ],
    }


def _progress(progress: StepProgress) -> dict[str, Any]:
    return {"done": progress.done, "total": progress.total, "note": progress.note}


def step_error(error: StepError | None) -> dict[str, Any] | None:
    """Why a step failed, as an object."""
    if error is None:
        return None
    shown: dict[str, Any] = {
        "step": error.step,
        "type": error.type,
        "message": error.message,
        "attempt": error.attempt,
    }
    if error.log is not None:
        shown["log"] = error.log
    return shown


def _owner(owner: Owner | None) -> dict[str, Any] | None:
    if owner is None:
        return None
    return {"host": owner.host, "pid": owner.pid, "since": clock.to_rfc3339(owner.since)}


def _waiting(waiting: Waiting) -> dict[str, Any]:
    return {
        "id": waiting.id,
        "step": waiting.step,
        "prompt": waiting.prompt,
        "schema": waiting.schema,
        "expires_at": clock.to_rfc3339(waiting.expires_at),
    }


def _outcome(outcome: Recovered) -> dict[str, Any]:
    return {
        "thread": outcome.thread.thread,
        "status": outcome.thread.status.value,
        "exit_code": outcome.exit_status,
        "error": _error(outcome.error),
    }


def _workflow(workflow: WorkflowInfo) -> dict[str, Any]:
    return {
        "name": workflow.name,
        "source": workflow.source,
        "target": workflow.target,
        "description": workflow.description,
        "thread": workflow.thread,
        "problem": _error(workflow.problem),
        "steps": list(workflow.steps),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "level": finding.level,
        "message": finding.message,
        "hint": finding.hint,
    }


def _pruned(result: Pruned) -> dict[str, Any]:
    return {
        "threads": result.threads,
        "statuses": dict(result.statuses),
        "checkpoints": result.checkpoints,
        "folders": result.folders,
        "bytes": result.bytes,
        "freed": result.freed,
        "left": [left._asdict() for left in result.left],
        "dry_run": result.dry_run,
        "store": result.store,
    }


def _error(error: ErrorInfo | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {"code": error.code, "message": error.message, "hint": error.hint}


def _jsonable(value: Any, above: tuple[int, ...]) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _jsonable(value.value, above)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value) if int(value).bit_length() <= _LONGEST_INT else hex(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _not_finite(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        import base64

        return {"base64": base64.b64encode(bytes(value)).decode("ascii")}
    if id(value) in above:
        return "<cycle>"
    if len(above) >= _DEEPEST:
        return _repr(value)
    return _container(value, (*above, id(value)))


def _container(value: Any, above: tuple[int, ...]) -> Any:
    if isinstance(value, Mapping):
        return {_key(key): _jsonable(item, above) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item, above) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_jsonable(item, above) for item in value), key=repr)
    if hasattr(type(value), "__dataclass_fields__"):
        from dataclasses import fields

        return {f.name: _jsonable(getattr(value, f.name, None), above) for f in fields(value)}
    return _repr(value)


def _key(key: Any) -> str:
    """A key as ``json`` would write it, and its text where ``json`` would refuse."""
    shown = _jsonable(key, ())
    return shown if isinstance(shown, str) else json.dumps(shown)


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _repr(value: Any) -> str:
    """What stands for a value that is no JSON; user code in ``__str__`` may fail."""
    plain = type(value).__module__ in ("datetime", "decimal", "fractions", "pathlib", "uuid")
    try:
        return (str(value) if plain else repr(value))[:_LONGEST_REPR]
    except Exception:  # whatever a user's __repr__ raises
        return f"<{type(value).__name__}>"
