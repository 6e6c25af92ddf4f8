"""Tables for a README: GitHub's pipe tables."""

from __future__ import annotations

from axiomrl.reports.cells import shown
from axiomrl.reports.table import Table


def render(table: Table) -> str:
    """A pipe table, numbers to the right; empty columns are left out."""
    table = table.for_readers()
    lines = [
        _line([column.title for column in table.columns]),
        _line(["---" if column.kind == "text" else "---:" for column in table.columns]),
    ]
    for row in table.rows:
        cells = zip(row, table.columns, strict=True)
        lines.append(_line([shown(cell, column).replace("|", "\\|") for cell, column in cells]))
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
