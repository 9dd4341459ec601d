"""``status --full``: what is cut to help on the page is whole where somebody asks."""

from __future__ import annotations

from pathlib import Path

from tests.forked import Forked
from tests.integration.test_shell_steps import configure, step


def test_values_errors_and_branches_are_whole(forked: Forked, tmp_path: Path) -> None:
    """A long value, a long error, and each of many branches; without it, they are cut."""
    value, said = "v" * 5_000, "e" * 900
    configure(
        step("work", "true", foreach="items")
        + step("fail", f"echo {said}; echo last >&2; exit 1", needs="work")
    )
    items = "items:=[" + ", ".join(map(str, range(25))) + "]"
    forked.run("start", "job", "-t", "t", "-i", items, "-i", f"value={value}", "-q", check=1)
    cut, full = (forked.run("status", "t", *more, check=0).stdout for more in ((), ("--full",)))
    assert (False, True) == (value in cut, value in full)
    assert (False, True) == (said in cut, said in full)
    assert (0, 25) == (cut.count("\nwork["), full.count("\nwork["))


def test_it_needs_a_thread(forked: Forked) -> None:
    """The overview has nothing that is cut."""
    refused = forked.run("status", "--full", "--json", check=2)
    assert "usage" == refused.json["error"]["code"]
    assert "durajob status THREAD --full" == refused.json["error"]["hint"]
