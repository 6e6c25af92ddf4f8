"""Where tables and documents go: to the screen, to a pipe, to a file; and in which format."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axiomrl.cli import terminal
from axiomrl.errors import InputError

if TYPE_CHECKING:
    from axiomrl.reports.document import Document
    from axiomrl.reports.table import Table

FILE_FORMATS = {
    ".txt": "text",
    ".json": "json",
    ".csv": "csv",
    ".md": "markdown",
    ".html": "html",
}


def format_of(
    asked: str | None,
    output_file: Path | None,
    force: bool,
    *,
    formats: Mapping[str, str] = FILE_FORMATS,
) -> str:
    """The format asked for, else that of the file's suffix; refuses to overwrite."""
    refuse_overwriting(output_file, force)
    if asked is not None or output_file is None:
        return asked or "text"
    suffix = output_file.suffix.lower()
    if suffix not in formats:
        raise InputError(
            f"--output-file {output_file}: the suffix {suffix!r} is no format",
            hint=f"use one of {', '.join(formats)}, or say --output-format",
        )
    return formats[suffix]


def refuse_overwriting(output_file: Path | None, force: bool) -> None:
    """Raise InputError for a file that is there already, unless it may be replaced."""
    if output_file is not None and output_file.exists() and not force:
        raise InputError(f"{output_file} exists already", hint="overwrite it with --force")


def is_for_screen(output_format: str, output_file: Path | None = None) -> bool:
    """Whether text goes to a terminal, whose width and colours count then."""
    return output_format == "text" and output_file is None and sys.stdout.isatty()


def screen_options() -> dict[str, Any]:
    """What a renderer is told of the terminal."""
    width = shutil.get_terminal_size().columns
    return {"width": width, "colour": terminal.uses_colour(sys.stdout)}


def print_table(table: Table, output_format: str) -> None:
    """A table on stdout, and what could not be read on stderr."""
    from axiomrl.reports.renderers import render

    options = screen_options() if is_for_screen(output_format) else {}
    terminal.data(render(table, output_format, **options))
    for problem in table.problems:
        terminal.warn(problem)


def show(document: Document, output_format: str, output_file: Path | None = None) -> None:
    """Render a document and deliver it."""
    from axiomrl.reports.renderers import render_document

    options = screen_options() if is_for_screen(output_format, output_file) else {}
    deliver(render_document(document, output_format, **options), output_file)


def deliver(text: str, output_file: Path | None) -> None:
    """Write a text to the file, or to stdout without one."""
    from axiomrl.runs.files import write_text

    if output_file is None:
        terminal.data(text)
    else:
        write_text(output_file, text)
        terminal.note(f"written: {terminal.short_path(output_file)}")
