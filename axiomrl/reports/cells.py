"""How single values are written for a reader."""

from __future__ import annotations

import math

from axiomrl.reports.table import Cell, Column


def shown(cell: Cell, column: Column) -> str:
    """A cell in words: grouped integers, two decimals, time spans; `-` where nothing is.

    Figures have four significant digits.
    """
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return visible(cell)
    if column.kind == "seconds" and math.isfinite(cell):
        return clock(cell)
    if column.kind == "integer":
        return f"{cell:,}"
    if column.kind == "figure" and isinstance(cell, float):
        return f"{cell:.4g}"
    return f"{cell:.2f}" if column.kind == "number" else str(cell)


def visible(text: str) -> str:
    """A text on one line, in which what cannot be seen or steers a terminal is an escape."""
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text)


def clock(seconds: float) -> str:
    """A time span as 0:07, 12:30 or 3:02:11."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def byte_count(count: int) -> str:
    """A number of bytes as 712 B, 4.2 kB or 1.3 GB (powers of 1,000)."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.95:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"
