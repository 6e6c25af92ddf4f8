"""Tables for a README: GitHub's pipe tables."""

from __future__ import annotations

import re

from axiomrl.reports.cells import shown
from axiomrl.reports.document import Document
from axiomrl.reports.table import Column, Table


def render(table: Table) -> str:
    """A pipe table, numbers to the right; empty columns are left out."""
    table = table.for_readers()
    lines = [
        _line([column.title for column in table.columns]),
        _line(["---" if column.kind == "text" else "---:" for column in table.columns]),
    ]
    for row in table.rows:
        cells = zip(row, table.columns, strict=True)
        lines.append(_line([_cell(shown(cell, column)) for cell, column in cells]))
    return "\n".join(lines) + "\n"


def render_document(document: Document) -> str:
    """A heading, a pipe table and a list of notes for each section."""
    parts = []
    for section in document.sections:
        if section.title:
            parts.append(f"### {_escaped(section.title)}\n")
        if section.table is not None:
            parts.append(render(section.table))
        if section.notes:
            parts.append("".join(f"- {_escaped(note)}\n" for note in section.notes))
    return "\n".join(parts)


def _escaped(text: str) -> str:
    """A text in which nothing is taken for markup."""
    plain = shown(text, Column("", ""))
    return re.sub(r"([\\`*_<>\[\]|#])", r"\\\1", plain)


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(text: str) -> str:
    """A cell's text; what would end it or be taken for HTML is escaped."""
    return re.sub(r"([\\|<])", r"\\\1", text)
