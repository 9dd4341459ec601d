"""State schemas: their keys, and the reducer that a map's ``collect`` key needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import (
    Annotated,
    Any,
    NotRequired,
    Required,
    TypedDict,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from durajob.errors import ConfigError


def gather(gathered: list[Any] | None, more: list[Any] | None) -> list[Any]:
    """The reducer of a map's results: adds them in order; None empties the list."""
    return [] if more is None else [*(gathered or ()), *more]


def state_keys(schema: type[Any], *, where: str) -> tuple[str, ...]:
    """The keys of a state schema.

    Raises:
        ConfigError: when its annotations name what cannot be found, or there are none.
    """
    return tuple(_hints(schema, where))


def schema_with_reducers(schema: type[Any], keys: Iterable[str], *, where: str) -> type[Any]:
    """``schema``, or a TypedDict like it, in which each of ``keys`` has a reducer.

    A key that has one already keeps it.

    Raises:
        ConfigError: when a reducer is missing from a schema that is not a TypedDict.
    """
    hints = _hints(schema, where)
    missing = [key for key in sorted(keys) if not _has_reducer(hints[key])]
    if not missing:
        return schema
    if not is_typeddict(schema):
        raise ConfigError(
            f"{where}: a map collects into the state's key {missing[0]!r}, which has no reducer",
            hint=f"declare it as {missing[0]}: Annotated[list, operator.add]",
        )
    for key in missing:
        hints[key] = Annotated[hints[key], gather]
    # A TypedDict made at run time: its keys are only known here.
    derived = TypedDict(schema.__name__, hints, total=False)  # type: ignore[misc]
    derived.__module__ = schema.__module__
    derived.__doc__ = schema.__doc__
    return derived


def _hints(schema: type[Any], where: str) -> dict[str, Any]:
    try:
        hints: Mapping[str, Any] = get_type_hints(schema, include_extras=True)
    except (NameError, TypeError) as error:
        raise ConfigError(
            f"{where}: the state schema {schema.__name__!r} cannot be read: {error}",
            hint="define or import every type that it names at the top of its module",
        ) from error
    return {key: _plain(hint) for key, hint in hints.items()}


def _plain(hint: Any) -> Any:
    # Whether a key is required means nothing to LangGraph, and may not stand inside Annotated.
    if get_origin(hint) not in (Required, NotRequired):
        return hint
    (inner,) = get_args(hint)
    return inner


def _has_reducer(hint: Any) -> bool:
    # As LangGraph reads it: the last of the annotations, when it is callable or a channel.
    metadata: tuple[Any, ...] = getattr(hint, "__metadata__", ())
    return bool(metadata) and (callable(metadata[-1]) or not isinstance(metadata[-1], str))
