"""workflows.toml decoded and checked: typed specs, or a refusal that names file, line and key."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec
from msgspec import Struct

from durajob.config.names import WORKFLOW_NAME_RULE, is_workflow_name
from durajob.config.notify import check_notify
from durajob.config.policies import retry_numbers, said_of_steps
from durajob.config.schedules import check_schedule, check_timezone
from durajob.config.shell import shell_steps
from durajob.config.specs import (
    ApprovalSpec,
    CompensateSpec,
    Config,
    Defaults,
    Duration,
    LockSpec,
    Logs,
    Missed,
    NotifySpec,
    OnBusy,
    OnChange,
    Overlap,
    PingSpec,
    RetentionSpec,
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
from durajob.config.target import parse_target
from durajob.config.template import FIELDS, template_fields
from durajob.config.threads import check_templates
from durajob.config.toml import Document, read_document, secret_names
from durajob.durations import format_duration, parse_duration
from durajob.errors import ConfigError
from durajob.policies import LOCK_NAME_RULE, RetryPolicy, is_lock_name

S = TypeVar("S", bound=msgspec.Struct)

_Key = tuple[str, ...]

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
_ON_EXIT_EXAMPLE = "for example on_exit = [1, 75]; 124 is a timeout, 128 and more a signal"
_GRAPH_EXAMPLE = 'for example graph = "./file.py:name", or [[workflows.NAME.steps]] with run = "…"'
_ON_EXAMPLE = 'for example on = ["ConnectionError", "package.errors:Throttled"], or on_exit = [75]'
_CHOICES = {
    "on_busy": get_args(OnBusy),
    "on_change": get_args(OnChange),
    "method": ("POST", "GET"),
    "missed": get_args(Missed),
    "overlap": get_args(Overlap),
}


def load_config(path: Path) -> Config:
    """Decode the whole of ``path``.

    Raises:
        ConfigError: at the first thing that is wrong in it.
    """
    config, problems = check_config(path)
    for problem in problems.values():
        raise problem
    return config


def check_config(path: Path) -> tuple[Config, Mapping[str, ConfigError]]:
    """Decode ``path`` as far as it is right: the problem of each other workflow by its name.

    Raises:
        ConfigError: when what is wrong belongs to no single workflow.
    """
    document = read_document(path)
    try:
        return _check(document)
    except RecursionError as error:  # dotted keys nest as deep as a line is long
        raise document.error(
            ("workflows",), "nested too deeply", hint="a workflows.toml needs a handful of levels"
        ) from error


def _check(document: Document) -> tuple[Config, Mapping[str, ConfigError]]:
    defaults = _decode(document, ("defaults",), document.tables.get("defaults", {}), Defaults)
    _check_waits(document, ("defaults", "retry"), defaults.retry)
    check_notify(defaults.notify, _refusal(document, ("defaults", "notify")))
    check_timezone(document, ("defaults", "timezone"), defaults.timezone)
    logs = _decode(document, ("logs",), document.tables.get("logs", {}), Logs)
    said = document.tables.get("retention")
    retention = None if said is None else _retention(document, ("retention",), said)
    tables = document.tables.get("workflows", {})
    if not isinstance(tables, dict):
        raise document.error(("workflows",), "must be tables", hint='[workflows.NAME] graph = "…"')
    workflows: dict[str, WorkflowSpec] = {}
    problems: dict[str, ConfigError] = {}
    for name, table in tables.items():
        try:
            workflows[name] = _workflow(document, name, table, defaults)
        except ConfigError as problem:
            problems[name] = problem
    problems.update(check_templates(document, workflows))
    for name in problems:
        workflows.pop(name, None)
    config = Config(
        defaults=defaults,
        logs=logs,
        retention=retention,
        secrets=secret_names(document),
        workflows=workflows,
    )
    return config, problems


def _workflow(document: Document, name: str, table: object, defaults: Defaults) -> WorkflowSpec:
    key = ("workflows", name)
    if not is_workflow_name(name):
        raise document.error(key, "is no name for a workflow", hint=WORKFLOW_NAME_RULE)
    if isinstance(table, dict) and "retention" in table:
        _retention(document, (*key, "retention"), table["retention"])  # it names the key in there
    spec = _decode(document, key, table, WorkflowSpec)
    _check_what_runs(document, key, spec)
    if spec.thread is not None:
        try:
            template_fields(spec.thread)
        except ValueError as error:
            hint = f"for example {name}-{FIELDS[0]}"
            raise document.error((*key, "thread"), str(error), hint=hint) from error
    _check_json(document, (*key, "input"), spec.input)
    check_notify(spec.notify, _refusal(document, (*key, "notify")))
    if spec.schedule is not None:
        check_schedule(document, name, spec, defaults)
    for step, step_spec in said_of_steps(spec):
        within = (*key, "steps", step)
        if step_spec.lock is not None:
            _check_lock(document, (*within, "lock"), step_spec.lock)
        _check_retry(document, (*within, "retry"), defaults, step_spec.retry)
        said = step_spec.compensate
        if isinstance(step_spec, StepSpec) and said is not None:
            _check_target(document, (*within, "compensate"), said)
        if said is not None and not isinstance(said, str):
            _check_retry(document, (*within, "compensate", "retry"), defaults, said.retry)
    return spec


def _retention(document: Document, key: _Key, table: object) -> RetentionSpec:
    spec = _decode(document, key, table, RetentionSpec)
    if not isinstance(table, dict) or not table:
        raise document.error(key, "says nothing", hint='for example completed = "30d"')
    return spec


def _check_what_runs(document: Document, key: _Key, spec: WorkflowSpec) -> None:
    """A graph, or steps that are commands."""
    if isinstance(spec.steps, list) and spec.graph is None:
        refuse = _refusal(document, (*key, "steps"))
        if not spec.steps:
            raise refuse((), "is empty", _GRAPH_EXAMPLE)
        shell_steps(spec.steps, refuse)
        return
    if spec.graph is None:
        raise document.error(key, "graph is missing", hint=_GRAPH_EXAMPLE)
    if isinstance(spec.steps, list):
        raise document.error(
            (*key, "graph"),
            "a workflow has a graph, or steps that are commands, not both",
            hint="make two workflows of it",
        )
    try:
        parse_target(spec.graph)
    except ValueError as error:
        raise document.error((*key, "graph"), str(error)) from error


def _refusal(document: Document, key: _Key) -> Callable[[_Key, str, str | None], ConfigError]:
    """What makes the refusal of a key below ``key``."""
    return lambda below, problem, hint: document.error((*key, *below), problem, hint=hint)


def _check_retry(
    document: Document, key: _Key, defaults: Defaults, retry: RetrySpec | ShellRetrySpec | None
) -> None:
    if retry is None:
        return
    if isinstance(retry, RetrySpec):
        _check_on(document, key, retry)
    elif retry.on_exit == []:
        raise document.error((*key, "on_exit"), "is empty", hint=_ON_EXIT_EXAMPLE)
    _check_waits(document, key, defaults.retry, retry)


def _check_target(
    document: Document, key: _Key, said: str | CompensateSpec | ShellCompensateSpec
) -> None:
    try:
        parse_target(said if isinstance(said, str) else said.run)
    except ValueError as error:
        raise document.error(key, str(error), hint='compensate = "./file.py:name"') from error


def _check_lock(document: Document, key: _Key, lock: str | LockSpec) -> None:
    name = lock if isinstance(lock, str) else lock.name
    if not is_lock_name(name):
        raise document.error(key, f"{name[:60]!r} is no name for a lock", hint=LOCK_NAME_RULE)


def _check_on(document: Document, key: _Key, retry: RetrySpec) -> None:
    """The grammar only: what the names lead to is known when the workflow is loaded."""
    if retry.on is None and retry.on_exit is None:
        raise document.error(key, "does not say what to retry on", hint=_ON_EXAMPLE)
    for name, said in (("on", retry.on), ("on_exit", retry.on_exit)):
        if said == []:
            raise document.error((*key, name), "is empty", hint=_ON_EXAMPLE)
    for name in [retry.on] if isinstance(retry.on, str) else retry.on or ():
        try:
            parse_target(name if ":" in name else f"builtins:{name}")
        except ValueError as error:
            problem = f"{name!r} names no exception class"
            raise document.error((*key, "on"), problem, hint=_ON_EXAMPLE) from error


def _check_waits(document: Document, key: _Key, *given: RetryNumbers) -> None:
    numbers = retry_numbers(*given)
    wait, max_wait = numbers.get("wait", 0.0), numbers.get("max_wait", math.inf)
    if wait > max_wait:
        raise document.error(
            key,
            f"wait is longer than max_wait ({format_duration(wait)}, {format_duration(max_wait)})",
            hint="give a max_wait that is at least as long",
        )
    total = numbers.get("total", math.inf)
    if numbers.get("wait", RetryPolicy().wait) > total:
        raise document.error(
            key,
            f"total ({format_duration(total)}) is over before the second attempt",
            hint="give a total that is longer than wait",
        )


def _check_json(document: Document, key: _Key, value: object) -> None:
    """Input is JSON; TOML knows values that JSON does not."""
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_json(document, (*key, name), inner)
    elif isinstance(value, list):
        for inner in value:
            _check_json(document, key, inner)
    elif isinstance(value, float) and not math.isfinite(value):
        raise document.error(key, f"{value} is no JSON number", hint="put it in quotes")
    elif not isinstance(value, (str, int, float)):
        raise document.error(key, f"{_kind(value)} is no JSON value", hint="put it in quotes")


def _decode(document: Document, key: _Key, table: object, spec: type[S]) -> S:
    """``table`` as ``spec``. Tables within it are looked at one by one, because msgspec's own
    path to an error says ``[...]`` for a name of people's choosing."""
    if not isinstance(table, dict):
        raise document.error(key, f"must be a table, not {_kind(table)}")
    _refuse_unknown(document, key, table, spec)
    compensate = table.get("compensate")
    if spec in _COMPENSATIONS and isinstance(compensate, dict):
        _decode(document, (*key, "compensate"), compensate, _COMPENSATIONS[spec])
    retry = table.get("retry")
    if isinstance(retry, dict):
        nested = _RETRIES.get(spec, RetryNumbers)
        _refuse_unknown(document, (*key, "retry"), retry, nested)
    notify = table.get("notify")
    if spec in (Defaults, WorkflowSpec) and isinstance(notify, dict):
        _decode(document, (*key, "notify"), notify, NotifySpec)
    ping = table.get("ping")
    if spec is NotifySpec and isinstance(ping, dict):
        _refuse_unknown(document, (*key, "ping"), ping, PingSpec)
    approval = table.get("approval")
    if spec is ShellSpec and isinstance(approval, dict):
        _decode(document, (*key, "approval"), approval, ApprovalSpec)
    lock = table.get("lock")
    if isinstance(lock, dict):
        _refuse_unknown(document, (*key, "lock"), lock, LockSpec)
    schedule = table.get("schedule")
    if spec is WorkflowSpec and isinstance(schedule, dict):
        _decode(document, (*key, "schedule"), schedule, ScheduleSpec)
    steps = table.get("steps")
    if isinstance(steps, dict):
        for name, step in steps.items():
            _decode(document, (*key, "steps", name), step, StepSpec)
    elif isinstance(steps, list):
        for number, step in enumerate(steps):
            name = step.get("name") if isinstance(step, dict) else None
            shown = name if isinstance(name, str) else str(number)
            _decode(document, (*key, "steps", shown), step, ShellSpec)
    try:
        return msgspec.convert(table, spec, dec_hook=_hook)
    except msgspec.ValidationError as error:
        said, at, path = str(error).rpartition(" - at `$")
        within = tuple(re.findall(r"\.([A-Za-z_]+)", path)) if at else ()
        problem, hint = _plain(said if at else path, (*key, *within)[-1])
        raise document.error((*key, *within), problem, hint=hint) from error


def _refuse_unknown(
    document: Document, key: _Key, table: Mapping[str, Any], spec: type[msgspec.Struct]
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
            raise document.error((*key, name), "a command has no exceptions", hint=_ON_EXIT_EXAMPLE)
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
        raise ValueError(f'must be a duration in quotes, like "30s", not {_kind(value)}')
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
            return "does not say what to retry on", _ON_EXIT_EXAMPLE
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


def _kind(value: object) -> str:
    return _KINDS.get(type(value).__name__, type(value).__name__)
