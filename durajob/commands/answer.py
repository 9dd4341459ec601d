"""Answer what a thread asks, and go on with it. The answer is durable before anything runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from durajob import clock
from durajob.commands import running
from durajob.commands.ids import check_thread_id, way_on
from durajob.commands.reading import reading
from durajob.commands.running import Options
from durajob.config.settings import Settings
from durajob.errors import (
    AmbiguousQuestion,
    AnswerDiffers,
    AnswerUnfit,
    Busy,
    InputError,
    QuestionExpired,
    QuestionNotFound,
)
from durajob.model import Asked, ThreadResult
from durajob.store.processes import user_name
from durajob.store.read import Reader

if TYPE_CHECKING:
    from durajob.events import Observer


def answer(
    thread: str,
    value: str,
    *,
    settings: Settings,
    question: str | None,
    resume: bool,
    on_busy: str | None,
    timeout: str | None,
    detach: bool,
    observer: Observer,
) -> ThreadResult:
    """Record ``value`` as the answer to a question of the thread, and drive the thread on.

    The same answer once more is fine, at any time.

    Raises:
        ThreadNotFound, AmbiguousThread: when ``thread`` names none, or several.
        QuestionNotFound, AmbiguousQuestion: when ``question`` does.
        AnswerUnfit: when the answer does not fit the question's schema.
        AnswerDiffers: when it was answered otherwise.
        QuestionExpired: when its time is over.
        Busy: when another process owns the thread; the answer is recorded all the same.
    """
    check_thread_id(thread)
    running.check_choice("--on-busy", on_busy, running.BUSY_CHOICES)
    options = Options(on_busy=on_busy or "fail", timeout=running.check_timeout(timeout))
    given = _parse(value)
    with reading(thread, settings) as (reader, name):
        row = reader.row(name, checked=True)
        asked = reader.questions(name)
    assert row is not None, "it was just resolved"
    if row["status"] == "cancelled":
        raise QuestionNotFound(f"thread {name} was cancelled, and asks nothing")
    meant = _choose(name, asked, question)
    if meant.status == "open":
        _record(settings, name, row["id"], meant, given)
    else:
        _compare(name, meant, given)
    if not resume:
        found = running.shown(name, settings).thread
        left = not found.status.is_final
        return ThreadResult(
            thread=found,
            notes=(f"the question of step {meant.step} is answered",),
            next_command=way_on(found) if left else None,
        )
    return _go_on(name, settings, options, detach, observer)


def _go_on(
    name: str, settings: Settings, options: Options, detach: bool, observer: Observer
) -> ThreadResult:
    with Reader(settings.store.path) as reader:
        row = reader.row(name)
    assert row is not None, "it was just answered"
    if running.has_ended(row):
        return running.shown(name, settings, notes=("nothing to do",))
    if detach:
        from durajob.commands.detach import drive_detached

        return drive_detached(name, options, settings)
    from durajob.engine.signals import Drain, watch

    drain = Drain()
    try:
        with watch(drain):
            return running.run_existing(
                row, settings=settings, options=options, observer=observer, drain=drain
            )
    except Busy as error:
        if error.code != Busy.code:
            raise
        raise Busy(f"{error}; the answer is recorded", hint=error.hint) from error


def _parse(text: str) -> Any:
    """The answer as it is meant: JSON, or else the text itself."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError("the answer is not UTF-8", hint="type it in UTF-8") from error
    try:
        return json.loads(text, parse_constant=_no_json)
    except ValueError:
        return text
    except RecursionError as error:
        raise InputError("the answer is nested too deep", hint="at most some 900 levels") from error


def _no_json(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _choose(thread: str, asked: Sequence[Asked], question: str | None) -> Asked:
    """The question that is meant: an open one, or one that was answered before."""
    still = [one for one in asked if one.status == "open"]
    if question is None:
        if len(still) == 1:
            return still[0]
        if not asked:
            raise QuestionNotFound(f"thread {thread} asks nothing", hint=f"durajob status {thread}")
        if not still:
            return max(asked, key=lambda one: one.answered_at or 0)
        raise AmbiguousQuestion(
            f"thread {thread} asks {len(still)} questions: {_listed(still)}",
            hint="say which with --question ID",
        )
    exact = [one for one in asked if one.id == question]
    matches = (
        exact
        or [one for one in still if one.step == question]
        or [one for one in asked if one.step == question][-1:]
        or [one for one in asked if question and one.id.startswith(question)]
    )
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise AmbiguousQuestion(
            f"{question!r} could be any of: {_listed(matches)}", hint="write the whole id"
        )
    hint = f"it asks: {_listed(still)}" if still else f"durajob status {thread}"
    raise QuestionNotFound(f"thread {thread} asks no question {question[:60]!r}", hint=hint)


def _listed(asked: Sequence[Asked]) -> str:
    shown = ", ".join(f"{one.id} ({one.step})" for one in asked[:10])
    return shown + (", …" if len(asked) > 10 else "")


def _record(settings: Settings, thread: str, row: int, meant: Asked, given: Any) -> None:
    if meant.schema is not None:
        from durajob.steps.fitting import misfit

        wrong = misfit(meant.schema, given)
        if wrong is not None:
            shown = json.dumps(meant.schema, ensure_ascii=False)
            raise AnswerUnfit(
                f"the answer does not fit, {wrong[:1000]}", hint=f"the schema is {shown[:500]}"
            )
    if meant.expires_at is not None and meant.expires_at <= clock.now():
        _refuse_expired(thread, meant)
    from durajob.store.write import Writer

    writer = Writer(settings.store.path, create=False)
    try:
        recorded = writer.answer(row, meant.id, json.dumps(given), step=meant.step, by=user_name())
    finally:
        writer.close()
    if recorded:
        return
    with Reader(settings.store.path) as reader:
        now = {one.id: one for one in reader.questions(thread)}
    _compare(thread, now[meant.id], given)


def _compare(thread: str, meant: Asked, given: Any) -> None:
    """The same answer once more is fine; another one comes too late."""
    if meant.status == "closed":
        why = f"thread {thread} has ended, or is compensated"
        if meant.answered_by is not None:
            why = f"its step was settled by hand, by {meant.answered_by}"
        raise QuestionNotFound(
            f"the question {meant.id} of step {meant.step} is asked no more: {why}",
            hint=f"durajob status {thread}",
        )
    if meant.status != "answered":
        _refuse_expired(thread, meant)
    if json.dumps(meant.answer, sort_keys=True) != json.dumps(given, sort_keys=True):
        who = "at its expiry" if meant.answered_by is None else f"by {meant.answered_by}"
        shown = json.dumps(meant.answer, ensure_ascii=False)
        raise AnswerDiffers(
            f"the question {meant.id} of step {meant.step} was answered {who} at "
            f"{clock.to_rfc3339(meant.answered_at)}, with {shown[:200]}",
            hint="an answer stands; a new thread asks anew",
        )


def _refuse_expired(thread: str, meant: Asked) -> None:
    raise QuestionExpired(
        f"the question {meant.id} of step {meant.step} has expired, at "
        f"{clock.to_rfc3339(meant.expires_at)}",
        hint=f"durajob resume {thread} goes on as the step says for that case",
    )
