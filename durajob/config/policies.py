"""What workflows.toml says of steps, once it is decoded, in the terms of those who act on it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from durajob.config.shell import shell_steps
from durajob.config.specs import (
    CompensateSpec,
    Defaults,
    Duration,
    LockSpec,
    RetryNumbers,
    RetrySpec,
    ShellCompensateSpec,
    ShellRetrySpec,
    ShellSpec,
    StepSpec,
    WorkflowSpec,
)
from durajob.errors import ConfigError
from durajob.policies import Compensation, LockPolicy, RetryPolicy, ShellStep, StepPolicy


def step_policies(defaults: Defaults, spec: WorkflowSpec) -> dict[str, StepPolicy]:
    """What the file says of the steps of one workflow, over the defaults."""
    policies = {}
    for step, said in said_of_steps(spec):
        if said != StepSpec():
            policies[step] = StepPolicy(
                retry=_retry(defaults, said.retry),
                max_crashes=said.max_crashes,
                lock=None if said.lock is None else _lock_policy(said.lock),
                compensate=_compensation(defaults, said.compensate),
                delay=None if said.delay is None else float(said.delay),
                **(_limits(said) if isinstance(said, StepSpec) else {}),
            )
    return policies


def commands_of(spec: WorkflowSpec, folder: Path | None) -> tuple[ShellStep, ...]:
    """The steps of a workflow that are commands; ``folder`` is where a relative ``cwd`` begins."""
    if not isinstance(spec.steps, list):
        return ()

    def refuse(below: tuple[str, ...], problem: str, hint: str | None) -> ConfigError:
        raise AssertionError(f"checked when it was read: {below}: {problem}")

    return tuple(_placed(step, folder) for step in shell_steps(spec.steps, refuse))


def retry_numbers(*given: RetryNumbers) -> dict[str, Any]:
    """The numbers that were given, the later over the earlier, as RetryPolicy takes them."""
    numbers = {
        key: float(value) if isinstance(value, Duration) else value
        for each in given
        for key in RetryNumbers.__struct_fields__
        if (value := getattr(each, key)) is not None
    }
    if "max_wait" not in numbers and "wait" in numbers:
        numbers["max_wait"] = max(numbers["wait"], RetryPolicy().max_wait)
    return numbers


def said_of_steps(spec: WorkflowSpec) -> list[tuple[str, StepSpec | ShellSpec]]:
    """What the file says of each step that it names, by its name."""
    if isinstance(spec.steps, list):
        return [(step.name, step) for step in spec.steps]
    return list(spec.steps.items())


def _limits(said: StepSpec) -> dict[str, Any]:
    """Limits of a step in Python; a command keeps its own."""
    return {
        "timeout": None if said.timeout is None else float(said.timeout),
        "idle_timeout": None if said.idle_timeout is None else float(said.idle_timeout),
        "isolate": said.isolate,
    }


def _placed(step: ShellStep, folder: Path | None) -> ShellStep:
    cwd = step.cwd
    return step._replace(
        cwd=None if cwd is None else os.path.join(folder or "", os.path.expanduser(cwd)),
        compensate=None if step.compensate is None else _placed(step.compensate, folder),
    )


def _retry(defaults: Defaults, said: RetrySpec | ShellRetrySpec | None) -> RetryPolicy | None:
    if said is None:
        return None
    if isinstance(said, ShellRetrySpec):
        statuses = (said.on_exit,) if isinstance(said.on_exit, int) else tuple(said.on_exit)
        return RetryPolicy(**retry_numbers(defaults.retry, said), on_exit=statuses)
    on = (said.on,) if isinstance(said.on, str) else tuple(said.on or ())
    codes = (said.on_exit,) if isinstance(said.on_exit, int) else tuple(said.on_exit or ())
    return RetryPolicy(**retry_numbers(defaults.retry, said), on=on, on_exit=codes)


def _lock_policy(said: str | LockSpec) -> LockPolicy:
    if isinstance(said, str):
        return LockPolicy(name=said)
    wait = None if said.wait is None else float(said.wait)
    return LockPolicy(name=said.name, limit=said.limit, wait=wait)


def _compensation(
    defaults: Defaults, said: str | CompensateSpec | ShellCompensateSpec | None
) -> Compensation | None:
    if said is None or isinstance(said, str):
        return None if said is None else Compensation(run=said)
    retry = _retry(defaults, said.retry)
    if isinstance(said, ShellCompensateSpec):  # the command keeps its own limit
        return Compensation(run=said.run, retry=retry)
    timeout = None if said.timeout is None else float(said.timeout)
    return Compensation(run=said.run, retry=retry, timeout=timeout, isolate=said.isolate)
