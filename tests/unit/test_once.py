"""``once`` outside of a running step, and how it calls an effect."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

import pytest

from durajob import idempotency_key, once


def charge(amount: int, key: str) -> tuple[int, str]:
    """An effect with its key."""
    return amount, key


def test_outside_of_a_step_the_effect_is_just_done() -> None:
    """So that a step's function can be tested alone; the key is made up."""
    amount, key = once("charge", partial(charge, 5))
    assert 5 == amount
    assert str(uuid.UUID(key)) == key
    assert idempotency_key("charge") != key


@pytest.mark.parametrize(
    ("effect", "gets_key"),
    [
        (lambda: (), False),
        (lambda key: (key,), True),
        (lambda order=None: () if order is None else (order,), False),
        (lambda key, order=None: (key,), True),
        (lambda *args: args, True),
        (lambda **named: tuple(named), False),
    ],
    ids=["nothing", "a key", "a bound variable", "both", "anything", "names"],
)
def test_an_effect_is_given_the_key_if_it_has_room_for_it(effect: Any, gets_key: bool) -> None:
    """What has a default keeps it: that is how a loop binds its variable."""
    assert gets_key == bool(once("e", effect))


async def coroutine() -> None:
    """An effect that a plain call does not run."""


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: once("", print), "the name ''"),
        (lambda: once("a\nb", print), "printable"),
        (lambda: once("e" * 201, print), "1 to 200"),
        (lambda: once("e", 5), "cannot be called"),  # type: ignore[arg-type]
        (lambda: once("e", charge), "needs amount, key"),
        (lambda: once("e", lambda *, key: key), "needs key"),
        (lambda: once("e", coroutine), "is a coroutine"),
        (lambda: once("e", print, in_doubt="perhaps"), "in_doubt is 'perhaps'"),  # type: ignore[arg-type]
        (lambda: idempotency_key(""), "the name ''"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_done(call: Any, message: str) -> None:
    """By name, with the rule."""
    with pytest.raises(ValueError, match=message):
        call()
