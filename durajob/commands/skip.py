"""Go on without a step: it is taken to have returned nothing."""

from __future__ import annotations

from durajob.commands.settling import settle_step
from durajob.config.settings import Settings
from durajob.model import ThreadResult


def skip(thread: str, step: str, *, settings: Settings, reason: str) -> ThreadResult:
    """Record the step as skipped.

    Raises:
        DurajobError: see ``settle_step``.
    """
    return settle_step("skip", thread, step, settings=settings, update=None, reason=reason)
