"""Tables for spreadsheets: RFC 4180, one header line of column keys."""

from __future__ import annotations

import csv
import io
import math

from axiomrl.reports.document import Document
from axiomrl.reports.table import Cell, Table


def render(table: Table) -> str:
    """Every column; floats with all their digits; blank where there is no finite value."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([column.key for column in table.columns])
    for row in table.rows:
        writer.writerow([_written(cell) for cell in row])
    return stream.getvalue()


def render_document(document: Document) -> str:
    """The report's one flat table."""
    return render(document.flat)


def _written(cell: Cell) -> str:
    if cell is None or (isinstance(cell, float) and not math.isfinite(cell)):
        return ""
    return cell if isinstance(cell, str) else repr(cell)
