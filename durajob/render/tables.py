"""Blocks as tables on a terminal. One of the two files that import Rich."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from durajob.render import marks
from durajob.render.pages import Block, Cell, Fields, Grid
from durajob.render.sink import Sink

_GAP = 2
"""Cells between two columns."""


def draw(blocks: Sequence[Block], sink: Sink, *, color: bool) -> None:
    """Draw the blocks as wide as the terminal is, with an empty line between two."""
    drawing = console(sink, color=color)
    for index, block in enumerate(blocks):
        if index:
            drawing.print()
        drawing.print(_table(_shown(block, sink), drawing.width))


def console(sink: Sink, *, color: bool) -> Console:
    """A console that writes to ``sink`` and takes no text for markup."""
    width, height = sink.size()
    return Console(
        file=cast(IO[str], sink),
        force_terminal=True,
        color_system="standard" if color else None,
        no_color=not color,
        width=width,
        height=height,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=False,
        legacy_windows=False,
        _environ=cast(Any, {}),  # NO_COLOR and the like are answered before we come here
    )


def _shown(block: Block, sink: Sink) -> Block:
    def cell(own: Cell) -> Cell:
        return own._replace(text=sink.shown(own.text))

    if isinstance(block, Fields):
        return Fields(rows=[(label, cell(own)) for label, own in block.rows])
    return block._replace(rows=[[cell(own) for own in row] for row in block.rows])


def _table(block: Block, width: int) -> Table:
    if isinstance(block, Fields):
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, _GAP, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for label, cell in block.rows:
            table.add_row(Text(label, style=marks.LABEL), _text(cell))
        return table
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style=marks.LABEL)
    for column, cells in zip(block.columns, _widths(block, width), strict=True):
        table.add_column(
            Text(column.title),
            justify="right" if column.right else "left",
            no_wrap=True,
            overflow="ellipsis",
            width=cells,
        )
    for row in block.rows:
        table.add_row(*(_text(cell) for cell in row))
    return table


def _widths(grid: Grid, width: int) -> list[int]:
    """How wide each column is drawn. (Rich would cut a status to nothing to save an error.)"""
    widths = [
        max([len(column.title), *(_text(row[index]).cell_len for row in grid.rows)])
        for index, column in enumerate(grid.columns)
    ]
    excess = sum(widths) + _GAP * (len(widths) - 1) - width
    for index in reversed(range(len(widths))):
        least = grid.columns[index].least
        if excess > 0 and least is not None and widths[index] > least:
            given = min(excess, widths[index] - least)
            widths[index] -= given
            excess -= given
    return widths


def _text(cell: Cell) -> Text:
    return Text(f"{cell.mark} {cell.text}" if cell.mark else cell.text, style=cell.style)
