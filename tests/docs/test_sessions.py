"""What the pages show is what durajob prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PAGES, blocks
from tests.docs.sessions import FOLDER, UPDATE, matches, normalised, run_page
from tests.forked import Forked

RUN = [
    page
    for page in PAGES
    if page.parent == DOCS
    and any(block.language == "console" and not block.not_run for block in blocks(page.read_text()))
]
"""The README's session is run by test_readme, with the installed command."""


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_a_page_shows_what_is_printed(page: Path, forked: Forked) -> None:
    """Every session of a page, run in order in an empty folder, prints what the page shows."""
    written, wrong = run_page(page.read_text(), forked)
    if UPDATE and wrong:
        page.write_text(written)
    assert [] == wrong, "\n".join(wrong)


def test_only_what_differs_from_run_to_run_is_overlooked() -> None:
    """Times, durations, ids and widths are normalised, words and numbers are not."""
    shown = f"a-20261122T150000-ab2c   done in 1.2s at 2026-11-22T15:45:01.985+00:00 {FOLDER}"
    printed = f"a-20270101T000000-xyz9 done in 15ms at 2027-01-01T00:00:00.001+00:00 {FOLDER}"
    assert normalised(shown) == normalised(printed)
    assert not matches("3 steps\n", "4 steps\n")
    assert matches("1\n…\n4\n", "1\n2\n3\n4\n")
    assert not matches("1\n…\n4\n", "1\n2\n3\n")
