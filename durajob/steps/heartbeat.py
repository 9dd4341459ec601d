"""A sign of life, for steps that have an idle timeout."""

from __future__ import annotations

from durajob.steps.context import current


def heartbeat() -> None:
    """Say that this step is alive: its ``idle_timeout`` begins anew.

    Cheap enough for every turn of a loop. ``progress()`` counts as one, too. Outside of a
    running step it does nothing, so that the function can be tested alone.
    """
    context = current.get()
    if context is not None:
        context.beat()
