"""The one visual language: a mark and a colour for each status, and how both degrade.

Nothing else in durajob names a colour or draws a mark. Every mark is one cell wide and has
an ASCII counterpart that is one cell wide too, so a table keeps its shape where an encoding
cannot show it. Colours are the eight of every terminal theme, never white or black, so that
they can be read on light and on dark ground.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from durajob.model import AttemptStatus, ThreadStatus


class Look(NamedTuple):
    """How a status is shown."""

    mark: str
    style: str


THREAD: Mapping[ThreadStatus, Look] = {
    ThreadStatus.PENDING: Look("○", "dim"),
    ThreadStatus.RUNNING: Look("●", "cyan"),
    ThreadStatus.INTERRUPTED: Look("!", "yellow"),
    ThreadStatus.STOPPED: Look("■", "yellow"),
    ThreadStatus.SLEEPING: Look("◔", "cyan"),
    ThreadStatus.WAITING: Look("?", "magenta"),
    ThreadStatus.FAILED: Look("✗", "red"),
    ThreadStatus.COMPLETED: Look("✓", "green"),
    ThreadStatus.CANCELLED: Look("⊘", "dim"),
}

ATTEMPT: Mapping[AttemptStatus, Look] = {
    AttemptStatus.RUNNING: Look("●", "cyan"),
    AttemptStatus.SUCCEEDED: Look("✓", "green"),
    AttemptStatus.FAILED: Look("✗", "red"),
    AttemptStatus.TIMED_OUT: Look("◷", "red"),
    AttemptStatus.ABANDONED: Look("!", "yellow"),
    AttemptStatus.SKIPPED: Look("⊘", "dim"),
}

BY_HAND = Look("»", "bold")
NEXT = Look("○", "cyan")
RETRY = Look("↻", "yellow")
PROBLEM = Look("✗", "red")
WARNING = Look("!", "yellow")
FINE = Look("✓", "green")

HEX: Mapping[AttemptStatus, str] = {
    AttemptStatus.RUNNING: "#0969da",
    AttemptStatus.SUCCEEDED: "#1a7f37",
    AttemptStatus.FAILED: "#cf222e",
    AttemptStatus.TIMED_OUT: "#bc4c00",
    AttemptStatus.ABANDONED: "#9a6700",
    AttemptStatus.SKIPPED: "#6e7781",
}
"""For pictures that are looked at elsewhere, on light or dark ground."""

ERROR = "bold red"
HINT = "cyan"
LABEL = "dim"
TITLE = "bold"

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧"
CUT = "…"
TIMES = "\N{MULTIPLICATION SIGN}"
BAR_DONE, BAR_LEFT = "━", "─"
BRANCH, LAST, STEM = "├─ ", "└─ ", "│  "
LEADS = "→"
GAP = "┊"  # a time that is not drawn to scale

ASCII = str.maketrans(
    {
        "○": "o",
        "●": "*",
        "■": "=",
        "◔": "z",
        "✗": "x",
        "✓": "+",
        "⊘": "-",
        "◷": "t",
        "↻": "@",
        CUT: "~",
        BAR_DONE: "#",
        BAR_LEFT: "-",
        TIMES: "x",
        GAP: ":",
        LEADS: ">",
        "├": "|",
        "└": "`",
        "│": "|",
        "»": ">",
        **dict(zip(SPINNER, "|/-\\|/-\\", strict=True)),
    }
)
"""What stands for a mark where the encoding cannot show it."""

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"} | {
    "magenta": "35",
    "cyan": "36",
}


def paint(text: str, style: str) -> str:
    """``text`` in a style of this file, as a terminal understands it; no Rich needed."""
    if not style or not text:
        return text
    codes = ";".join(_CODES[word] for word in style.split())
    return f"\x1b[{codes}m{text}\x1b[0m"


def bar(done: float, total: float, width: int) -> str:
    """A progress bar of ``width`` cells; what lies outside 0 … total is held at the ends."""
    share = min(1.0, max(0.0, done / total)) if total > 0 else 1.0  # NaN becomes 0
    filled = int(share * width)
    return BAR_DONE * filled + BAR_LEFT * (width - filled)
