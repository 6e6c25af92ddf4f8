"""`axiomrl runs`: list, show, compare, tag and tidy up runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from axiomrl.cli import terminal, tidying
from axiomrl.cli.command import TagCommand
from axiomrl.cli.comparing import compare_groups
from axiomrl.cli.options import RunsDir
from axiomrl.cli.output import is_for_screen, print_table, show

if TYPE_CHECKING:
    from axiomrl.runs.record import RunRecord

HELP = "List, show and compare runs; tag them, remove them, make room."
EXAMPLES = """\b
Examples:
  axiomrl runs list --status running --algo 'ppo*'
  axiomrl runs show ppo__CartPole-v1__seed0
  axiomrl runs diff ppo__CartPole-v1__seed0 ppo__CartPole-v1__seed1
  axiomrl runs compare ppo dqn --env-id CartPole-v1
  axiomrl runs tag ppo__CartPole-v1__seed0 +paper -draft
  axiomrl runs rm ppo__CartPole-v1__seed0
  axiomrl runs restore ppo__CartPole-v1__seed0
  axiomrl runs gc --dry-run
"""

Run = Annotated[str, typer.Argument(metavar="RUN", hidden=True)]
TextOrJson = Annotated[
    Literal["text", "json"],
    typer.Option("--output-format", metavar="text|json", help="How it is printed."),
]


def list_runs(
    runs_dirs: Annotated[
        list[Path] | None,
        typer.Option(
            "--runs-dir", metavar="DIR", help="Folder of runs. Repeatable.  [default: runs]"
        ),
    ] = None,
    statuses: Annotated[
        list[str] | None,
        typer.Option("--status", metavar="STATUS", help="Only with that status. Repeatable."),
    ] = None,
    algos: Annotated[
        list[str] | None,
        typer.Option("--algo", metavar="GLOB", help="Only of such an algorithm. Repeatable."),
    ] = None,
    env_ids: Annotated[
        list[str] | None,
        typer.Option("--env-id", metavar="GLOB", help="Only in such an environment. Repeatable."),
    ] = None,
    tags: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="TAG", help="Only with that tag. Repeatable: with all."),
    ] = None,
    newest_first: Annotated[
        bool, typer.Option("--newest-first", help="Begin with the newest run.")
    ] = False,
    output_format: Annotated[
        Literal["text", "json", "csv", "markdown"],
        typer.Option(
            "--output-format", metavar="text|json|csv|markdown", help="How it is printed."
        ),
    ] = "text",
) -> None:
    """List the runs below one or more folders, oldest first.

    What cannot be read is named on stderr (in JSON under "problems") and left out. Runs in the
    trash are listed with --runs-dir runs/.trash.
    """
    from axiomrl.reports.run_list import Selection, run_list

    records, problems = _scan(runs_dirs)
    table = run_list(
        records,
        Selection(statuses or (), algos or (), env_ids or (), tags or ()),
        problems=problems,
        newest_first=newest_first,
        short_names=is_for_screen(output_format),
    )
    print_table(table, output_format)
    if not records:
        terminal.note("no runs found; make one: axiomrl train --config configs/ppo/cartpole.yaml")
    elif not table.rows:
        terminal.note(f"none of the {len(records):,} runs is like that")


def show_run(
    name: Run, runs_dir: RunsDir = Path("runs"), output_format: TextOrJson = "text"
) -> None:
    """Show what is known of one run.

    RUN is a run's directory, a unique prefix of its name, or its run id.
    """
    from axiomrl.reports.run_details import run_details
    from axiomrl.runs.store import RunStore

    show(run_details(RunStore(runs_dir).find(name)), output_format)


def diff_runs(
    first: Annotated[str, typer.Argument(metavar="RUN_A", hidden=True)],
    second: Annotated[str, typer.Argument(metavar="RUN_B", hidden=True)],
    runs_dir: RunsDir = Path("runs"),
    output_format: TextOrJson = "text",
) -> None:
    """Show in what two runs differ.

    RUN_A and RUN_B are directories of runs, unique prefixes of their names, or run ids. What
    differs is shown in sections: config, code, versions, system, metrics. Wall-clock values are
    not compared. The exit code is 0 whether or not they differ.
    """
    from axiomrl.reports.difference import difference
    from axiomrl.runs.store import RunStore

    store = RunStore(runs_dir)
    show(difference(store.find(first), store.find(second)), output_format)


SUBCOMMANDS = {
    "list": (list_runs, EXAMPLES),
    "show": (show_run, EXAMPLES),
    "diff": (diff_runs, EXAMPLES),
    "compare": (compare_groups, EXAMPLES),
    "tag": (tidying.tag_runs, EXAMPLES),
    "rm": (tidying.remove, EXAMPLES),
    "restore": (tidying.restore_runs, EXAMPLES),
    "gc": (tidying.collect_garbage, EXAMPLES),
}
COMMAND_CLASSES = {"tag": TagCommand}


def _scan(folders: list[Path] | None) -> tuple[list[RunRecord], list[str]]:
    """The runs of all folders, each once, and what could not be read.

    Raises InputError for a folder that was asked for and is not there.
    """
    from axiomrl.runs.store import scan_all

    scanned = scan_all(folders)
    return scanned.records, [str(problem) for problem in scanned.problems]
