"""Blocks as plain lines: for files, pipes and dumb terminals. No colour, no marks, no cuts."""

from __future__ import annotations

from collections.abc import Sequence

from durajob.render.pages import Block, Cell, Fields, Grid


def plain_text(blocks: Sequence[Block]) -> str:
    """The blocks, with an empty line between two; ends with a newline unless empty."""
    parts = ["\n".join(_lines(block)) for block in blocks]
    return "\n\n".join(parts) + "\n" if parts else ""


def _lines(block: Block) -> list[str]:
    if isinstance(block, Fields):
        width = max((len(label) for label, _ in block.rows), default=0)
        return [f"{label:<{width}}  {cell.text}".rstrip() for label, cell in block.rows]
    return _grid_lines(block)


def _grid_lines(grid: Grid) -> list[str]:
    titles = [Cell(text=column.title) for column in grid.columns]
    rows = [titles, *grid.rows]
    widths = [max(len(row[i].text) for row in rows) for i in range(len(grid.columns))]
    return ["  ".join(_aligned(grid, row, widths)).rstrip() for row in rows]


def _aligned(grid: Grid, row: Sequence[Cell], widths: Sequence[int]) -> list[str]:
    return [
        cell.text.rjust(width) if column.right else cell.text.ljust(width)
        for cell, column, width in zip(row, grid.columns, widths, strict=True)
    ]
