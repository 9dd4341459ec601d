"""How far a step has come, said by the step itself."""

from __future__ import annotations

import math

from durajob.model import StepProgress
from durajob.steps.context import current


def progress(done: float, total: float | None = None, note: str | None = None) -> None:
    """Say how much of this step is done; shown live and by ``durajob status``.

    Cheap enough for every turn of a loop: what is shown and stored is throttled. Outside of
    a running step it does nothing, so that the function can be tested alone.

    Args:
        done: how much is done, in any unit.
        total: how much there is in all, in the same unit; None when that is unknown.
        note: a short text about what is being done.

    Raises:
        ValueError: when a number is negative or not finite.
    """
    for name, value in (("done", done), ("total", total)):
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise ValueError(f"progress: {name} is {value}, it must be 0 or more")
    context = current.get()
    if context is not None:
        context.report(StepProgress(done=done, total=total, note=note))
