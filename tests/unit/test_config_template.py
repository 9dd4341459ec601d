"""Thread templates and targets: the small languages in workflows.toml."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durajob.config.target import parse_target
from durajob.config.template import render_thread_id, template_fields
from durajob.errors import DurajobError, InputError, InvalidThreadId, UsageError
from durajob.model import is_thread_id

SLOT = datetime(2026, 11, 22, 6, 5, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("template", "thread"),
    [
        ("once", "once"),
        ("{workflow}-{slot:%Y-%m-%d}", "etl-2026-11-22"),
        ("{slot}", "2026-11-22T06:05+01:00"),
        ("x-{slot:%Y%m%dT%H:%M%z}", "x-20261122T06:05+0100"),
        ("x-{slot:%G-%V}", "x-2026-47"),
        ("order-{input[id]}.{input[some key]}", "order-7.no"),
    ],
)
def test_a_template_gives_a_thread_id(template: str, thread: str) -> None:
    """Slot, workflow and input are filled in."""
    given_input = {"id": 7, "some key": "no"}
    assert thread == render_thread_id(template, workflow="etl", slot=SLOT, input=given_input)


@pytest.mark.parametrize(
    "template",
    ["", " ", "-x", "a/b", "{}", "{0}", "{date}", "{slot.year}", "{slot!r}", "{slot:x}",
     "{slot:%}", "{slot:%b}", "{slot:%Y ü}", "{slot:{workflow}}", "{workflow:>9}", "{input}",
     "{input.a}", "{input[]}", "{input[a][b]}", "{", "}", "{slot:%Y %m}", "x" * 201],
)  # fmt: skip
def test_what_could_never_give_a_thread_id_is_no_template(template: str) -> None:
    """A mistake in a template is found when the file is read, not when cron starts the job."""
    with pytest.raises(ValueError, match=r"\S"):
        template_fields(template)


@pytest.mark.parametrize(
    ("given_input", "refusal"),
    [({}, InputError), ({"id": 1.5}, InputError), ({"id": None}, InputError),
     ({"id": True}, InputError), ({"id": "a b"}, InvalidThreadId),
     ({"id": "../x"}, InvalidThreadId), ({"id": "x" * 300}, InvalidThreadId)],
)  # fmt: skip
def test_input_that_makes_no_thread_id_is_refused(
    given_input: dict[str, object], refusal: type[DurajobError]
) -> None:
    """A value is never mangled to fit: it is refused, with a way out."""
    with pytest.raises(refusal) as caught:
        render_thread_id("a-{input[id]}", workflow="w", slot=None, input=given_input)
    assert caught.value.hint


def test_a_slot_must_be_given_where_the_template_has_one() -> None:
    """Without a slot there is no thread id, and the caller is told how to give one."""
    assert {"slot", "workflow", "input[a]"} == template_fields("{slot}{workflow}{input[a]}")
    with pytest.raises(UsageError, match="needs a slot"):
        render_thread_id("{slot}", workflow="w", slot=None, input={})


@given(st.text(alphabet="{}slotworkfinpu[]%Ymd:-a!. \0ü", max_size=30))
def test_a_template_that_was_taken_gives_an_id_or_is_refused(template: str) -> None:
    """What template_fields takes, render_thread_id fills in or refuses as one of ours."""
    try:
        template_fields(template)
    except ValueError:
        return
    with contextlib.suppress(InputError, InvalidThreadId):
        assert is_thread_id(render_thread_id(template, workflow="w", slot=SLOT, input={"a": "1"}))


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("./etl.py:workflow", "etl"),
        ("./etl.py:invoices", "invoices"),
        ("/a/billing/graph.py:graph", "billing"),
        ("pkg.etl:graph", "etl"),
        ("pkg.etl:holder.nightly", "nightly"),
        ("./my job (ü)!.py:graph", "my-job"),
        ("./日本.py:graph", "workflow"),
        ("graph.py:graph", "graph"),
        (f"./{'x' * 240}.py:graph", "x" * 100),
    ],
)
def test_a_target_has_a_short_label(text: str, label: str) -> None:
    """A target typed by hand is called after what is told by its name, file or folder."""
    assert label == parse_target(text).labels[0]


@pytest.mark.parametrize("text", ["", ":", "x", "./x.py", ":g", "x:", "x:a b", "a b:c", "a..b:c",
                                  "x.py:1", "a-b:c", "./x.py:g.", "a\0/b:c"])  # fmt: skip
def test_what_is_no_target_is_refused(text: str) -> None:
    """The rule is stated."""
    with pytest.raises(ValueError, match=r"\./file\.py:name"):
        parse_target(text)
