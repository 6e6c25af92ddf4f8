"""Text, JSON, CSV, Markdown or HTML: one file per format.

Each has `render_document` for a whole report and, but for HTML, `render` for one table. Renderers
compute nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

from axiomrl.reports.document import Document
from axiomrl.reports.table import Table

FORMATS = ("text", "json", "csv", "markdown")  # of tables
DOCUMENT_FORMATS = (*FORMATS, "html")


def render(table: Table, output_format: str, **options: Any) -> str:
    """The table in one of FORMATS; options are those of the renderer."""
    text: str = _renderer(output_format).render(table, **options)
    return text


def render_document(document: Document, output_format: str, **options: Any) -> str:
    """The report in one of DOCUMENT_FORMATS; options are those of the renderer."""
    text: str = _renderer(output_format).render_document(document, **options)
    return text


def _renderer(output_format: str) -> Any:
    return importlib.import_module(f"{__name__}.{output_format}_format")
