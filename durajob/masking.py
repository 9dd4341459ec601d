"""Secrets made unreadable: what is written to logs and whatever is shown.

The names in ``secrets`` of workflows.toml are those of environment variables, whose values are
masked wherever they occur in a text, and those of keys of input and state, whose values are
masked where they stand and, from then on, in texts too. The store keeps the true values of
input and state, since steps need them. The standard library only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import quote

from durajob.record import Record

T = TypeVar("T")

MASKED = "***"
SHORTEST = 4
"""A value of fewer characters is not looked for in texts: it would mask half of every line."""


class Mask:
    """What is secret for one thread, or for one answer."""

    def __init__(self, names: Iterable[str], environ: Mapping[str, str]) -> None:
        wanted = set(names)
        self._keys = {name.casefold() for name in wanted}
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._add(environ[name] for name in wanted if name in environ)

    def text(self, text: str) -> str:
        """``text`` without the secrets that are known by now."""
        return text if self._pattern is None else self._pattern.sub(MASKED, text)

    def learn(self, value: Any) -> None:
        """Remember what stands under secret keys in ``value``."""
        self._add(_under(value, self._keys))

    def value(self, value: T) -> T:
        """A copy of ``value``, be it a record or plain data, without the secrets."""
        return self._masked(value)  # type: ignore[no-any-return] # of the type it was given

    def _masked(self, value: Any) -> Any:
        if isinstance(value, Enum):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {
                key: MASKED
                if _is_secret(key, self._keys) and inner is not None
                else self._masked(inner)
                for key, inner in value.items()
            }
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*map(self._masked, value))
        if isinstance(value, list | tuple):
            return type(value)(map(self._masked, value))
        if isinstance(value, Record):
            return value._replace(**{name: self._masked(one) for name, one in vars(value).items()})
        if is_dataclass(value) and not isinstance(value, type):
            return replace(
                value,
                **{
                    each.name: self._masked(getattr(value, each.name))
                    for each in fields(value)
                    if each.init
                },
            )
        return value

    def _add(self, values: Iterable[str]) -> None:
        known = set(self._known)
        for value in values:
            # A key file is printed line by line, a password also in a URL or in JSON.
            for part in (value, *value.splitlines()):
                forms = {part, quote(part, safe=""), json.dumps(part)[1:-1]}
                known.update(form for form in forms if len(form.strip()) >= SHORTEST)
        if known != self._known:
            self._known = known
            # The longest first, or a secret that holds another would be masked in part.
            longest_first = sorted(known, key=lambda text: (-len(text), text))
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))


def _is_secret(key: object, keys: set[str]) -> bool:
    return isinstance(key, str) and key.casefold() in keys


def _under(value: Any, keys: set[str]) -> Iterable[str]:
    """The texts under secret keys, wherever they stand."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner) if _is_secret(key, keys) else _under(inner, keys)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        for inner in value:
            yield from _under(inner, keys)
    elif isinstance(value, Record):
        for inner in vars(value).values():
            yield from _under(inner, keys)
    elif is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from _under(getattr(value, each.name), keys)


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
