"""What a person is shown of what was pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durajob.durations import counted
from durajob.render import marks
from durajob.render.pages import Cell, Fields
from durajob.render.text import one_line

if TYPE_CHECKING:
    from durajob.pruning import Pruned

_SHOWN = 10


def pruned(result: Pruned) -> Fields:
    """How many threads, checkpoints and bytes went, or would go, and what stays all the same."""
    told = ", ".join(f"{count:,} {status}" for status, count in sorted(result.statuses.items()))
    folders = counted(result.folders, "folder", grouped=True)
    what = [
        counted(result.threads, "thread", grouped=True) + (f" ({told})" if told else ""),
        counted(result.checkpoints, "spent checkpoint", grouped=True),
        f"{folders} without a thread" if result.folders else "",
        f"{result.bytes:,} bytes",
    ]
    text = ", ".join(filter(None, what))
    rows = [("to delete" if result.dry_run else "deleted", Cell(text=text))]
    if not result.dry_run:
        rows.append(("file", Cell(text=f"{result.freed:,} bytes shorter")))
    for left in result.left[:_SHOWN]:
        text = one_line(f"{left.thread}: {left.reason}")
        rows.append(("left alone", Cell(text=text, style=marks.LABEL)))
    if len(result.left) > _SHOWN:
        rows.append(("", Cell(text=f"and {len(result.left) - _SHOWN} more")))
    return Fields(rows=rows)
