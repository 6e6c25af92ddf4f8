"""For programs: a table is `{"schema_version", "columns", "rows", "problems"}`."""

from __future__ import annotations

import json
import math

import msgspec

from axiomrl.reports.document import Document
from axiomrl.reports.table import Cell, Table

SCHEMA_VERSION = 1


def render(table: Table) -> str:
    """One JSON object; a number that is not finite is null."""
    rows = [{key: _strict(cell) for key, cell in record.items()} for record in table.records()]
    content = {
        "schema_version": SCHEMA_VERSION,
        "columns": [column.key for column in table.columns],
        "rows": rows,
        "problems": list(table.problems),
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def render_document(document: Document) -> str:
    """One JSON object; a number that is not finite is null."""
    return msgspec.json.format(msgspec.json.encode(document.json_object), indent=2).decode() + "\n"


def _strict(cell: Cell) -> Cell:
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell
