"""What ``complete`` and ``skip`` share: from what was typed to a step that is settled by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from durajob import clock
from durajob.commands import running
from durajob.commands.ids import check_reason, check_thread_id, way_on
from durajob.commands.reading import reading
from durajob.config.settings import Settings
from durajob.model import ThreadResult

if TYPE_CHECKING:
    from durajob.engine.claim import Claim
    from durajob.store.byhand import Settled

_DONE = {"complete": "completed", "skip": "skipped"}


def settle_step(
    verb: str,
    thread: str,
    step: str,
    *,
    settings: Settings,
    update: Mapping[str, Any] | None,
    reason: str,
) -> ThreadResult:
    """Record that a step is settled; nothing is run. The same once more changes nothing.

    ``update`` is what the step is taken to have returned, None when it is skipped.

    Raises:
        ThreadNotFound, AmbiguousThread: when ``thread`` names none, or several.
        DurajobError: see ``engine.byhand.settle``.
    """
    check_thread_id(thread)
    check_reason(reason)
    with reading(thread, settings) as (reader, name):
        row = reader.row(name, checked=True)
    assert row is not None, "it was just resolved"
    # Whether a changed shape will do, the resume asks.
    claim = None if running.has_ended(row) else loaded_claim(row, settings, accept_change=True)
    from durajob.engine.byhand import Settling, settle
    from durajob.store.byhand import Deed
    from durajob.store.write import Writer

    deed = Deed(verb, step, update, reason)
    writer = Writer(settings.store.path, create=False)
    try:
        before = settle(Settling(thread=name, deed=deed, claim=claim), writer)
    finally:
        writer.close()
    found = running.shown(name, settings, known_before=True)
    return found._replace(
        exit_status=0,
        error=None,
        notes=(_told(verb, step, before),),
        next_command=None if found.thread.is_final else way_on(found.thread),
    )


def loaded_claim(row: Mapping[str, Any], settings: Settings, *, accept_change: bool) -> Claim:
    """The thread's workflow, loaded as for a resume."""
    from durajob.engine import environment
    from durajob.engine.claim import Claim
    from durajob.engine.graph import describe
    from durajob.targets import load

    environment.restore(json.loads(row["environment"]), row["thread"])
    definition = running.definition_of(row, settings)
    loaded = load(definition)
    return Claim(
        thread=row["thread"],
        definition=definition,
        loaded=loaded,
        shape=describe(loaded.builder, loaded.policies),
        file=running.definition_file(definition, settings),
        accept_change=accept_change,
    )


def _told(verb: str, step: str, before: Settled | None) -> str:
    if before is None:
        return f"step {step} is {_DONE[verb]} by hand"
    when = clock.to_rfc3339(before.at)
    return f"step {step} was {_DONE[verb]} so by {before.user} at {when}; nothing was changed"
