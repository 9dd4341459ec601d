"""Say that a step was done by hand, with the state updates that it would have returned."""

from __future__ import annotations

from collections.abc import Sequence

from durajob.commands.inputs import read_input
from durajob.commands.settling import settle_step
from durajob.config.settings import Settings
from durajob.model import ThreadResult


def complete(
    thread: str, step: str, *, settings: Settings, updates: Sequence[str], reason: str
) -> ThreadResult:
    """Record the step as finished with ``updates``, each ``KEY=TEXT`` or ``KEY:=JSON``.

    Raises:
        UsageError, InputError: when an update is malformed.
        DurajobError: see ``settle_step``.
    """
    update = read_input({}, None, updates)
    return settle_step("complete", thread, step, settings=settings, update=update, reason=reason)
