"""`axiomrl report`: the short form of `axiomrl zoo --format report`."""

from __future__ import annotations

from axiomrl.cli.zoo import short_form

EXAMPLES = """\b
Examples:
  axiomrl report
  axiomrl report --status failed,dead --since 7d
  axiomrl report --output-file report.csv
"""
run = short_form(
    "report",
    """Show one row per run, and one per group of runs.

    The same as axiomrl zoo --format report.
    """,
)
