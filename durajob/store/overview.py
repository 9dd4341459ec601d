"""What the overview shows besides counts: what ended lately, and what wakes next."""

from __future__ import annotations

from durajob.model import Thread
from durajob.store import past_queries
from durajob.store.look import Look
from durajob.store.records import thread_of


def ended_since(look: Look, at: int, most: int) -> tuple[int, tuple[Thread, ...]]:
    """How many threads have ended for good since a time, and the latest of them."""
    with look.snapshot():
        count = look.one(past_queries.COUNT_ENDED, (at,))[0]
        rows = look.rows(past_queries.ENDED, (at, most))
        return count, tuple(thread_of(look, row) for row in rows)


def next_sleepers(look: Look, most: int) -> tuple[Thread, ...]:
    """The sleeping threads that wake first."""
    with look.snapshot():
        return tuple(thread_of(look, row) for row in look.rows(past_queries.NEXT_SLEEPERS, (most,)))
