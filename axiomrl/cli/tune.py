"""`axiomrl tune`: search for better settings, look at what was found, and confirm it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from axiomrl.cli import terminal
from axiomrl.cli.options import (
    Imports,
    LauncherName,
    LauncherOptions,
    NWorkers,
    PictureFile,
    Quiet,
    Settings,
    import_modules,
    launcher_options,
    whole_number,
)
from axiomrl.cli.output import FILE_FORMATS, deliver, format_of, refuse_overwriting, show
from axiomrl.errors import InputError

if TYPE_CHECKING:
    from axiomrl.search.description import Search
    from axiomrl.search.journal import Trial
    from axiomrl.study.launchers.contract import Launcher

EXAMPLES = """\b
Examples:
  axiomrl tune --config configs/search/ppo-cartpole.yaml
  axiomrl tune --config search.yaml --launcher process --n-workers 4
  axiomrl tune --resume searches/ppo-cartpole
  axiomrl tune --resume searches/ppo-cartpole --n-trials 60
  axiomrl tune report searches/ppo-cartpole
  axiomrl tune confirm searches/ppo-cartpole --top 3 --seeds 10
"""
REPORT_EXAMPLES = """\b
Examples:
  axiomrl tune report searches/ppo-cartpole
  axiomrl tune report searches/ppo-cartpole --output-format json
  axiomrl tune report searches/ppo-cartpole --output-file trials.csv
"""
BEST_EXAMPLES = """\b
Examples:
  axiomrl tune best searches/ppo-cartpole --output-file best.yaml
  axiomrl tune best searches/ppo-cartpole --trial 7
"""
CONFIRM_EXAMPLES = """\b
Examples:
  axiomrl tune confirm searches/ppo-cartpole
  axiomrl tune confirm searches/ppo-cartpole --top 3 --seeds 10 \\
    --launcher process --n-workers 4
"""
PLOT_EXAMPLES = """\b
Examples:
  axiomrl tune plot history searches/ppo-cartpole
  axiomrl tune plot slice searches/ppo-cartpole --output-file slice.svg
  axiomrl tune plot importances searches/ppo-cartpole
