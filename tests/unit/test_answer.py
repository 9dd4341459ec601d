"""How the value of ``durajob answer`` is read."""

from __future__ import annotations

from typing import Any

import pytest

from durajob.cli.app import build
from durajob.cli.session import Session
from durajob.commands.answer import _parse
from durajob.errors import ApprovalExpired, InputError
from durajob.steps.approval import approval
from durajob.steps.fitting import check_schema, misfit


def parsed(*args: str) -> dict[str, Any]:
    """The parameters that the command line gives."""
    context: Any = build().make_context("durajob", ["answer", *args], obj=Session(args))
    verb = build().get_command(context, "answer")
    params: dict[str, Any] = verb.make_context("answer", list(args), parent=context).params
    return params


@pytest.mark.parametrize(
    ("args", "value"),
    [
        (("t", "-5"), "-5"),
        (("t", "-quick"), "-quick"),
        (("t", "-"), "-"),
        (("t", "-- a dash"), "-- a dash"),
        (("--json", "t", "--timeout", "1h", "-no"), "-no"),
        (("t", "--", "--json"), "--json"),
        (("t", "", "--question=x"), ""),
    ],
)
def test_a_value_may_begin_with_a_dash(args: tuple[str, ...], value: str) -> None:
    """It is no option unless it reads like one, and after -- not even then."""
    assert ("t", value) == (parsed(*args)["thread"], parsed(*args)["value"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("-5", -5),
        ('{"a": [1.5, true]}', {"a": [1.5, True]}),
        ("yes", "yes"),
        ("{half", "{half"),
        ("NaN", "NaN"),
        ("", ""),
        ("bl\u00e5b\u00e6r", "bl\u00e5b\u00e6r"),
    ],
)
def test_a_value_is_json_or_else_text(text: str, value: Any) -> None:
    """What JSON does not know is text, too."""
    assert value == _parse(text)


@pytest.mark.parametrize("text", ["\udce5", "[" * 100_000])
def test_what_cannot_be_stored_is_refused(text: str) -> None:
    """Bytes that are no UTF-8, and what is nested without end."""
    with pytest.raises(InputError):
        _parse(text)


def test_a_misfit_names_place_and_rule() -> None:
    """So that whoever answers can mend it."""
    schema = {"properties": {"amount": {"type": "array", "items": {"minimum": 0}}}}
    assert misfit(schema, {"amount": [1]}) is None
    told = misfit(schema, {"amount": [1, -1]})
    assert "at $.amount[1]: -1 is less than the minimum of 0 (minimum)" == told


def test_nothing_is_fetched_for_a_schema() -> None:
    """A reference that leads elsewhere is told."""
    told = misfit({"$ref": "https://example.org/schema.json"}, 1)
    assert "the schema refers to 'https://example.org/schema.json', which it does not hold" == told


@pytest.mark.parametrize("schema", [{"type": "number of"}, ["type"], {"minimum": "0"}])
def test_what_is_no_schema_is_refused(schema: Any) -> None:
    """Before anybody is asked."""
    with pytest.raises(ValueError, match=r"^at \$|a JSON Schema is a dict"):
        check_schema(schema)


def test_outside_of_a_step_nobody_can_be_asked() -> None:
    """It is as if the question had expired, so that a function can be tested alone."""
    assert 5 == approval("?", expires="1h", on_expiry={"answer": 5})
    with pytest.raises(ApprovalExpired):
        approval("?")


@pytest.mark.parametrize(
    "call",
    [
        lambda: approval("?", expires="soon"),
        lambda: approval("?", expires=0),
        lambda: approval("?", expires=True),
        lambda: approval("?", expires="1h", on_expiry="no"),
        lambda: approval("?", expires="1h", on_expiry={"answer": 1, "by": 2}),
        lambda: approval("?", on_expiry={"answer": 1}),
        lambda: approval({1, 2}),
        lambda: approval(float("nan")),
    ],
)
def test_an_approval_that_makes_no_sense_is_refused(call: Any) -> None:
    """By name, with the rule."""
    with pytest.raises(ValueError, match=r"^approval: "):
        call()
