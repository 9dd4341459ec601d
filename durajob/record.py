"""What most classes here are: records, frozen and made by keyword. The standard library only.

A frozen dataclass does the same, but writes and compiles its methods anew for each class: most
of a millisecond each, at every start of a program that is to answer in a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import get_annotations
from typing import Any, ClassVar, NoReturn, Self, dataclass_transform

NOTHING: Mapping[str, Any] = {}
"""The default of a field that is a mapping."""


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Record:
    """Fields are the annotations of the class, and of those it is made from; a value beside one
    is its default, and shared. Otherwise like a ``NamedTuple`` that is no tuple."""

    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[Mapping[str, Any]] = {}
    _required: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        own = get_annotations(cls)
        said = {name: cls.__dict__[name] for name in own if name in cls.__dict__}
        cls._fields = tuple(dict.fromkeys((*cls._fields, *own)))
        cls._defaults = {**cls._defaults, **said}
        cls._required = frozenset(cls._fields) - cls._defaults.keys()

    def __init__(self, **given: Any) -> None:
        values = self.__dict__
        values.update(self._defaults)
        values.update(given)
        if len(values) != len(self._fields) or not self._required <= given.keys():
            wrong = sorted(self._required - given.keys() | given.keys() - set(self._fields))
            raise TypeError(f"{type(self).__name__}: {', '.join(wrong)}: missing or no such field")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, name) for name in self._fields)))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._fields)
        return f"{type(self).__name__}({shown})"

    def _replace(self, **changes: Any) -> Self:
        """A copy in which the fields named have other values."""
        return type(self)(**{**vars(self), **changes})

    def _asdict(self) -> dict[str, Any]:
        """Its fields, by name."""
        return {name: getattr(self, name) for name in self._fields}
