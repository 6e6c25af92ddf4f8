"""For programs: a table is `{"schema_version", "columns", "rows", "problems"}`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

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
    content = document.json_object
    try:
        encoded = msgspec.json.encode(content)
    except UnicodeEncodeError:  # halves of characters, from a file name or a foreign writer
        encoded = msgspec.json.encode(_with_escapes(content))
    return msgspec.json.format(encoded, indent=2).decode() + "\n"


def _strict(cell: Cell) -> Cell:
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def _with_escapes(value: Any) -> Any:
    """The value with what UTF-8 cannot hold written out, as files hold it."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_with_escapes(key): _with_escapes(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_escapes(item) for item in value]
    return value
