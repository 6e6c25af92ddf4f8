"""`axiomrl history`: what `ExperimentManager` has written down."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from axiomrl.cli import terminal
from axiomrl.cli.output import print_table
from axiomrl.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from axiomrl.tracking.histories import Found, HistoryFolder

HELP = "List, show and compare experiments tracked by ExperimentManager."
EXAMPLES = """\b
Examples:
  axiomrl history list
  axiomrl history show mlp --output-format json
  axiomrl history compare mlp transformer --metric loss --reduce best \\
    --direction min
"""

LogDir = Annotated[
    Path | None,
    typer.Option(
        "--log-dir", metavar="DIR", help="Folder of histories.  [default: experiments/logs]"
    ),
]
OutputFormat = Annotated[
    Literal["text", "json", "csv", "markdown"],
    typer.Option("--output-format", metavar="text|json|csv|markdown", help="How it is printed."),
]


def list_histories(log_dir: LogDir = None, output_format: OutputFormat = "text") -> None:
    """Show every experiment with its newest version.

    What cannot be read is named on stderr (in JSON under "problems") and left out.
    """
    from axiomrl.reports.histories import history_list

    found = _folder(log_dir).read_all()
    print_table(history_list(found.histories, problems=found.problems), output_format)
    if not found.histories:
        terminal.note("no experiments found; ExperimentManager makes them")


def show_history(
    name: Annotated[str, typer.Argument(metavar="ID", hidden=True)],
    version: Annotated[
        int | None, typer.Option("--version", metavar="N", help="Show one version only.")
    ] = None,
    log_dir: LogDir = None,
    output_format: OutputFormat = "text",
) -> None:
    """Show the versions of one experiment.

    ID is an experiment's id or its config_name. Of each metric the last value is shown.
    """
    from axiomrl.reports.histories import history_versions

    found = _found(_folder(log_dir), name)
    records = found.records()
    if version is not None:
        records = [record for record in records if record.version == version]
        if not records:
            numbers = [str(record.version) for record in found.records()]
            raise InputError(
                f"{name} has no version {version}", hint=f"there are: {', '.join(numbers[-10:])}"
            )
    print_table(history_versions(records, problems=found.problems), output_format)


def compare_histories(
    names: Annotated[list[str], typer.Argument(metavar="ID", hidden=True)],
    metric: Annotated[str, typer.Option("--metric", metavar="NAME", help="What is compared.")],
    reduce: Annotated[
        Literal["last", "best"],
        typer.Option("--reduce", metavar="last|best", help="Which value of a version counts."),
    ] = "last",
    direction: Annotated[
        Literal["max", "min"] | None,
        typer.Option(
            "--direction",
            metavar="max|min",
            help="Which way is better.  [default: what is known of the metric]",
        ),
    ] = None,
    log_dir: LogDir = None,
    output_format: OutputFormat = "text",
) -> None:
    """Compare experiments by a metric over their versions.

    Every ID is an experiment's id or its config_name. Versions without a finite value are left
    out: n says how many count.
    """
    from axiomrl.reports.histories import comparison

    folder = _folder(log_dir)
    histories, problems = {}, []
    for name in names:
        found = _found(folder, name)
        histories[name] = found.records()
        problems += [each for each in found.problems if each not in problems]
    logged = {key for records in histories.values() for each in records for key in each.metrics}
    if metric not in logged:
        raise InputError(
            f"no version of {', '.join(names)} has a metric {metric!r}",
            hint=did_you_mean(metric, sorted(logged), count=3),
        )
    table = comparison(histories, metric, reduce=reduce, direction=direction, problems=problems)
    print_table(table, output_format)


SUBCOMMANDS = {
    "list": (list_histories, EXAMPLES),
    "show": (show_history, EXAMPLES),
    "compare": (compare_histories, EXAMPLES),
}


def _folder(log_dir: Path | None) -> HistoryFolder:
    """The folder of histories; raises InputError for one that was asked for and is not there."""
    from axiomrl.tracking.histories import DEFAULT_FOLDER, HistoryFolder

    if log_dir is not None and not log_dir.is_dir():
        raise InputError(f"--log-dir {log_dir}: no such folder")
    return HistoryFolder(log_dir or Path(DEFAULT_FOLDER))


def _found(folder: HistoryFolder, name: str) -> Found:
    """What the name means; raises InputError, with the nearest names, if it means nothing."""
    found = folder.find(name)
    if not found.histories:
        raise folder.unknown(name)
    return found
