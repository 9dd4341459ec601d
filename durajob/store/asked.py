"""Questions of threads as whoever reads them needs them; see ``questions`` for the owner's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from durajob import clock
from durajob.model import Asked


def asked_of(row: Sequence[Any]) -> Asked:
    """A row of QUESTIONS."""
    question, step, prompt, schema, asked_at, expires_at, status, answer, at, by = row
    return Asked(
        id=question,
        step=step,
        prompt=json.loads(prompt),
        schema=None if schema is None else json.loads(schema),
        asked_at=asked_at,
        expires_at=expires_at,
        status=status,
        answer=None if answer is None else json.loads(answer),
        answered_at=at,
        answered_by=by,
    )


def is_due(waiting: Sequence[Any], wake_at: int | None, asked: Mapping[str, str]) -> bool:
    """Whether a waiting thread can go on: something was answered, or a time has come.

    ``asked`` has the status of each of its questions.
    """
    return (wake_at is not None and wake_at <= clock.now()) or is_answered(waiting, asked)


def is_answered(waiting: Sequence[Any], asked: Mapping[str, str]) -> bool:
    """Whether a waiting thread can go on since it was answered."""
    # An older durajob kept no questions; the step asks anew then.
    return not waiting or any(asked.get(item["id"]) != "open" for item in waiting)
