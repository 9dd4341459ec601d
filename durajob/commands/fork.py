"""Fork a thread: a new one from the checkpoint before a step, with changes; the old one stays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from durajob.commands import running
from durajob.commands.ids import check_reason, check_thread_id, way_on
from durajob.commands.inputs import read_input
from durajob.commands.reading import reading
from durajob.commands.settling import loaded_claim
from durajob.config.settings import Settings
from durajob.errors import ThreadExists, UsageError
from durajob.model import ThreadResult
from durajob.store import hand_queries
from durajob.store.read import Reader

_LONGEST_PARENT = 180  # characters of its id that the id of a fork may begin with


def fork(
    thread: str,
    *,
    settings: Settings,
    step: str,
    visit: int | None,
    updates: Sequence[str],
    new: str | None,
    reason: str | None,
    accept_change: bool,
) -> ThreadResult:
    """Admit a thread that goes on from before ``step``; nothing of it runs yet.

    The same fork once more changes nothing.

    Raises:
        ThreadNotFound, AmbiguousThread: when ``thread`` names none, or several.
        ThreadExists: when ``new`` is another thread.
        DurajobError: see ``engine.fork.fork``.
    """
    check_thread_id(thread)
    check_reason(reason)
    if new is not None:
        check_thread_id(new)
    if visit is not None and visit < 1:
        raise UsageError(f"--visit {visit} is none", hint="visits are counted from 1")
    changes = read_input({}, None, updates)
    with reading(thread, settings) as (reader, name):
        row = reader.row(name, checked=True)
    assert row is not None, "it was just resolved"
    given = {"parent": name, "step": step, "visit": visit, "update": changes}
    if new is not None and (before := _found(new, given, settings)) is not None:
        return before
    claim = loaded_claim(row, settings, accept_change=accept_change)
    from durajob.engine.fork import Forking
    from durajob.engine.fork import fork as engine_fork
    from durajob.store.write import Writer

    fork_id = new or _new_id(name)
    request = Forking(
        thread=fork_id,
        row=row,
        step=step,
        visit=visit,
        changes=changes,
        reason=reason,
        claim=claim,
    )
    writer = Writer(settings.store.path, create=False)
    try:
        forked = engine_fork(request, writer)
    finally:
        writer.close()
    if not forked:
        taken = _found(fork_id, given, settings)
        assert taken is not None, "another process has just taken the thread id"
        return taken
    notes = [f"thread {fork_id} is forked from {name}, before {step}"]
    if row["outcome"] is not None:
        notes.append(f"what {name} had done before that is compensated, or about to be")
    return _shown(fork_id, settings, *notes)


def _found(thread: str, given: Mapping[str, Any], settings: Settings) -> ThreadResult | None:
    """A thread that exists already, if it is just that fork; None when there is none."""
    with Reader(settings.store.path, known_before=True) as reader:
        row = reader.row(thread)
        details = None if row is None else reader.one(hand_queries.FORKED_WITH, (row["id"],))
    if row is None:
        return None
    if details is None or json.loads(details[0]) != given:
        raise ThreadExists(
            f"thread {thread} exists already ({row['status']})",
            hint="give the fork another id with -t, or leave -t out",
        )
    return _shown(thread, settings, f"thread {thread} was forked so before; nothing was changed")


def _shown(thread: str, settings: Settings, *notes: str) -> ThreadResult:
    found = running.shown(thread, settings, known_before=True)
    return found._replace(
        exit_status=0,
        error=None,
        notes=notes,
        next_command=None if found.thread.is_final else way_on(found.thread),
    )


def _new_id(parent: str) -> str:
    import secrets

    random = "".join(secrets.choice("abcdefghijkmnpqrstuvwxyz23456789") for _ in range(4))
    return f"{parent[:_LONGEST_PARENT]}-fork-{random}"
