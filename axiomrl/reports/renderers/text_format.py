"""Tables for a terminal: aligned columns, no rules."""

from __future__ import annotations

import textwrap

from axiomrl.reports.cells import shown
from axiomrl.reports.document import Document
from axiomrl.reports.table import Column, Table

BOLD, DIM = "1", "2"


def render(table: Table, *, width: int | None = None, colour: bool = False) -> str:
    """Aligned columns, numbers to the right; empty columns are left out.

    Where the lines would be wider than `width`, columns that others repeat are left out too,
    and those that remain move closer together. In colour, headings are dim and emphasised rows
    bold.
    """
    lines = _fitting(table, width)
    if colour:
        styles = [DIM, *(BOLD if row in table.emphasis else "" for row in range(len(table.rows)))]
        lines = [_painted(line, style) for line, style in zip(lines, styles, strict=True)]
    return "\n".join(lines) + "\n"


def render_document(document: Document, *, width: int | None = None, colour: bool = False) -> str:
    """A title, the table and indented notes for each section; see `render`."""
    parts = []
    for section in document.sections:
        lines = (
            [_painted(section.title, BOLD) if colour else section.title] if section.title else []
        )
        if section.table is not None:
            lines.append(render(section.table, width=width, colour=colour).rstrip("\n"))
        for note in section.notes:
            lines += _wrapped(note, width)
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _wrapped(note: str, width: int | None) -> list[str]:
    plain = shown(note, Column("", ""))
    return textwrap.wrap(plain, width or 100, initial_indent="  ", subsequent_indent="  ")


def _painted(text: str, style: str) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if style else text


def _fitting(table: Table, width: int | None) -> list[str]:
    table = table.for_readers()
    lines = _lines(table)
    if width is not None and max(map(len, lines)) > width:
        table = table.only([column for column in table.columns if not column.is_repeated])
        lines = _lines(table)
        if max(map(len, lines)) > width:
            lines = _lines(table, gap=" ")
    return lines


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
