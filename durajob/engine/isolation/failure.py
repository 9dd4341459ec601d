"""An exception on its way from one process to another: the same, or as like it as can be.

An exception that survives pickling arrives as it was. Many do not, because their class cannot
be called with their ``args``; in their place comes one of a class made for it, below the
nearest of its classes that can be found, with its name, its message and those attributes that
can be pickled. So a retry that names a class finds it either way.
"""

from __future__ import annotations

import pickle
import sys
import traceback
from typing import Any, NamedTuple

_TRACE = "__durajob_trace__"


class Failure(NamedTuple):
    """An exception as it is sent."""

    trace: str
    same: bytes | None  # the exception itself, where that survives
    classes: tuple[tuple[str, str], ...]  # module and name, the nearest first
    message: str
    attributes: dict[str, bytes]


def describe(error: BaseException) -> Failure:
    """What to send of an exception."""
    return Failure(
        trace=trace_of(error),
        same=_same(error),
        classes=tuple((each.__module__, each.__qualname__) for each in type(error).__mro__),
        message=_message(error),
        attributes={
            key: data for key, value in vars(error).items() if (data := _pickled(value)) is not None
        },
    )


def rebuild(failure: Failure) -> BaseException:
    """The exception that was sent; ``trace_of`` tells its traceback, causes and notes."""
    error: BaseException | None = None
    if failure.same is not None:
        try:
            error = pickle.loads(failure.same)
        except Exception:
            error = None  # the class is not importable here
    if error is None:
        error = _stand_in(failure)
    setattr(error, _TRACE, failure.trace)
    return error


def trace_of(error: BaseException) -> str:
    """The traceback as text: that of the process in which it was raised."""
    kept = getattr(error, _TRACE, None)
    return kept if isinstance(kept, str) else "".join(traceback.format_exception(error))


def _same(error: BaseException) -> bytes | None:
    data = _pickled(error)
    if data is None:
        return None
    try:
        again = pickle.loads(data)
        return data if type(again) is type(error) and str(again) == str(error) else None
    except Exception:
        return None


def _stand_in(failure: Failure) -> BaseException:
    message = failure.message
    name = failure.classes[0][1].rpartition(".")[2]
    body: dict[str, Any] = {"__str__": lambda self: message, "__module__": failure.classes[0][0]}
    made: type[BaseException] = type(name, (_nearest(failure),), body)
    error: BaseException = made.__new__(made, message)
    error.args = (message,)
    for key, data in failure.attributes.items():
        try:
            setattr(error, key, pickle.loads(data))
        except Exception:  # one attribute less
            continue
    return error


def _nearest(failure: Failure) -> type[BaseException]:
    for module, name in failure.classes:
        found: Any = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        if not (isinstance(found, type) and issubclass(found, BaseException)):
            continue
        # A group cannot be made without the exceptions in it.
        if not issubclass(found, BaseExceptionGroup):
            return found
    return Exception


def _pickled(value: Any) -> bytes | None:
    try:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception:
        return None


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(its message cannot be shown)"
