"""Tables of a workflows.toml as typed specs, or a refusal in the words of who wrote them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

import msgspec
from msgspec import Struct

from durajob.config.specs import (
    ApprovalSpec,
    CompensateSpec,
    Defaults,
    Duration,
    LockSpec,
    Missed,
    NotifySpec,
    OnBusy,
    OnChange,
    Overlap,
    PingSpec,
    RetryNumbers,
    RetrySpec,
    ScheduleSpec,
    ShellCompensateSpec,
    ShellRetrySpec,
    ShellSpec,
    Size,
    StepSpec,
    WorkflowSpec,
)
from durajob.config.toml import Document
from durajob.durations import parse_duration

S = TypeVar("S", bound=Struct)

Key = tuple[str, ...]
"""The path of a key in the file."""

ON_EXIT_EXAMPLE = "for example on_exit = [1, 75]; 124 is a timeout, 128 and more a signal"

_LATER = {
    Defaults: ("lock",),
    WorkflowSpec: ("compensate", "lock", "priority"),
    StepSpec: ("needs", "run"),
}
"""Keys of later versions: whoever writes one is told so, rather than that it is unknown."""

_KINDS = {
    "array": "an array",
    "bool": "true or false",
    "date": "a date",
    "datetime": "a date and time",
    "dict": "a table",
    "float": "a number",
    "int": "a whole number",
    "list": "an array",
    "object": "a table",
    "str": "a string",
    "time": "a time",
}
"""Python's and msgspec's names of types, as someone who writes TOML knows them."""

_RETRIES: Mapping[type, type[Struct]] = {
    StepSpec: RetrySpec,
    CompensateSpec: RetrySpec,
    ShellSpec: ShellRetrySpec,
    ShellCompensateSpec: ShellRetrySpec,
}
_COMPENSATIONS: Mapping[type, type[Struct]] = {
    StepSpec: CompensateSpec,
    ShellSpec: ShellCompensateSpec,
}
_CHOICES = {
    "on_busy": get_args(OnBusy),
    "on_change": get_args(OnChange),
    "method": ("POST", "GET"),
    "missed": get_args(Missed),
    "overlap": get_args(Overlap),
}


def decode(document: Document, key: Key, table: object, spec: type[S]) -> S:
    """``table`` as ``spec``. Tables within it are looked at one by one, because msgspec's own
    path to an error says ``[...]`` for a name of people's choosing."""
    if not isinstance(table, dict):
        raise document.error(key, f"must be a table, not {kind(table)}")
    _refuse_unknown(document, key, table, spec)
    compensate = table.get("compensate")
    if spec in _COMPENSATIONS and isinstance(compensate, dict):
        decode(document, (*key, "compensate"), compensate, _COMPENSATIONS[spec])
    retry = table.get("retry")
    if isinstance(retry, dict):
        nested = _RETRIES.get(spec, RetryNumbers)
        _refuse_unknown(document, (*key, "retry"), retry, nested)
    notify = table.get("notify")
    if spec in (Defaults, WorkflowSpec) and isinstance(notify, dict):
        decode(document, (*key, "notify"), notify, NotifySpec)
    ping = table.get("ping")
    if spec is NotifySpec and isinstance(ping, dict):
        _refuse_unknown(document, (*key, "ping"), ping, PingSpec)
    approval = table.get("approval")
    if spec is ShellSpec and isinstance(approval, dict):
        decode(document, (*key, "approval"), approval, ApprovalSpec)
    lock = table.get("lock")
    if isinstance(lock, dict):
        _refuse_unknown(document, (*key, "lock"), lock, LockSpec)
    schedule = table.get("schedule")
    if spec is WorkflowSpec and isinstance(schedule, dict):
        decode(document, (*key, "schedule"), schedule, ScheduleSpec)
    steps = table.get("steps")
    if isinstance(steps, dict):
        for name, step in steps.items():
            decode(document, (*key, "steps", name), step, StepSpec)
    elif isinstance(steps, list):
        for number, step in enumerate(steps):
            name = step.get("name") if isinstance(step, dict) else None
            shown = name if isinstance(name, str) else str(number)
            decode(document, (*key, "steps", shown), step, ShellSpec)
    try:
        return msgspec.convert(table, spec, dec_hook=_hook)
    except msgspec.ValidationError as error:
        said, at, path = str(error).rpartition(" - at `$")
        within = tuple(re.findall(r"\.([A-Za-z_]+)", path)) if at else ()
        problem, hint = _plain(said if at else path, (*key, *within)[-1])
        raise document.error((*key, *within), problem, hint=hint) from error


def kind(value: object) -> str:
    """What ``value`` is, as someone who writes TOML would say."""
    return _KINDS.get(type(value).__name__, type(value).__name__)


def _refuse_unknown(
    document: Document, key: Key, table: Mapping[str, Any], spec: type[Struct]
) -> None:
    known = spec.__struct_fields__
    for name in table:
        if name in known:
            continue
        if name in _LATER.get(spec, ()):
            raise document.error(
                (*key, name),
                "not supported by this version yet",
                hint=f"remove it; known here: {', '.join(known)}",
            )
        if spec is ShellRetrySpec and name == "on":
            raise document.error((*key, name), "a command has no exceptions", hint=ON_EXIT_EXAMPLE)
        if spec is RetryNumbers and name in ("on", "on_exit"):
            raise document.error(
                (*key, name),
                "what to retry on is said by each step",
                hint="move it to [workflows.NAME.steps.STEP] retry",
            )
        raise document.unknown_key((*key, name), known)


def _hook(wanted: type, value: object) -> object:
    if wanted is Size:
        return Size(_size(value))
    if wanted is not Duration:
        raise NotImplementedError(wanted)
    if not isinstance(value, str):
        raise ValueError(f'must be a duration in quotes, like "30s", not {kind(value)}')
    return Duration(parse_duration(value))


_UNITS = {"KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}


def _size(value: object) -> int:
    wanted = re.fullmatch(r"(\d{1,9})(KB|MB|GB)", value) if isinstance(value, str) else None
    size = int(wanted[1]) * _UNITS[wanted[2]] if wanted else 0
    if not 10_000 <= size <= 10_000_000_000:
        raise ValueError('must be a size like "10MB", from 10KB to 10GB')
    return size


def _plain(said: str, key: str) -> tuple[str, str | None]:
    """msgspec's sentence about ``key`` in the words of someone who writes TOML, and a hint."""
    if missing := re.fullmatch(r"Object missing required field `(\w+)`", said):
        if missing[1] == "on_exit":
            return "does not say what to retry on", ON_EXIT_EXAMPLE
        example = 'lock = "payments"' if key == "lock" else f'{missing[1]} = "…"'
        return f"{missing[1]} is missing", f"for example {example}"
    if wrong := re.fullmatch(r"Expected `(.+)`, got `(\w+)`", said):
        wanted = [_KINDS.get(kind, kind) for kind in wrong[1].split(" | ") if kind != "null"]
        return f"must be {' or '.join(wanted)}, not {_KINDS.get(wrong[2], wrong[2])}", None
    if limit := re.fullmatch(r"Expected `\w+(?: \| null)?` (>=|<=) (.+)", said):
        word = "at least" if limit[1] == ">=" else "at most"
        return f"must be {word} {float(limit[2]):,.0f}", None
    if said.startswith("Invalid enum value") and key in _CHOICES:
        return "is none of the choices", f"one of {', '.join(_CHOICES[key])}"
    return said, None
