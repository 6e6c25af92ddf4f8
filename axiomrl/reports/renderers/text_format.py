"""Tables for a terminal: aligned columns, no rules."""

from __future__ import annotations

from axiomrl.reports.cells import shown
from axiomrl.reports.table import Table


def render(table: Table, *, width: int | None = None) -> str:
    """Aligned columns, numbers to the right; empty columns are left out.

    Where the lines would be wider than `width`, columns that others repeat are left out too,
    and those that remain move closer together.
    """
    table = table.for_readers()
    lines = _lines(table)
    if width is not None and max(map(len, lines)) > width:
        table = table.only([column for column in table.columns if not column.is_repeated])
        lines = _lines(table)
        if max(map(len, lines)) > width:
            lines = _lines(table, gap=" ")
    return "\n".join(lines) + "\n"


def _lines(table: Table, gap: str = "  ") -> list[str]:
    grid = [[column.title for column in table.columns]]
    grid += [
        [shown(cell, column) for cell, column in zip(row, table.columns, strict=True)]
        for row in table.rows
    ]
    widths = [max(len(line[place]) for line in grid) for place in range(len(table.columns))]
    lines = []
    for line in grid:
        cells = [
            f"{text:<{width}}" if column.kind == "text" else f"{text:>{width}}"
            for text, width, column in zip(line, widths, table.columns, strict=True)
        ]
        lines.append(gap.join(cells).rstrip())
    return lines
