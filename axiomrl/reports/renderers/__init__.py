"""Tables as text, JSON, CSV or Markdown: one file per format, each with a `render`."""

from __future__ import annotations

import importlib
from typing import Any

from axiomrl.reports.table import Table

FORMATS = ("text", "json", "csv", "markdown")


def render(table: Table, output_format: str, **options: Any) -> str:
    """The table in one of FORMATS; options are those of the renderer."""
    module = importlib.import_module(f"{__name__}.{output_format}_format")
    text: str = module.render(table, **options)
    return text
