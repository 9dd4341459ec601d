"""What people type and durajob cannot take: one line, a hint, and nothing made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.forked import Forked


@pytest.mark.parametrize(
    "args",
    [
        ("list", "--status", "bogus"),
        ("list", "--limit", "0"),
        ("list", "--limit", "9" * 5000),
        ("list", "--since", "soon"),
        ("start", "durable", "--on-exists", "x"),
        ("start", "durable", "--timeout", "x"),
        ("start", "durable", "--slot", "x"),
        ("start", "durable", "-t", "a/b"),
        ("start", "durable", "-i", "x"),
        ("start", "durable", "-i", "x:=y"),
        ("start", "durable", "-i", "x:=" + "[" * 101 + "]" * 101),
        ("start", "durable", "-i", "x:=" + "[" * 5000 + "]" * 5000),
        ("start", "durable", "--input-file", "."),
        ("start", "durable", "--input-file", "missing"),
        ("start", "durabel"),
        ("start", "nobody.knows:it"),
        ("resume", "x", "--on-busy", "x"),
        ("resume", "x", "--if-epoch", "-1"),
        ("recover", "--jobs", "1001"),
        ("history", "x", "--tail", "0"),
        ("logs", "x", "--attempt", "0"),
        ("schedule", "-n", "1.5"),
        ("resume", ""),
        ("status", "x"),
    ],
)
def test_every_refusal_of_what_was_typed_has_a_hint(args: tuple[str, ...], forked: Forked) -> None:
    """What is wrong in one line, then what to do in another; no store is made meanwhile."""
    done = forked.run(*args)
    assert done.exit_status in (2, 65, 66, 78)
    error, hint = done.stderr.splitlines()
    assert ("error: ", "  hint: ") == (error[:7], hint[:8])
    assert [] == list(Path(os.environ["HOME"]).rglob("*.db"))
