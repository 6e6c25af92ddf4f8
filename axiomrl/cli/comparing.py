"""`axiomrl runs compare`: two groups of runs against one another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from axiomrl.cli import terminal
from axiomrl.cli.output import show
from axiomrl.cli.zoo import RANKED
from axiomrl.errors import InputError


def compare_groups(
    first: Annotated[str, typer.Argument(metavar="GROUP_A", hidden=True)],
    second: Annotated[str, typer.Argument(metavar="GROUP_B", hidden=True)],
    runs_dirs: Annotated[
        list[Path] | None,
        typer.Option(
            "--runs-dir", metavar="DIR", help="Folder of runs. Repeatable.  [default: runs]"
        ),
    ] = None,
    env_id: Annotated[
        list[str] | None,
        typer.Option("--env-id", metavar="GLOB", help="Only these environments. Repeatable."),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option("--where", metavar="EXPRESSION", help="Only runs for which this holds."),
    ] = None,
    group_by: Annotated[
        str,
        typer.Option(
            "--group-by",
            metavar="config|algo-env|preset|NAMES",
            help="What runs are counted together by.",
        ),
    ] = "config",
    metric: Annotated[
        str, typer.Option("--metric", metavar="NAME", help="What is compared.")
    ] = "eval_return_mean",
    reduce: Annotated[
        str,
        typer.Option(
            "--reduce", metavar="final|best|last-window|auc", help="What of a run is its score."
        ),
    ] = "final",
    statistic: Annotated[
        str,
        typer.Option(
            "--statistic", metavar="mean|median|iqm", help="What of its runs is a group's score."
        ),
    ] = "mean",
    output_format: Annotated[
        Literal["text", "json", "csv", "markdown"],
        typer.Option(
            "--output-format", metavar="text|json|csv|markdown", help="How it is printed."
        ),
    ] = "text",
) -> None:
    """Say whether two groups of runs are comparable, and by how much they differ.

    GROUP_A and GROUP_B are labels as leaderboards show them, algorithms, presets, beginnings of
    config hashes, or names of runs, which stand for their groups.
    """
    from axiomrl.reports import zoo
    from axiomrl.reports.comparability import chosen_group, comparison_document
    from axiomrl.reports.filters import parse_filters
    from axiomrl.reports.standings import Question
    from axiomrl.runs.clock import utc_now

    question = Question(metric=metric, reduce=reduce, statistic=statistic, group_by=group_by)
    filters = parse_filters(env_ids=env_id or (), statuses=[RANKED], where=where, now=utc_now)
    selection = zoo.select(runs_dirs, filters, use_index=True)
    groups, question, met = zoo.score_groups(selection, question)
    one, other = (chosen_group(name, groups) for name in (first, second))
    if one is other:
        raise InputError(f"{first!r} and {second!r} are the same group: {one.label}")
    problems = [*selection.problems, *met]
    document = comparison_document(one, other, question, filters.lookup, problems=problems)
    show(document, output_format)
    for problem in problems:
        terminal.warn(str(problem))
