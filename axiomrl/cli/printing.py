"""Tables and reports on stdout, as the terminal can show them."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any

from axiomrl.cli import terminal

if TYPE_CHECKING:
    from axiomrl.reports.document import Document
    from axiomrl.reports.table import Table


def is_for_screen(output_format: str) -> bool:
    """Whether the output is text that a person reads on a terminal."""
    return output_format == "text" and sys.stdout.isatty()


def print_table(table: Table, output_format: str) -> None:
    """A table on stdout, and what could not be read on stderr."""
    from axiomrl.reports.renderers import render

    terminal.data(render(table, output_format, **_options(output_format)))
    for problem in table.problems:
        terminal.warn(problem)


def print_document(document: Document, output_format: str) -> None:
    """A report on stdout."""
    from axiomrl.reports.renderers import render_document

    terminal.data(render_document(document, output_format, **_options(output_format)))


def _options(output_format: str) -> dict[str, Any]:
    """Options of the text renderer for a terminal."""
    if not is_for_screen(output_format):
        return {}
    colour = terminal.uses_colour(sys.stdout)
    return {"width": shutil.get_terminal_size().columns, "colour": colour}
