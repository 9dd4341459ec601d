"""``retry={...}`` of a step, checked at once and made a ``RetryPolicy``."""

from __future__ import annotations

import builtins
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from durajob.durations import parse_duration
from durajob.errors import ConfigError
from durajob.policies import RetryPolicy

MAX_ATTEMPTS = 1000
MAX_FACTOR = 100.0

What = type[BaseException] | Callable[[BaseException], object] | str


class Retry(TypedDict, total=False):
    """How a step is tried again. ``on`` or ``on_exit`` must be said: nothing is retried unasked."""

    on: What | Sequence[What]
    """What is worth another attempt: exception classes, functions that take the error and say
    whether it is, or names of either: that of a builtin one, "module:name"."""
    on_exit: int | Sequence[int]
    """Exit codes, 1 to 255, of a program (CalledProcessError) or of sys.exit()."""
    attempts: int
    """All tries together, the first included; 3 unless said."""
    wait: str | float
    """Before the second attempt: a duration ("2s") or seconds; 1s unless said."""
    factor: float
    """Each further wait is so many times longer; 2 unless said."""
    max_wait: str | float
    """No wait is longer; 5m unless said."""
    jitter: bool
    """Whether each wait is cut by a random part of up to a half; true unless said."""
    total: str | float
    """No attempt begins later than so long after the first one began; no limit unless said."""


def parse_retry(retry: Mapping[str, Any], *, where: str) -> RetryPolicy:
    """The policy that ``retry`` describes.

    Raises:
        ConfigError: for an unknown key, a missing ``on``, or a value that makes no sense.
    """
    if not isinstance(retry, Mapping):
        raise ConfigError(
            f"{where}: retry is {retry!r}, not a dict",
            hint='write retry={"attempts": 5, "on": ConnectionError}',
        )
    known = list(RetryPolicy._fields)
    for key in retry:
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r} in retry", hint=_nearest(key, known))
    if "on" not in retry and "on_exit" not in retry:
        raise ConfigError(
            f"{where}: retry says no 'on'",
            hint="name the exceptions that are worth another attempt, as in "
            '"on": ConnectionError or "on": [TimeoutError, "billing.errors:Throttled"]; '
            'or exit codes, "on_exit": [75]',
        )
    given: dict[str, Any] = {}
    if "on" in retry:
        given["on"] = _exceptions(retry["on"], where)
    if "on_exit" in retry:
        given["on_exit"] = _exit_codes(retry["on_exit"], where)
    if "attempts" in retry:
        given["attempts"] = _attempts(retry["attempts"], where)
    if "factor" in retry:
        given["factor"] = _factor(retry["factor"], where)
    if "jitter" in retry:
        given["jitter"] = _flag(retry["jitter"], where)
    for key in ("wait", "max_wait", "total"):
        if key in retry:
            given[key] = _seconds(retry[key], f"{where}: retry {key!r}")
    policy = RetryPolicy(**given)
    if policy.wait > policy.max_wait:
        if "max_wait" in retry:
            raise ConfigError(f"{where}: retry 'wait' is longer than 'max_wait'")
        policy = RetryPolicy(**given, max_wait=policy.wait)
    if policy.total is not None and policy.wait > policy.total:
        raise ConfigError(f"{where}: retry 'total' is over before the second attempt")
    return policy


def _exceptions(on: object, where: str) -> tuple[What, ...]:
    each = list(on) if isinstance(on, (list, tuple, set, frozenset)) else [on]
    if not each:
        raise ConfigError(f"{where}: retry 'on' is empty", hint="leave retry out altogether")
    return tuple(_exception(one, where) for one in each)


def _exception(one: object, where: str) -> What:
    # Only Exception: a KeyboardInterrupt or SystemExit means stop, whatever a policy says.
    if isinstance(one, type) and issubclass(one, Exception):
        return one
    if isinstance(one, str):
        if re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", one):
            return one
        builtin = getattr(builtins, one, None)
        if isinstance(builtin, type) and issubclass(builtin, Exception):
            return one
    if callable(one) and not isinstance(one, type):
        return one
    raise ConfigError(
        f"{where}: retry 'on' names {one!r}, which is no exception class",
        hint='give a class, the name of a builtin exception, or "module:Class"',
    )


def _exit_codes(on_exit: object, where: str) -> tuple[int, ...]:
    many = isinstance(on_exit, (list, tuple, set, frozenset))
    codes: list[Any] = list(on_exit) if many else [on_exit]  # type: ignore[call-overload]
    for code in codes:
        if isinstance(code, bool) or not isinstance(code, int) or not 1 <= code <= 255:
            raise ConfigError(
                f"{where}: retry 'on_exit' has {code!r}, not a whole number from 1 to 255"
            )
    if not codes:
        raise ConfigError(f"{where}: retry 'on_exit' is empty", hint="leave it out")
    return tuple(codes)


def _attempts(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_ATTEMPTS:
        raise ConfigError(
            f"{where}: retry 'attempts' is {value!r}, not a whole number from 1 to {MAX_ATTEMPTS}"
        )
    return value


def _factor(value: object, where: str) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not 1 <= value <= MAX_FACTOR
    ):
        raise ConfigError(
            f"{where}: retry 'factor' is {value!r}, not a number from 1 to {MAX_FACTOR:g}"
        )
    return float(value)


def _flag(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{where}: retry 'jitter' is {value!r}, not True or False")
    return value


def _seconds(value: object, where: str) -> float:
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            raise ConfigError(f"{where}: {error}") from error
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not _is_wait(value):
        raise ConfigError(
            f"{where} is {value!r}, not a wait", hint='a duration like "2s", or seconds'
        )
    return float(value)


def _is_wait(seconds: float) -> bool:
    return math.isfinite(seconds) and 0 <= seconds <= 366 * 86400


def _nearest(key: object, known: Sequence[str]) -> str:
    from difflib import get_close_matches  # only an error needs it

    close = get_close_matches(str(key), known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return "the keys are " + ", ".join(known)
