"""What a step says of itself besides its place in the graph, made a ``StepPolicy``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Required, TypedDict

from durajob.durations import to_seconds
from durajob.errors import ConfigError
from durajob.policies import (
    LOCK_NAME_RULE,
    MAX_HOLDERS,
    LockPolicy,
    StepPolicy,
    is_lock_name,
)
from durajob.workflow.retry import parse_retry

MAX_CRASHES = 1_000_000

Limit = str | float
"""A duration ("30s", "5m") or seconds."""
Timeout = Limit | Callable[[Any], float]
"""A limit, or a function that takes the state and returns seconds."""


class Lock(TypedDict, total=False):
    """A lock of the store that each attempt of a step holds."""

    name: Required[str]
    limit: int
    """So many may hold it at once; 1 unless said."""
    wait: str | float
    """How long to wait for it, after which the attempt fails; for ever unless said."""


def parse_policy(given: Mapping[str, Any], *, where: str) -> StepPolicy:
    """The policy that a step's options describe; an option that is None is not given.

    Raises:
        ConfigError: for a value that makes no sense.
    """
    retry, lock, delay = given["retry"], given["lock"], given["delay"]
    return StepPolicy(
        retry=None if retry is None else parse_retry(retry, where=where),
        lock=None if lock is None else parse_lock(lock, where=where),
        delay=None if delay is None else _seconds(delay, f"{where}: delay", least=0.001),
        max_crashes=_check_max_crashes(given["max_crashes"], where),
        timeout=_timeout(given["timeout"], f"{where}: timeout"),
        idle_timeout=parse_limit(given["idle_timeout"], f"{where}: idle_timeout"),
        isolate=parse_flag(given["isolate"], f"{where}: isolate"),
    )


def parse_lock(lock: object, *, where: str) -> LockPolicy:
    """The policy that ``lock`` describes.

    Raises:
        ConfigError: for an unknown key, or a value that makes no sense.
    """
    said: Any = {"name": lock} if isinstance(lock, str) else lock
    if not isinstance(said, Mapping) or "name" not in said:
        raise ConfigError(
            f"{where}: lock is {lock!r}, not a name or a dict with one",
            hint='write lock="payments" or lock={"name": "payments", "limit": 3}',
        )
    for key in said:
        if key not in ("name", "limit", "wait"):
            raise ConfigError(
                f"{where}: unknown key {key!r} in lock", hint="the keys are name, limit, wait"
            )
    name, limit, wait = said["name"], said.get("limit", 1), said.get("wait")
    if not is_lock_name(name):
        raise ConfigError(f"{where}: lock {name!r}: {LOCK_NAME_RULE}")
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_HOLDERS:
        raise ConfigError(
            f"{where}: lock 'limit' is {limit!r}, not a whole number from 1 to {MAX_HOLDERS}"
        )
    seconds = None if wait is None else _seconds(wait, f"{where}: lock 'wait'", least=0)
    return LockPolicy(name=name, limit=limit, wait=seconds)


def _check_max_crashes(value: object, where: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_CRASHES:
        raise ConfigError(
            f"{where}: max_crashes is {value!r}, not a whole number from 1 to {MAX_CRASHES:,}"
        )
    return value


def _timeout(value: object, where: str) -> float | Callable[[Any], float] | None:
    return value if callable(value) else parse_limit(value, where)


def parse_limit(value: object, where: str) -> float | None:
    """Seconds; None when it is not given.

    Raises:
        ConfigError: when it is no duration.
    """
    return None if value is None else _seconds(value, where, least=0.001)


def parse_flag(value: object, where: str) -> bool | None:
    """Whether it is so; None when it is not given.

    Raises:
        ConfigError: when it is neither.
    """
    if value is not None and not isinstance(value, bool):
        raise ConfigError(f"{where} is {value!r}, not True or False")
    return value


def _seconds(value: object, where: str, *, least: float) -> float:
    try:
        return to_seconds(value, least=least)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error
