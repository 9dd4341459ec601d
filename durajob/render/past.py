"""What happened to a thread, an entry after the other: lines for people, objects for scripts.

Lines are made as the entries come, so there are no columns whose widths would have to be known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from durajob import clock
from durajob.durations import format_duration
from durajob.history import (
    Admitted,
    Answered,
    Claimed,
    Effect,
    Entry,
    History,
    Intervened,
    Left,
    Questioned,
    Slept,
    Stored,
    Tried,
)
from durajob.model import AttemptStatus, Owner, StepError, ThreadStatus
from durajob.render import envelope, marks
from durajob.render.objects import step_error
from durajob.render.text import cut, error_text, json_text, moment, one_line, printed

_LEAST = 16  # characters that are left of a name or a value
_LONGEST = 500  # characters of an answer or a prompt, unless it is asked for whole


class Shape(NamedTuple):
    """How lines are drawn."""

    terminal: bool
    color: bool
    width: int | None  # where lines are cut; None: nowhere
    full: bool  # errors with their tracebacks
    shown: Callable[[str], str] = str  # what becomes of a text where the encoding is poor


class _Piece(NamedTuple):
    """A part of what is told of an entry, and what becomes of it where a line is too short."""

    text: str
    least: int | None = None  # it may be cut to so much; None: it is not cut
    under: bool = False  # it goes to a line of its own


def text_lines(entry: Entry, shape: Shape) -> Iterator[str]:
    """``<time>  ✓ load: attempt 1 succeeded in 12ms``, and lines under it."""
    look, told = _TOLD[type(entry)](entry, shape)
    pieces = [_Piece(each) if isinstance(each, str) else each for each in told]
    pieces = [piece._replace(text=shape.shown(piece.text)) for piece in pieces]
    at = _time(entry.at, shape)
    at = at.ljust(19 if shape.terminal else 29)
    mark = f"{look.mark} " if shape.terminal and look.mark else "  " if shape.terminal else ""
    indent = len(at) + 2 + len(mark)
    room = None if shape.width is None else max(shape.width - indent, 20)
    color = look.style if shape.color else ""
    text, *more = _fitted(pieces, room)
    at = marks.paint(at, marks.LABEL if shape.color else "")
    yield f"{at}  {marks.paint(mark + text, color)}".rstrip()
    for line in more:
        yield " " * indent + marks.paint(line, color)
    under = " " * (indent if shape.terminal else indent + 2)
    for line in _under(entry, shape):
        yield under + (line if room is None else cut(line, room))


def _fitted(pieces: list[_Piece], room: int | None) -> Iterator[str]:
    """One line of it all where there is room; else what may go under goes, and names are cut."""
    whole = "".join(piece.text for piece in pieces)
    if room is None or len(whole) <= room:
        yield whole
        return
    excess = sum(len(piece.text) for piece in pieces if not piece.under) - room
    text = ""
    for piece in pieces:
        if piece.under:
            continue
        least = len(piece.text) if piece.least is None else min(piece.least, len(piece.text))
        given = max(min(excess, len(piece.text) - least), 0)
        excess -= given
        text += cut(piece.text, len(piece.text) - given)
    yield cut(text, room)
    for piece in pieces:
        if piece.under and piece.text:
            yield cut(piece.text.lstrip(" ,:;"), room)


def json_line(entry: Entry) -> str:
    """An entry as one line of JSON."""
    return envelope.json_line(as_object(entry))


def history_data(result: History) -> dict[str, Any]:
    """All entries."""
    return {"thread": result.thread, "entries": [as_object(each) for each in result.entries]}


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


_Told = tuple[marks.Look, Sequence[str | _Piece]]
_PLAIN = marks.Look("", "")
_FAINT = marks.Look("", marks.LABEL)
_ASKS = marks.THREAD[ThreadStatus.WAITING]


def _admitted(entry: Admitted, shape: Shape) -> _Told:
    of = f"admitted: workflow {one_line(entry.workflow)}"
    slot = f", for the slot {one_line(entry.slot)}" if entry.slot else ""
    parent = f", from thread {one_line(entry.parent)}" if entry.parent else ""
    return _PLAIN, [of, _Piece(slot, under=True), _Piece(parent, under=True)]


def _claimed(entry: Claimed, shape: Shape) -> _Told:
    by = "" if entry.owner is None else f" by process {entry.owner.pid} on {entry.owner.host}"
    return _PLAIN, [f"claimed{by} (epoch {entry.epoch})"]


def _left(entry: Left, shape: Shape) -> _Told:
    text = entry.status.value
    if entry.outcome is not None:
        text += f", {one_line(entry.outcome)}"
    if entry.status.value == "interrupted" and entry.owner is not None:
        text += f": process {entry.owner.pid} is gone"
    elif entry.wake_at is not None:
        text += f" until {_time(entry.wake_at, shape)}"
    if entry.reason is not None:
        text += f" ({one_line(entry.reason)})"
    told: list[str | _Piece] = [text]
    if entry.error is not None:
        if entry.error.step is not None:
            told += [": ", _name(entry.error.step)]
        told.append(_Piece(f": {_error(entry.error, shape)}", under=True))
    return marks.THREAD[entry.status], told


def _tried(entry: Tried, shape: Shape) -> _Told:
    visit = f" (visit {entry.visit})" if entry.visit > 1 else ""
    most = f" of {entry.max_attempts}" if (entry.max_attempts or 1) > 1 else ""
    text = f"{visit}: attempt {entry.attempt}{most} "
    text += _HOW.get(entry.status, entry.status.value)
    if entry.seconds is not None:
        text += f" in {format_duration(entry.seconds)}"
    told: list[str | _Piece] = [_name(entry.step), text]
    if entry.status is AttemptStatus.ABANDONED:
        told.append(_Piece(": its process died", under=True))
    if entry.error is not None:
        told.append(_Piece(f": {_error(entry.error, shape)}", under=True))
    if entry.due_at is not None:
        told.append(_Piece(f"; the next is due at {_time(entry.due_at, shape)}", under=True))
    return marks.ATTEMPT[entry.status], told


_HOW = {
    AttemptStatus.RUNNING: "is running",
    AttemptStatus.TIMED_OUT: "timed out",
    AttemptStatus.SKIPPED: "not made: done by hand",
}


def _stored(entry: Stored, shape: Shape) -> _Told:
    where = "" if entry.graph is None else f" of {one_line(entry.graph)}"
    if entry.superstep == -1:
        return _FAINT, [f"checkpoint{where}: the input"]
    after = "" if entry.superstep is None else f" after superstep {entry.superstep}"
    return _FAINT, [f"checkpoint{where}{after}"]


def _slept(entry: Slept, shape: Shape) -> _Told:
    how = "slept" if entry.is_over else "sleeps"
    look = marks.THREAD[ThreadStatus.SLEEPING]
    return look, [_name(entry.step), f": {how} until {_time(entry.until, shape)}"]


def _questioned(entry: Questioned, shape: Shape) -> _Told:
    expiry = _time(entry.expires_at, shape)
    until = f", until {expiry}" if expiry else ""
    prompt = _Piece(_value(entry.prompt, shape), least=_LEAST)
    question = _Piece(f" (question {entry.id}{until})", under=True)
    return _ASKS, [_name(entry.step), ": asked ", prompt, question]


def _answered(entry: Answered, shape: Shape) -> _Told:
    question = f": question {entry.id}"
    if entry.expired:
        return _ASKS, [_name(entry.step), f"{question} expired"]
    by = "at its expiry" if entry.by is None else f"by {one_line(entry.by)}"
    answer = _Piece(f": {_value(entry.answer, shape)}", under=True)
    return _ASKS, [_name(entry.step), f"{question} answered {by}", answer]


def _intervened(entry: Intervened, shape: Shape) -> _Told:
    step = ["", ""] if not entry.step else [" of ", _name(entry.step)]
    details = f" {_value(entry.details, shape)}" if entry.details else ""
    reason = f": {one_line(entry.reason)}" if entry.reason else ""
    told = [f"by hand: {entry.verb}", *step, f" by {one_line(entry.user)}"]
    return marks.BY_HAND, [*told, _Piece(reason, under=True), _Piece(details, under=True)]


def _name(step: str) -> _Piece:
    return _Piece(one_line(step), least=_LEAST)


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
