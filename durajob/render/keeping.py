"""What was pruned, exported and imported: as JSON and as pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durajob.durations import counted
from durajob.render import marks
from durajob.render.pages import Block, Cell, Fields
from durajob.render.text import one_line

if TYPE_CHECKING:
    from durajob.pruning import Pruned
    from durajob.transfers import Exports, Imports

_SHOWN = 10


def pruned_data(result: Pruned) -> dict[str, Any]:
    """How much went, or would go."""
    return {
        "threads": result.threads,
        "statuses": dict(result.statuses),
        "checkpoints": result.checkpoints,
        "folders": result.folders,
        "bytes": result.bytes,
        "freed": result.freed,
        "left": [left._asdict() for left in result.left],
        "dry_run": result.dry_run,
        "store": result.store,
    }


def exports_data(result: Exports) -> dict[str, Any]:
    """Which threads were written, and where."""
    return {
        "threads": list(result.threads),
        "driven": list(result.driven),
        "file": result.file,
        "bytes": result.bytes,
        "store": result.store,
    }


def imports_data(result: Imports) -> dict[str, Any]:
    """Which threads were read, and from where."""
    return {
        "threads": list(result.threads),
        "skipped": list(result.skipped),
        "file": result.file,
        "store": result.store,
    }


def pruned_page(result: Pruned, now: int, terminal: bool) -> list[Block]:
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
    return [Fields(rows=rows)]
