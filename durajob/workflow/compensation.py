"""``compensate=`` of a step, checked at once and made a ``Compensation``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Required, TypedDict

from durajob.errors import ConfigError
from durajob.policies import Compensation
from durajob.workflow.options import Limit, parse_flag, parse_limit
from durajob.workflow.retry import Retry, parse_retry

CompensationFunction = Callable[..., Any]
"""Called like its step, with what the step returned as one more argument at the end."""

_KEYS = ("run", "retry", "timeout", "isolate")


class Compensate(TypedDict, total=False):
    """A compensation with a policy of its own."""

    run: Required[CompensationFunction]
    retry: Retry
    """When and how to try it again; see ``Retry``."""
    timeout: Limit
    """How long one attempt may take; it then runs in a process of its own, which is killed."""
    isolate: bool
    """Run it in a process of its own, whether or not it has a limit."""


def parse_compensation(given: object, *, arguments: int, where: str) -> Compensation:
    """What ``compensate=`` says of a step whose function takes so many ``arguments``.

    Raises:
        ConfigError: when it is no function, or one that cannot be called so.
    """
    said: Mapping[str, Any] = {}
    if isinstance(given, Mapping):
        said, given = given, given.get("run")
        for key in said:
            if key not in _KEYS:
                raise ConfigError(
                    f"{where}: unknown key {key!r} in compensate",
                    hint=f"the keys are {', '.join(_KEYS)}",
                )
        if given is None:
            raise ConfigError(
                f"{where}: compensate says no 'run'",
                hint='write compensate={"run": refund, "retry": {...}}',
            )
    within, retry = f"{where}, compensate", said.get("retry")
    if not callable(given):
        raise ConfigError(
            f"{where}: compensate is {given!r}, which is no function",
            hint='write compensate=refund, or compensate={"run": refund, "retry": {...}}',
        )
    takes = ("state",) if arguments == 1 else ("item", "shared")
    check_arguments(given, arguments + 1, f"({', '.join((*takes, 'result'))})", where)
    return Compensation(
        run=given,
        retry=None if retry is None else parse_retry(retry, where=within),
        timeout=parse_limit(said.get("timeout"), f"{within}: timeout"),
        isolate=bool(parse_flag(said.get("isolate"), f"{within}: isolate")),
    )


def check_arguments(function: Callable[..., Any], count: int, takes: str, where: str) -> None:
    """Refuse a compensation that cannot be called with so many arguments.

    Raises:
        ConfigError: which says what they are.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some builtins do not tell theirs
        return
    try:
        signature.bind(*range(count))
    except TypeError as error:
        name = getattr(function, "__name__", repr(function))
        raise ConfigError(
            f"{where}: the compensation {name} takes {signature}, and is called with {takes}",
            hint=f"write def {name}{takes}: it is given what its step was given, and its result",
        ) from error
