"""A workflows.toml read and checked: typed specs, or a refusal that names file, line and key."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from durajob.config.decode import ON_EXIT_EXAMPLE, Key, decode, kind
from durajob.config.names import WORKFLOW_NAME_RULE, is_workflow_name
from durajob.config.notify import check_notify
from durajob.config.policies import retry_numbers, said_of_steps
from durajob.config.schedules import check_schedule, check_timezone
from durajob.config.shell import shell_steps
from durajob.config.specs import (
    CompensateSpec,
    Config,
    Defaults,
    LockSpec,
    Logs,
    RetentionSpec,
    RetryNumbers,
    RetrySpec,
    ShellCompensateSpec,
    ShellRetrySpec,
    StepSpec,
    WorkflowSpec,
)
from durajob.config.target import parse_target
from durajob.config.template import FIELDS, template_fields
from durajob.config.threads import check_templates
from durajob.config.toml import Document, read_document, secret_names
from durajob.durations import format_duration
from durajob.errors import ConfigError
from durajob.policies import LOCK_NAME_RULE, RetryPolicy, is_lock_name

_GRAPH_EXAMPLE = 'for example graph = "./file.py:name", or [[workflows.NAME.steps]] with run = "…"'
_ON_EXAMPLE = 'for example on = ["ConnectionError", "package.errors:Throttled"], or on_exit = [75]'


def load_config(path: Path) -> Config:
    """Decode the whole of ``path``.

    Raises:
        ConfigError: at the first thing that is wrong in it.
    """
    config, problems = check_config(path)
    for problem in problems.values():
        raise problem
    return config


def check_config(
    path: Path, *, only: Collection[str] | None = None
) -> tuple[Config, Mapping[str, ConfigError]]:
    """Decode ``path`` as far as it is right: the problem of each other workflow by its name.

    ``only``: of a file in which nothing was wrong, these workflows; their schedules and thread
    templates, which are checked against one another, are not checked again.

    Raises:
        ConfigError: when what is wrong belongs to no single workflow.
    """
    document = read_document(path)
    try:
        return _check(document, only)
    except RecursionError as error:  # dotted keys nest as deep as a line is long
        raise document.error(
            ("workflows",), "nested too deeply", hint="a workflows.toml needs a handful of levels"
        ) from error


def _check(
    document: Document, only: Collection[str] | None
) -> tuple[Config, Mapping[str, ConfigError]]:
    defaults = decode(document, ("defaults",), document.tables.get("defaults", {}), Defaults)
    _check_waits(document, ("defaults", "retry"), defaults.retry)
    check_notify(defaults.notify, _refusal(document, ("defaults", "notify")))
    check_timezone(document, ("defaults", "timezone"), defaults.timezone)
    logs = decode(document, ("logs",), document.tables.get("logs", {}), Logs)
    said = document.tables.get("retention")
    retention = None if said is None else _retention(document, ("retention",), said)
    tables = document.tables.get("workflows", {})
    if not isinstance(tables, dict):
        raise document.error(("workflows",), "must be tables", hint='[workflows.NAME] graph = "…"')
    workflows: dict[str, WorkflowSpec] = {}
    problems: dict[str, ConfigError] = {}
    for name, table in tables.items():
        if only is not None and name not in only:
            continue
        try:
            spec = _workflow(document, name, table, defaults)
            if only is None:
                _check_when(document, name, spec, defaults)
            workflows[name] = spec
        except ConfigError as problem:
            problems[name] = problem
    if only is None:
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
    spec = decode(document, key, table, WorkflowSpec)
    _check_what_runs(document, key, spec)
    _check_json(document, (*key, "input"), spec.input)
    check_notify(spec.notify, _refusal(document, (*key, "notify")))
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


def _check_when(document: Document, name: str, spec: WorkflowSpec, defaults: Defaults) -> None:
    """The thread template, and the schedule whose slots it names."""
    if spec.thread is not None:
        try:
            template_fields(spec.thread)
        except ValueError as error:
            hint = f"for example {name}-{FIELDS[0]}"
            raise document.error(("workflows", name, "thread"), str(error), hint=hint) from error
    if spec.schedule is not None:
        check_schedule(document, name, spec, defaults)


def _retention(document: Document, key: Key, table: object) -> RetentionSpec:
    spec = decode(document, key, table, RetentionSpec)
    if not isinstance(table, dict) or not table:
        raise document.error(key, "says nothing", hint='for example completed = "30d"')
    return spec


def _check_what_runs(document: Document, key: Key, spec: WorkflowSpec) -> None:
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


def _refusal(document: Document, key: Key) -> Callable[[Key, str, str | None], ConfigError]:
    """What makes the refusal of a key below ``key``."""
    return lambda below, problem, hint: document.error((*key, *below), problem, hint=hint)


def _check_retry(
    document: Document, key: Key, defaults: Defaults, retry: RetrySpec | ShellRetrySpec | None
) -> None:
    if retry is None:
        return
    if isinstance(retry, RetrySpec):
        _check_on(document, key, retry)
    elif retry.on_exit == []:
        raise document.error((*key, "on_exit"), "is empty", hint=ON_EXIT_EXAMPLE)
    _check_waits(document, key, defaults.retry, retry)


def _check_target(
    document: Document, key: Key, said: str | CompensateSpec | ShellCompensateSpec
) -> None:
    try:
        parse_target(said if isinstance(said, str) else said.run)
    except ValueError as error:
        raise document.error(key, str(error), hint='compensate = "./file.py:name"') from error


def _check_lock(document: Document, key: Key, lock: str | LockSpec) -> None:
    name = lock if isinstance(lock, str) else lock.name
    if not is_lock_name(name):
        raise document.error(key, f"{name[:60]!r} is no name for a lock", hint=LOCK_NAME_RULE)


def _check_on(document: Document, key: Key, retry: RetrySpec) -> None:
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


def _check_waits(document: Document, key: Key, *given: RetryNumbers) -> None:
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


def _check_json(document: Document, key: Key, value: object) -> None:
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
        raise document.error(key, f"{kind(value)} is no JSON value", hint="put it in quotes")
