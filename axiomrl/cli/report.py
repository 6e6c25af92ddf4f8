"""`axiomrl report`: the short form of `axiomrl zoo --format report`, and checking pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from axiomrl.cli.zoo import short_form

EXAMPLES = """\b
Examples:
  axiomrl report
  axiomrl report --status failed,dead --since 7d
  axiomrl report --output-file report.csv
  axiomrl report verify board.html
"""
VERIFY_EXAMPLES = """\b
Examples:
  axiomrl report verify board.html
  axiomrl report verify board.html --runs-dir /mnt/archive/runs
  axiomrl report verify board.html --output-format json
"""
run = short_form(
    "report",
    """Show one row per run, and one per group of runs; or verify a page.

    Without a command the same as axiomrl zoo --format report.
    """,
)


def verify(
    page: Annotated[Path, typer.Argument(metavar="FILE", hidden=True)],
    runs_dirs: Annotated[
        list[Path] | None,
        typer.Option(
            "--runs-dir",
            metavar="DIR",
            help="Where the runs are now. Repeatable.  [default: where the page says]",
        ),
    ] = None,
    output_format: Annotated[
        Literal["text", "json"],
        typer.Option("--output-format", metavar="text|json", help="How the result is printed."),
    ] = "text",
) -> int:
    """Compute every number of a leaderboard's HTML page again, and say which still hold.

    FILE is what axiomrl leaderboard --output-file board.html wrote. Exits with 0 if everything
    holds, with 1 if something does not, with 2 if the file is no such page.
    """
    from axiomrl.cli.output import show
    from axiomrl.reports.verification import verify as verify_page
    from axiomrl.reports.verification_document import verification_document

    found = verify_page(page, runs_dirs or ())
    show(verification_document(found), output_format)
    return int(not found.holds)


SUBCOMMANDS = {"verify": (verify, VERIFY_EXAMPLES)}
WITHOUT_SUBCOMMAND = run
