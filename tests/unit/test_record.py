"""Records: made by keyword, never changed, equal when they say the same."""

from __future__ import annotations

import pickle

import pytest

from durajob.record import Record


class Point(Record):
    x: int
    y: int = 0


class Named(Point):
    name: str


def test_fields_are_those_of_the_bases_first_and_defaults_hold() -> None:
    """A record has the fields of what it is made from, and what is not said is the default."""
    named = Named(x=1, name="a")
    assert named._fields == ("x", "y", "name")
    assert (named.x, named.y, named.name) == (1, 0, "a")


def test_what_is_missing_or_unknown_is_named() -> None:
    """A record that lacks a field, or is given another, is a mistake that names the fields."""
    with pytest.raises(TypeError, match=r"Named: name, x: missing or no such field"):
        Named(y=1)  # type: ignore[call-arg] # the mistake that is tried
    with pytest.raises(TypeError, match=r"Point: z: missing or no such field"):
        Point(x=1, z=2)  # type: ignore[call-arg] # the mistake that is tried


def test_nothing_of_it_can_be_changed() -> None:
    """Fields are neither set nor deleted; a copy with other values leaves it as it is."""
    point = Point(x=1)
    with pytest.raises(AttributeError, match="frozen"):
        point.x = 2  # type: ignore[misc] # the mistake that is tried
    with pytest.raises(AttributeError, match="frozen"):
        del point.x
    assert point._replace(y=5) == Point(x=1, y=5)
    assert point == Point(x=1)


def test_equal_records_are_of_one_class_and_say_the_same() -> None:
    """Equality, hash and representation go by class and values; a copy in another process too."""
    assert Point(x=1) == Point(x=1, y=0)
    assert Point(x=1) != Named(x=1, name="a")
    assert len({Point(x=1), Point(x=1), Point(x=2)}) == 2
    assert repr(Named(x=1, name="a")) == "Named(x=1, y=0, name='a')"
    assert pickle.loads(pickle.dumps(Point(x=3))) == Point(x=3)
