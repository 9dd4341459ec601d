"""What happened to a thread, an entry after the other: lines for people, objects for scripts.

Lines are made as the entries come, so there are no columns whose widths would have to be known.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from durajob import clock
from durajob.durations import format_duration
from durajob.history import (
    Admitted,
    Answered,
    Claimed,
    Effect,
    Entry,
    Intervened,
    Left,
    Questioned,
    Slept,
    Stored,
    Tried,
)
from durajob.model import AttemptStatus, Owner, StepError
from durajob.render import marks
from durajob.render.envelope import json_text, jsonable, step_error
from durajob.render.pages import error_text
from durajob.render.text import cut, moment, one_line, printed

_LONGEST = 500  # characters of an answer or a prompt, unless it is asked for whole


class Shape(NamedTuple):
    """How lines are drawn."""

    terminal: bool
    color: bool
    width: int | None  # where lines are cut; None: nowhere
    full: bool  # errors with their tracebacks


def text_lines(entry: Entry, shape: Shape) -> Iterator[str]:
    """``<time>  ✓ load: attempt 1 succeeded in 12ms``, and lines under it."""
    look, told = _TOLD[type(entry)](entry, shape)
    at = _time(entry.at, shape)
    at = at.ljust(19 if shape.terminal else 29)
    mark = f"{look.mark} " if shape.terminal and look.mark else "  " if shape.terminal else ""
    text = mark + told
    if shape.width is not None:
        text = cut(text, max(shape.width - len(at) - 2, 20))
    color = look.style if shape.color else ""
    yield f"{marks.paint(at, marks.LABEL if shape.color else '')}  {marks.paint(text, color)}"
    under = " " * (len(at) + 4)
    for line in _under(entry, shape):
        whole = under + line
        yield whole if shape.width is None else cut(whole, shape.width)


def json_line(entry: Entry) -> str:
    """An entry as one line of JSON."""
    shown = as_object(entry)
    try:
        return json.dumps(shown, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return json.dumps(jsonable(shown), allow_nan=False)


def as_object(entry: Entry) -> dict[str, Any]:
    """An entry with all that is known of it; ``kind`` says what it is."""
    shown: dict[str, Any] = {"kind": _KINDS[type(entry)]}
    for name, value in entry._asdict().items():
        if name in _TIMES:
            shown[name] = clock.to_rfc3339(value)
        elif isinstance(value, Owner):
            shown[name] = {"host": value.host, "pid": value.pid}
        elif isinstance(value, StepError):
            shown[name] = step_error(value)
        elif name == "effects":
            shown[name] = [_effect_object(each) for each in value]
        elif name == "seconds":
            shown[name] = None if value is None else round(value, 6)
        else:
            shown[name] = value
    return shown


_TIMES = {"at", "finished_at", "due_at", "wake_at", "expires_at", "until"}
_KINDS: dict[type, str] = {
    Admitted: "admitted",
    Claimed: "claimed",
    Left: "left",
    Tried: "attempt",
    Stored: "checkpoint",
    Slept: "sleep",
    Questioned: "asked",
    Answered: "answered",
    Intervened: "intervention",
}


def _effect_object(effect: Effect) -> dict[str, Any]:
    times = {name: clock.to_rfc3339(getattr(effect, name)) for name in ("at", "finished_at")}
    return {**effect._asdict(), **times}


_Told = tuple[marks.Look, str]
_PLAIN = marks.Look("", "")
_FAINT = marks.Look("", marks.LABEL)
_ASKS = marks.Look("?", "magenta")


def _admitted(entry: Admitted, shape: Shape) -> _Told:
    of = f"admitted: workflow {one_line(entry.workflow)}"
    slot = f", for the slot {one_line(entry.slot)}" if entry.slot else ""
    parent = f", from thread {one_line(entry.parent)}" if entry.parent else ""
    return _PLAIN, of + slot + parent


def _claimed(entry: Claimed, shape: Shape) -> _Told:
    by = "" if entry.owner is None else f" by process {entry.owner.pid} on {entry.owner.host}"
    return _PLAIN, f"claimed{by} (epoch {entry.epoch})"


def _left(entry: Left, shape: Shape) -> _Told:
    look, text = marks.THREAD[entry.status], entry.status.value
    if entry.status.value == "interrupted" and entry.owner is not None:
        text += f": process {entry.owner.pid} is gone"
    elif entry.wake_at is not None:
        text += f" until {_time(entry.wake_at, shape)}"
    if entry.reason is not None:
        text += f" ({one_line(entry.reason)})"
    if entry.error is not None:
        step = "" if entry.error.step is None else f"{one_line(entry.error.step)}: "
        text += f": {step}{_error(entry.error, shape)}"
    return look, text


def _tried(entry: Tried, shape: Shape) -> _Told:
    visit = f" (visit {entry.visit})" if entry.visit > 1 else ""
    most = f" of {entry.max_attempts}" if (entry.max_attempts or 1) > 1 else ""
    text = f"{one_line(entry.step)}{visit}: attempt {entry.attempt}{most} "
    text += _HOW.get(entry.status, entry.status.value)
    if entry.seconds is not None:
        text += f" in {format_duration(entry.seconds)}"
    if entry.error is not None:
        text += f": {_error(entry.error, shape)}"
    if entry.due_at is not None:
        text += f"; the next is due at {_time(entry.due_at, shape)}"
    return marks.ATTEMPT[entry.status], text


_HOW = {
    AttemptStatus.RUNNING: "is running",
    AttemptStatus.TIMED_OUT: "timed out",
    AttemptStatus.ABANDONED: "abandoned: its process died",
    AttemptStatus.SKIPPED: "not made: done by hand",
}


def _stored(entry: Stored, shape: Shape) -> _Told:
    where = "" if entry.graph is None else f" of {one_line(entry.graph)}"
    if entry.superstep == -1:
        return _FAINT, f"checkpoint{where}: the input"
    after = "" if entry.superstep is None else f" after superstep {entry.superstep}"
    return _FAINT, f"checkpoint{where}{after}"


def _slept(entry: Slept, shape: Shape) -> _Told:
    how = "slept" if entry.is_over else "sleeps"
    text = f"{one_line(entry.step)}: {how} until {_time(entry.until, shape)}"
    return marks.Look("◔", "cyan"), text


def _questioned(entry: Questioned, shape: Shape) -> _Told:
    expiry = _time(entry.expires_at, shape)
    until = f", which expires at {expiry}" if expiry else ""
    prompt = _value(entry.prompt, shape)
    return _ASKS, f"{one_line(entry.step)}: asked {prompt} (question {entry.id}{until})"


def _answered(entry: Answered, shape: Shape) -> _Told:
    what = f"{one_line(entry.step)}: question {entry.id}"
    if entry.expired:
        return _ASKS, f"{what} expired"
    by = "at its expiry" if entry.by is None else f"by {one_line(entry.by)}"
    return _ASKS, f"{what} answered {by}: {_value(entry.answer, shape)}"


def _intervened(entry: Intervened, shape: Shape) -> _Told:
    step = f" of {one_line(entry.step)}" if entry.step else ""
    details = f" {_value(entry.details, shape)}" if entry.details else ""
    reason = f": {one_line(entry.reason)}" if entry.reason else ""
    text = f"by hand: {entry.verb}{step} by {one_line(entry.user)}{reason}{details}"
    return marks.Look("»", "bold"), text


_TOLD: dict[type, Callable[[Any, Shape], _Told]] = {
    Admitted: _admitted,
    Claimed: _claimed,
    Left: _left,
    Tried: _tried,
    Stored: _stored,
    Slept: _slept,
    Questioned: _questioned,
    Answered: _answered,
    Intervened: _intervened,
}


def _under(entry: Entry, shape: Shape) -> Iterator[str]:
    if not isinstance(entry, Tried):
        return
    for effect in entry.effects:
        how = {"begun": "in doubt", "done": "done", "failed": "failed"}.get(effect.status, "?")
        again = f", begun {effect.times} times" if effect.times > 1 else ""
        yield f"effect {one_line(effect.name)}: {how}{again} (key {effect.key})"
    if shape.full and entry.traceback:
        for line in entry.traceback.rstrip("\n").split("\n"):
            yield printed(line)


def _error(error: StepError, shape: Shape) -> str:
    if shape.full:
        return one_line(f"{error.type}: {error.message}")
    return error_text(error)


def _value(value: Any, shape: Shape) -> str:
    text = one_line(json_text(value))
    return text if shape.full else cut(text, _LONGEST)


def _time(at: int | None, shape: Shape) -> str:
    return moment(at) if shape.terminal else clock.to_rfc3339(at) or ""
