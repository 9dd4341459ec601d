"""Effects in any store: what is durable when, and what the next owner finds."""

from __future__ import annotations

from typing import Any

import pytest

from durajob.errors import StoreDamaged
from durajob.store.effects import Effect, EffectBook
from durajob.store.ledger import Ledger
from tests.contract.stores import Kind, claim, owned, place, written


def commits(book: EffectBook) -> int:
    """How many durable commits the store has seen."""
    with book._door.reading() as cursor:
        number: int = cursor.execute("SELECT value FROM meta WHERE key = 'commits'").fetchone()[0]
    return number


def test_an_effect_costs_two_durable_commits(store: Kind) -> None:
    """One before it, one with its result; that it failed waits for the next commit."""
    with written(store) as writer:
        door = owned(store, writer)
        book, attempt = EffectBook(door), Ledger(door, 0).begin(place())
        before = commits(book)
        effect = book.begin(attempt, "e", "key")
        assert before + 1 == commits(book)
        book.fail(place(), effect)
        assert before + 1 == commits(book)
        book.finish(place(), effect, "msgpack", b"1")
        assert before + 2 == commits(book)


def test_the_next_owner_finds_the_effects_of_a_place(store: Kind) -> None:
    """Begun, failed or done, with key and result; those of other places are others."""
    with written(store) as writer:
        door = owned(store, writer)
        book, ledger = EffectBook(door), Ledger(door, 0)
        here, there = ledger.begin(place("a")), ledger.begin(place("b"))
        for name in ("begun", "failed", "done", "again"):
            effect = book.begin(here, name, f"key of {name}")
            if name != "begun":
                book.fail(here.place, effect)
        book.finish(here.place, book.begin(here, "done", "key of done"), "msgpack", b"1")
        book.begin(there, "again", "another")
        book.begin(here, "again", "key of again")
    with written(store) as writer:
        again = EffectBook(claim(store, writer, "t"))

        def expected(name: str, status: str, times: int, **result: Any) -> Effect:
            key = f"key of {name}"
            return Effect(name=name, key=key, status=status, times=times, attempt=1, **result)

        assert {
            "begun": expected("begun", "begun", 1),
            "failed": expected("failed", "failed", 1),
            "done": expected("done", "done", 2, kind="msgpack", value=b"1"),
            "again": expected("again", "begun", 2),
        } == again.of(place("a"))
        assert ["another"] == [one.key for one in again.of(place("b")).values()]


def test_a_key_is_made_of_where_an_effect_is(store: Kind) -> None:
    """The same for each owner of a thread, another for each place, name and thread."""
    with written(store) as writer:
        book = EffectBook(owned(store, writer))
        first = book.new_key(place("a"), "e")
        others = {
            book.new_key(place("a"), "f"),
            book.new_key(place("b"), "e"),
            EffectBook(owned(store, writer, "u")).new_key(place("a"), "e"),
        }
        assert 3 == len(others - {first})
    with written(store) as writer:
        assert first == EffectBook(claim(store, writer, "t")).new_key(place("a"), "e")


def test_a_record_that_was_altered_is_damage(store: Kind) -> None:
    """A begun effect that a flipped byte calls done would never be done."""
    with written(store) as writer:
        door = owned(store, writer)
        book = EffectBook(door)
        book.begin(Ledger(door, 0).begin(place()), "e", "key")
        door.write(lambda c: c.execute("UPDATE effects SET status = 'done'"), durable=False)
        with pytest.raises(StoreDamaged, match="the effect 'e' is not what was recorded"):
            book.of(place())
