"""`axiomrl zoo`: compare runs."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from axiomrl.cli import terminal
from axiomrl.errors import InputError

EXAMPLES = """\b
Examples:
  axiomrl zoo --format report
  axiomrl zoo --runs-dir runs --runs-dir /data/runs --output-format csv \\
    --output-file report.csv
"""


def run(
    view: Annotated[
        Literal["report"],
        typer.Option("--format", metavar="report", help="What is shown: one row per run."),
    ] = "report",
    runs_dirs: Annotated[
        list[Path] | None,
        typer.Option(
            "--runs-dir", metavar="DIR", help="Folder of runs. Repeatable.  [default: runs]"
        ),
    ] = None,
    output_format: Annotated[
        Literal["text", "json", "csv", "markdown"],
        typer.Option(
            "--output-format", metavar="text|json|csv|markdown", help="How it is printed."
        ),
    ] = "text",
    output_file: Annotated[
        Path | None,
        typer.Option("--output-file", metavar="PATH", help="Write to a file instead of stdout."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the output file if it exists.")
    ] = False,
) -> None:
    """Show the runs below one or more folders.

    What cannot be read is named on stderr (in JSON under "problems") and left out.
    """
    from axiomrl.reports.renderers import render
    from axiomrl.reports.report import report
    from axiomrl.runs.store import scan_all

    if output_file is not None and output_file.exists() and not force:
        raise InputError(f"{output_file} exists already", hint="overwrite it with --force")
    scanned = scan_all(runs_dirs)
    records, problems = scanned.records, [str(problem) for problem in scanned.problems]
    is_for_screen = output_format == "text" and output_file is None and sys.stdout.isatty()
    table = report(records, problems=problems, short_names=is_for_screen)
    width = shutil.get_terminal_size().columns
    options: dict[str, Any] = {"width": width} if is_for_screen else {}
    text = render(table, output_format, **options)
    if output_file is None:
        terminal.data(text)
    else:
        _write(output_file, text)
    for problem in problems:
        terminal.warn(problem)
    if not records:
        terminal.note("no runs found; make one: axiomrl train --config configs/ppo/cartpole.yaml")


def _write(path: Path, text: str) -> None:
    from axiomrl.runs.files import write_text

    write_text(path, text)
    terminal.note(f"written: {terminal.short_path(path)}")
