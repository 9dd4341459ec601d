"""Questions to people: the step waits for the answer, and nothing of durajob runs meanwhile."""

from __future__ import annotations

import json
from typing import Any

from durajob.durations import MAX_SECONDS, RULE, parse_duration
from durajob.errors import ApprovalExpired
from durajob.steps.context import current


def approval(
    prompt: Any,
    *,
    schema: dict[str, Any] | None = None,
    expires: str | float | None = None,
    on_expiry: Any = "fail",
) -> Any:
    """Ask a person, and return the answer.

    Until there is one the step is left, and the thread is ``waiting`` once nothing else of it
    can run. ``durajob answer`` gives the answer; then the step runs again from its top, and
    this returns it. So ask before what must not be done twice, or do that through ``once``.

    Questions are told apart by their order within the step: the first, the second. Outside of a
    running step nobody can be asked; then it is as if the question had expired.

    Args:
        prompt: what is asked: a text, or anything that JSON can hold.
        schema: a JSON Schema which the answer must fit.
        expires: "3d", or seconds; counted from when it is first asked.
        on_expiry: "fail", the step fails then; or ``{"answer": …}``, which is taken then.

    Raises:
        ValueError: when an argument makes no sense.
        ApprovalExpired: when nobody answered in time. Resumed after that, the step asks anew.
    """
    seconds = _seconds(expires)
    default = _default(on_expiry)
    if default is not None and seconds is None:
        raise ValueError("approval: on_expiry has an answer, but expires does not say when")
    for name, value in (("prompt", prompt), ("schema", schema), ("on_expiry", default)):
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"approval: {name} is not what JSON can hold: {error}") from error
    context = current.get()
    if context is not None:
        return context.ask(prompt, schema, seconds, default)
    if default is None:
        raise ApprovalExpired("nobody can be asked outside of a running step")
    return default["answer"]


def _seconds(expires: str | float | None) -> float | None:
    if expires is None:
        return None
    if isinstance(expires, str):
        try:
            return parse_duration(expires)
        except ValueError as error:
            raise ValueError(f"approval: expires: {error}") from error
    if isinstance(expires, bool) or not isinstance(expires, int | float):
        raise ValueError(f"approval: expires is {expires!r:.60}: {RULE}, or seconds")
    if not 0.001 <= expires <= MAX_SECONDS:
        raise ValueError(f"approval: expires is {expires!r} seconds: {RULE}")
    return float(expires)


def _default(on_expiry: Any) -> dict[str, Any] | None:
    if on_expiry == "fail":
        return None
    if isinstance(on_expiry, dict) and on_expiry.keys() == {"answer"}:
        return on_expiry
    raise ValueError(
        f'approval: on_expiry is {on_expiry!r:.60}, it must be "fail" or {{"answer": …}}'
    )
