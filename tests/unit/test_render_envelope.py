"""The envelope holds whatever a workflow keeps in its state."""

from __future__ import annotations

import json
import math
import pkgutil
from collections import namedtuple
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import durajob
from durajob.model import Result, ThreadResult
from durajob.render import VIEWS, found
from durajob.render.envelope import envelope
from durajob.render.text import json_text, one_line
from tests.snapshots.made import step, thread


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: int


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError("no")


Pair = namedtuple("Pair", "a b")
KNOT: list[Any] = []
KNOT.append(KNOT)


def state_of(value: Any) -> Any:
    """What comes out when ``value`` goes in as a part of the state."""
    result = ThreadResult(thread=thread()._replace(state={"value": value}))
    text = envelope("status", result)
    assert text.isascii()
    assert "\n" not in text
    return json.loads(text, parse_constant=pytest.fail)["data"]["thread"]["state"]["value"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
        (b"\x00\xff", {"base64": "AP8="}),
        ({3, 1, 2}, [1, 2, 3]),
        (("a", 1), ["a", 1]),
        (Pair(1, 2), [1, 2]),
        ({1: {"b"}, None: 2, False: 3}, {"1": ["b"], "null": 2, "false": 3}),
        ({(1, 2): 3}, {"[1, 2]": 3}),
        (Colour.RED, "red"),
        (Point(3), {"x": 3}),
        (Path("/tmp/x"), "/tmp/x"),
        (datetime(2026, 11, 22, tzinfo=UTC), "2026-11-22 00:00:00+00:00"),
        (Rude(), "<Rude>"),
        ("\udcff", "\udcff"),
        (KNOT, ["<cycle>"]),
    ],
)
def test_what_json_does_not_know_follows_the_stated_rules(value: Any, expected: Any) -> None:
    """Odd values come out as the module says, and never break the line."""
    assert expected == state_of(value)


def test_seconds_are_rounded_to_the_microsecond() -> None:
    """No more digits than were measured."""
    shown = envelope("status", ThreadResult(thread=thread(steps=(step("a", seconds=1 / 3),))))
    assert '"seconds": 0.333333,' in shown


def test_an_integer_too_long_for_decimal_is_hexadecimal() -> None:
    """Python refuses to write it in decimal."""
    assert hex(1 << 20_000) == state_of(1 << 20_000)


def test_a_state_deeper_than_the_stack_is_cut() -> None:
    """Nesting without end ends."""
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    assert "[" in json.dumps(state_of(deep))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.binary(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.text() | st.integers(), inner)
            | st.sets(st.integers())
        ),
        max_leaves=20,
    )
)
def test_any_state_gives_one_line_of_ascii_json(value: Any) -> None:
    """Whatever the value, the envelope is one line that any JSON reader takes."""
    state_of(value)


@given(st.text())
def test_no_text_has_power_over_the_terminal(text: str) -> None:
    """What is shown of a user's text is one line without control characters."""
    shown = one_line(text) + one_line(json_text(text))
    assert [] == [c for c in shown if ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u202e"]


def test_whatever_a_command_returns_can_be_shown() -> None:
    """Every kind of result has a view, and the functions that the table names are there."""
    for module in pkgutil.iter_modules(durajob.__path__):
        if not module.ispkg and module.name != "__main__":
            import_module(f"durajob.{module.name}")
    kinds = {kind.__name__ for kind in Result.__subclasses__()}
    assert kinds == set(VIEWS) | {"Watching"}  # of which the end is shown
    named = [where for view in VIEWS.values() for where in view if where is not None]
    assert [] == [where for where in named if not callable(found(where))]
