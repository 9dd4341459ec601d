"""Thread templates: the thread id that a run of a workflow has, as workflows.toml says it.

``invoices-{slot:%Y-%m-%d}`` gives one day's job one thread, however often cron starts it. The
fields are ``{slot}`` (a time, in the way of strftime), ``{workflow}`` and ``{input[key]}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from string import Formatter
from typing import Any

from durajob.errors import InputError, InvalidThreadId, UsageError
from durajob.model import THREAD_ID_RULE, is_thread_id

FIELDS = ("{slot:%Y-%m-%d}", "{workflow}", "{input[key]}")

DEFAULT_TEMPLATE = "{workflow}-{slot:%Y-%m-%dT%H%M}"
"""That of the slots of a workflow which has none."""

_DIRECTIVES = "YmdHMSjGVuyz"
"""What may follow a % in ``{slot:…}``: numbers only, since names change with the locale."""

_WIDTHS = dict.fromkeys(_DIRECTIVES, "??") | {
    "Y": "????",
    "G": "????",
    "j": "???",
    "u": "?",
    "z": "!????",
}
"""What each gives, as a pattern; see ``render_pattern``."""
_ISO = "%Y-%m-%dT%H:%M!??:??"

_INPUT = re.compile(r"input\[([^\[\]{}]+)\]")


def template_fields(template: str) -> frozenset[str]:
    """The fields in ``template``: ``slot``, ``workflow``, ``input[key]``.

    Raises:
        ValueError: when it is no template, or could never give a thread id.
    """
    fields: set[str] = set()
    example = ""
    for literal, field, spec in _parts(template):
        example += literal
        if field is None:
            continue
        fields.add(field)
        example += _slot_text(spec, datetime(2026, 11, 22).astimezone()) if field == "slot" else "x"
    if not is_thread_id(example):
        raise ValueError(f"would give the thread id {example[:220]!r}, but {THREAD_ID_RULE}")
    return frozenset(fields)


def render_thread_id(
    template: str, *, workflow: str, slot: datetime | None, input: Mapping[str, Any]
) -> str:
    """The thread id that ``template`` gives for this slot (aware) and this input.

    Raises:
        UsageError: when the template has a ``{slot}`` and there is none.
        InputError: when the input lacks a value that the template names.
        InvalidThreadId: when what comes out breaks the rule for thread ids.
    """
    text = ""
    for literal, field, spec in _parts(template):
        text += literal
        if field == "slot":
            if slot is None:
                raise UsageError(
                    f"the thread template {template!r} needs a slot",
                    hint="say which with --slot TIME, or name the thread with -t",
                )
            text += _slot_text(spec, slot)
        elif field == "workflow":
            text += workflow
        elif field is not None:
            text += _input_text(template, field, input)
    if not is_thread_id(text):
        raise InvalidThreadId(
            f"the thread template {template!r} gives {text[:220]!r}, but {THREAD_ID_RULE}",
            hint="name the thread with -t, or change the input that the template uses",
        )
    return text


def slot_directives(template: str) -> frozenset[str]:
    """What ``template`` shows of a slot, as letters of strftime."""
    shown: set[str] = set()
    for _, field, spec in _parts(template):
        if field == "slot":
            shown.update(re.findall(r"%(.)", spec) if spec else "YmdHMz")
    return frozenset(shown)


def render_pattern(template: str, *, workflow: str, input: Mapping[str, Any]) -> str:
    """What the thread ids that ``template`` gives have in common: in the place of each digit of
    a slot stands a ``?``, in that of the sign of its offset a ``!``.

    Raises:
        InputError: when the input lacks a value that the template names.
    """
    text = ""
    for literal, field, spec in _parts(template):
        text += literal
        if field == "slot":
            text += re.sub(r"%(.)", lambda found: _WIDTHS[found[1]], spec or _ISO)
        elif field == "workflow":
            text += workflow
        elif field is not None:
            text += _input_text(template, field, input)
    return text


@lru_cache(maxsize=1024)
def _parts(template: str) -> tuple[tuple[str, str | None, str], ...]:
    """Literal text, the field after it (None at the end) and its format."""
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{template!r} is no template: {error}") from error
    for _, field, spec, conversion in parsed:
        if field is not None:
            _check(field, spec or "", conversion)
    return tuple((literal, field, spec or "") for literal, field, spec, _ in parsed)


def _check(field: str, spec: str, conversion: str | None) -> None:
    known = f"the fields are {', '.join(FIELDS)}"
    if field not in ("slot", "workflow") and not _INPUT.fullmatch(field):
        raise ValueError(f"unknown field {{{field}}}: {known}")
    if conversion or (spec and field != "slot"):
        raise ValueError(f"{{{field}}} takes no format: {known}")
    if field == "slot" and spec:
        directives = re.findall(r"%(.?)", spec, re.DOTALL)
        if not directives or not spec.isascii():
            raise ValueError(f"the format of {{slot:{spec}}} is not one of strftime: {known}")
        for directive in directives:
            if not directive or directive not in _DIRECTIVES:
                raise ValueError(
                    f"the format of {{slot:{spec}}} has %{directive}: "
                    f"it may use {' '.join('%' + letter for letter in _DIRECTIVES)}"
                )


def _slot_text(spec: str, slot: datetime) -> str:
    if not spec:
        return slot.isoformat(timespec="minutes")
    # A year below 1000 is padded by some C libraries and not by others.
    text = slot.strftime(spec.replace("%Y", f"{slot.year:04}"))
    # An hour that a clock shows a second time is another slot.
    return text + slot.strftime("%z") if _is_repeated(slot) and "%z" not in spec else text


def _is_repeated(slot: datetime) -> bool:
    return slot.fold == 1 and slot.utcoffset() != slot.replace(fold=0).utcoffset()


def _input_text(template: str, field: str, input: Mapping[str, Any]) -> str:
    match = _INPUT.fullmatch(field)
    key = match[1] if match else ""
    if key not in input:
        raise InputError(
            f"the thread template {template!r} needs the input {key!r}",
            hint=f"give it with -i {key}=…, or name the thread with -t",
        )
    value = input[key]
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InputError(
            f"the thread template {template!r} needs a text or whole number as input {key!r}",
            hint="name the thread with -t",
        )
    return str(value)
