"""Effects that happen once: what was done is recorded with its result, and not done again.

The record is made around the effect: begun, on disk, before it is run; done, with its result,
when it has returned. An effect that was begun and not recorded as done is in doubt: the process
died in between, and nobody but the other side knows whether it was done.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeVar, cast, get_args

from durajob.steps.context import Leave, StepContext, current

T = TypeVar("T")

InDoubt = Literal["retry", "ask", "fail"]
_LONGEST_NAME = 200


def once(name: str, effect: Callable[..., T], *, in_doubt: InDoubt = "retry") -> T:
    """Do an effect and record its result; if it is recorded already, give that instead.

    Recorded is recorded for this place in the run: for a retry of the step, for a resume
    after a crash, and for a second call of the same name in the same step. Another branch of a
    fan-out and another turn of a loop are other places. What comes back has been through the
    store, as a step's result has.

    An effect that raises an exception says by it that it was not done, and may be tried again.
    Outside of a running step it is just done, so that the function can be tested alone.

    Args:
        name: which effect of the step it is: 1 to 200 characters.
        effect: does it, and returns its result. If it takes an argument without a default, that
            is the idempotency key: the same at every attempt, for the other side to know.
        in_doubt: what to do with an effect that was begun before a crash and not recorded.
            ``retry`` it with the same key, ``ask`` a person whether it was done, or ``fail`` the
            step for good.

    Raises:
        ValueError: when an argument makes no sense.
        EffectInDoubt: with ``in_doubt="fail"``, when the effect is in doubt.
        ResultNotStorable: when it returned what cannot be stored. It is in doubt then.
    """
    _check(name, in_doubt)
    arguments = _arguments(name, effect)
    context = current.get()
    if context is None:
        return effect(*arguments(_made_up_key()))
    with _turn(context, name):
        done, key, result = context.begin_effect(name, in_doubt)
        if done:
            return cast("T", result)
        try:
            result = effect(*arguments(key))
            if inspect.iscoroutine(result):
                result.close()
                raise _is_coroutine(name)
        except (Exception, Leave):
            context.fail_effect(name)
            raise
        return cast("T", context.finish_effect(name, result))


def idempotency_key(name: str) -> str:
    """The key that ``once(name, …)`` gives its effect here: a UUID, the same at every attempt.

    For effects that are not done through ``once``. Outside of a running step it is made up.
    """
    _check(name, "retry")
    context = current.get()
    return _made_up_key() if context is None else context.effect_key(name)


def _check(name: str, in_doubt: str) -> None:
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise ValueError(
            f"once: the name {name!r:.60} is not 1 to {_LONGEST_NAME} printable characters"
        )
    if in_doubt not in get_args(InDoubt):
        told = ", ".join(map(repr, get_args(InDoubt)))
        raise ValueError(f"once({name!r}): in_doubt is {in_doubt!r:.60}, it must be one of {told}")


def _arguments(name: str, effect: Callable[..., Any]) -> Callable[[str], tuple[str, ...]]:
    """How the effect is called with a key: as it has room for one that is not optional.

    What has a default keeps it: ``lambda order=order: …`` is how loops bind a variable.
    """
    if not callable(effect):
        raise ValueError(f"once({name!r}): the effect is {effect!r:.60}, which cannot be called")
    if inspect.iscoroutinefunction(effect):
        raise _is_coroutine(name)
    try:
        parameters = inspect.signature(effect).parameters.values()
    except ValueError:  # a builtin that does not say
        return lambda key: (key,)
    needed = [
        one.name
        for one in parameters
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    if len(needed) > 1 or any(
        one.kind is one.KEYWORD_ONLY and one.name in needed for one in parameters
    ):
        raise ValueError(
            f"once({name!r}): the effect needs {', '.join(needed)}; "
            "it may take one argument, the idempotency key"
        )
    takes_any = not needed and any(one.kind is one.VAR_POSITIONAL for one in parameters)
    return lambda key: (key,) if needed or takes_any else ()


def _is_coroutine(name: str) -> ValueError:
    return ValueError(
        f"once({name!r}): the effect is a coroutine; give a function that runs it (asyncio.run)"
    )


class _Turn:
    """Whose turn it is to do an effect: threads of a step may come to it at the same time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.holder: int | None = None


_turns: dict[tuple[int, str], _Turn] = {}
_mutex = threading.Lock()


@contextmanager
def _turn(context: StepContext, name: str) -> Iterator[None]:
    at = (id(context), name)
    with _mutex:
        turn = _turns.setdefault(at, _Turn())
        if turn.holder == threading.get_ident():
            raise ValueError(f"once({name!r}) is called inside its own effect")
        turn.users += 1
    try:
        with turn.lock:
            turn.holder = threading.get_ident()
            try:
                yield
            finally:
                turn.holder = None
    finally:
        with _mutex:
            turn.users -= 1
            if not turn.users:
                del _turns[at]


def _made_up_key() -> str:
    import uuid

    return str(uuid.uuid4())