"""
FORMATS = {suffix: name for suffix, name in FILE_FORMATS.items() if name != "html"}

Folder = Annotated[Path, typer.Argument(metavar="DIR", hidden=True)]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the output file if it exists.")]
OutputFormat = Annotated[
    Literal["text", "json", "csv", "markdown"] | None,
    typer.Option(
        "--output-format",
        metavar="text|json|csv|markdown",
        help="How it is printed.  [default: what the file's suffix says, else text]",
    ),
]
OutputFile = Annotated[
    Path | None,
    typer.Option("--output-file", metavar="PATH", help="Write to a file instead of stdout."),
]


def run(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="YAML file: what to search. Begins anew."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="DIR", help="Go on with the search in this folder."),
    ] = None,
    settings: Settings = None,
    n_trials: Annotated[
        str | None,
        typer.Option(
            "--n-trials",
            metavar="N",
            help="How many trials, those before a stop included.  [default: what the search says]",
        ),
    ] = None,
    launcher: LauncherName = None,
    n_workers: NWorkers = None,
    options: LauncherOptions = None,
    imports: Imports = None,
    quiet: Quiet = False,
) -> int:
    """Search for settings that are better than those of a base configuration.

    FILE has mode: tune, a base and a block search. Every trial is trained once per seed, and its
    runs lie in the search's folder, which is printed on stdout; everything else goes to stderr.
    A search that was stopped in whatever way goes on with --resume; several processes may do so
    at once. Settings given with --set are the base's, or the search's where they begin with
    search (search.sampler=random). A search that has ended gets more trials with --resume and
    --n-trials. Exits with 1 if all trials failed.
    """
    from axiomrl.search.description import load_search
    from axiomrl.search.running import begin, extend

    if (config is None) == (resume is None):
        raise InputError(
            "--config and --resume: give one of them",
            hint="axiomrl tune --config FILE begins a search, --resume DIR goes on with one",
        )
    import_modules(imports)
    opened = _launcher(launcher, n_workers, options)
    count = whole_number("--n-trials", n_trials, low=1)
    if config is not None:
        more = [] if count is None else [f"search.n_trials={count}"]
        search = load_search(config, overrides=[*(settings or ()), *more])
        folder = begin(search, command=context.obj.command)
    else:
        folder = Path(str(resume))
        if settings:
            raise InputError(
                "--set: what a search is cannot change while it runs",
                hint="begin another search with --config; for more trials: --n-trials N",
            )
        if count is not None:
            extend(folder, count)
    return _run(context, folder, opened, imports or [], quiet)


def report(
    folder: Folder,
    output_format: OutputFormat = None,
    output_file: OutputFile = None,
    force: Force = False,
) -> None:
    """Show the trials of the search in DIR, and which settings mattered.

    A trial is completed, pruned (ended early), failed or running; only completed ones have a
    score. In JSON: {"schema_version", "trials", "best"}.
    """
    from axiomrl.runs.clock import utc_now
    from axiomrl.search.report import report_document, report_json

    chosen = format_of(output_format, output_file, force, formats=FORMATS)
    search, trials = _read(folder)
    if chosen == "json":
        deliver(report_json(search, trials), output_file)
    else:
        document = report_document(search, trials, now=utc_now())
        show(document, chosen, output_file)


def best(
    folder: Folder,
    trial: Annotated[
        int | None,
        typer.Option("--trial", metavar="N", help="Of this trial.  [default: the best one]"),
    ] = None,
    output_file: OutputFile = None,
    force: Force = False,
) -> None:
    """Print the configuration of the best trial of the search in DIR, ready to train."""
    from axiomrl.config.dump import dump_config
    from axiomrl.config.secrets import MASK
    from axiomrl.search.outcome import best_of

    refuse_overwriting(output_file, force)
    search, trials = _read(folder)
    if trial is None:
        ranked = best_of(search, trials)
        if not ranked:
            raise InputError(f"{folder}: no trial is completed", hint="there is no best one yet")
        chosen = ranked[0]
    elif 0 <= trial < len(trials):
        chosen = trials[trial]
    else:
        raise InputError(f"--trial {trial}: {folder} has the trials 0 to {len(trials) - 1}")
    params = {} if chosen.is_base else chosen.params
    text = dump_config(search.config_of(params, source=f"trial {chosen.number}"))
    if MASK in text:
        terminal.warn(f"a secret of the base is masked ({MASK}): write it in before training")
    deliver(text, output_file)
    if output_file is not None:
        terminal.note(
            "next: "
            + terminal.quoted("axiomrl", "train", "--config", terminal.short_path(output_file))
        )


def confirm(
    context: typer.Context,
    folder: Folder,
    top: Annotated[
        str | None,
        typer.Option("--top", metavar="N", help="How many of the best trials.  [default: 3]"),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option("--seeds", metavar="N", help="How many fresh seeds.  [default: 10]"),
    ] = None,
    launcher: LauncherName = None,
    n_workers: NWorkers = None,
    options: LauncherOptions = None,
    imports: Imports = None,
    output_format: OutputFormat = None,
    output_file: OutputFile = None,
    force: Force = False,
    quiet: Quiet = False,
) -> int:
    """Train the best trials of the search in DIR, and its base, again with fresh seeds.

    What a trial was selected by flatters it: here it is measured on seeds that no trial has used,
    the same for all, drawn once and written down first. The same command goes on with what was
    stopped. Exits with 1 if a run failed.
    """
    from axiomrl.cli.tune_display import confirm_and_show
    from axiomrl.search.confirm import CONFIRM, confirmed, newly_best, plan_confirmation
    from axiomrl.search.confirm_report import confirm_document

    chosen = format_of(output_format, output_file, force, formats=FORMATS)
    import_modules(imports)
    opened = _launcher(launcher, n_workers, options)
    search, trials = _read(folder, for_running=True)
    plan = plan_confirmation(
        folder,
        search,
        trials,
        top=whole_number("--top", top, low=1),
        n_seeds=whole_number("--seeds", seeds, low=1),
    )
    if newer := newly_best(search, trials, plan):
        numbers = ", ".join(str(each.number) for each in newer)
        terminal.note(
            f"among the best since this confirmation was planned: trial {numbers}; to confirm "
            f"anew, move {terminal.short_path(folder / CONFIRM)} away"
        )
    with terminal.warnings_hidden(quiet):
        confirm_and_show(
            folder,
            search,
            trials,
            plan,
            opened,
            command=context.obj.command,
            imports=imports or [],
            quiet=quiet,
        )
    rows = confirmed(folder, search, plan)
    show(confirm_document(search, plan, rows), chosen, output_file)
    return int(any(len(row.scores) < len(plan.seeds) for row in rows))


def plot(
    kind: Annotated[str, typer.Argument(metavar="KIND", hidden=True)],
    folder: Folder,
    output_file: PictureFile = None,
    title: Annotated[
        str | None, typer.Option("--title", metavar="TEXT", help="Written above the plot.")
    ] = None,
    force: Force = False,
) -> None:
    """Draw the search in DIR.

    KIND is one of: history (scores in the order of trials), slice (scores over each setting),
    importances (how much each setting mattered).
    """
    from axiomrl.cli.plot import picture_format
    from axiomrl.reports.plots import Look, picture
    from axiomrl.runs.files import write_binary
    from axiomrl.search.plot_values import require_kind, search_plot

    require_kind(kind)
    path = output_file or Path(f"{kind}.png")
    file_format = picture_format(path, force=force)
    search, trials = _read(folder)
    drawn = search_plot(kind, search, trials)
    data, notes = picture(drawn, file_format, look=Look(title=title))
    write_binary(path, data)
    for note in (*drawn.notes, *notes):
        terminal.note(note)
    terminal.note(f"written: {terminal.short_path(path)}")


SUBCOMMANDS = {
    "report": (report, REPORT_EXAMPLES),
    "best": (best, BEST_EXAMPLES),
    "confirm": (confirm, CONFIRM_EXAMPLES),
    "plot": (plot, PLOT_EXAMPLES),
}
WITHOUT_SUBCOMMAND = run


def _run(
    context: typer.Context, folder: Path, launcher: Launcher, imports: list[str], quiet: bool
) -> int:
    from axiomrl.cli.tune_display import run_and_show

    with terminal.warnings_hidden(quiet):
        return run_and_show(
            folder, launcher, command=context.obj.command, imports=imports, quiet=quiet
        )


def _launcher(name: str | None, n_workers: str | None, options: list[str] | None) -> Launcher:
    from axiomrl.study.launchers.opening import open_launcher

    return open_launcher(
        name or "inline",
        n_workers=whole_number("--n-workers", n_workers, low=1),
        options=launcher_options(options),
    )


def _read(folder: Path, *, for_running: bool = False) -> tuple[Search, list[Trial]]:
    from axiomrl.search.folder import read_description
    from axiomrl.search.journal import Journal

    search = read_description(folder, for_running=for_running)
    return search, Journal(folder, search, is_writer=False).trials()
