"""The pages of the documentation, taken apart: blocks of code, links, headings, commands.

What the pages must obey stands in the tests; how a session of a page is run, in ``sessions``.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = (*sorted(DOCS.glob("*.md")), ROOT / "README.md")

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NOT_RUN = re.compile(r"<!-- not run: .+ -->\n\Z")
_FILE = re.compile(r"# ([\w.-]+\.(?:py|toml|sh))\n")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block of code. ``start`` and ``end`` are where its text stands in the page."""

    language: str
    text: str
    start: int
    end: int
    not_run: bool

    @property
    def file(self) -> str | None:
        """The file that the block is, which its first line names in a comment."""
        named = _FILE.match(self.text)
        return named[1] if named else None


def blocks(page: str) -> list[Block]:
    """Every block of code of a page, in order."""
    return [
        Block(
            language=found[1],
            text=found[2],
            start=found.start(2),
            end=found.end(2),
            not_run=_NOT_RUN.search(page[: found.start()]) is not None,
        )
        for found in _BLOCK.finditer(page)
    ]


def prose(page: str) -> str:
    """The page without its blocks of code."""
    return _BLOCK.sub("", page)


def links(page: str) -> list[str]:
    """Where the links of a page lead."""
    return re.findall(r"\]\(([^()\s]+)\)", prose(page))


def anchors(page: str) -> set[str]:
    """What a link may name after its ``#``: the headings, as GitHub writes them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(page: str) -> list[str]:
    """Every durajob command that the page shows: in sessions, shell lines and code spans."""
    found = []
    for block in blocks(page):
        if block.language == "console":
            found += [line[2:] for line in block.text.splitlines() if line.startswith("$ ")]
        elif block.language in ("sh", "crontab"):
            found += block.text.splitlines()
    found += re.findall(r"`(durajob [^`]+)`", prose(page))
    return [command for line in found for command in _durajob_in(line)]


def table(page: str, title: str) -> list[list[str]]:
    """The rows of the first table under a heading, without its head."""
    heading = rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)"
    section = re.search(heading, prose(page), re.MULTILINE | re.DOTALL)
    assert section is not None, f"no heading {title!r}"
    lines = [line for line in section[1].splitlines() if line.startswith("|")]
    assert lines, f"no table under {title!r}"
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def _durajob_in(line: str) -> list[str]:
    """``a && durajob start x | b`` holds one; its own arguments only."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = "#"
    found, current = [], list[str]()
    for token in [*lexer, ";"]:
        if set(token) <= set(";|&<>()"):
            current = []
        elif current or token.rpartition("/")[2] == "durajob":
            if not current:
                found.append(current)
            current.append(token)
    return [shlex.join(words[1:]) for words in found]
