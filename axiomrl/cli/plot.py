"""`axiomrl plot`: pictures of what the leaderboard says in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from axiomrl.cli import terminal, zoo
from axiomrl.cli.options import PictureFile
from axiomrl.cli.signatures import with_options_of
from axiomrl.errors import InputError

if TYPE_CHECKING:
    from axiomrl.reports.plots import Format

EXAMPLES = """\b
Examples:
  axiomrl plot curves
  axiomrl plot curves --statistic iqm --x wall_time --output-file curves.pdf
  axiomrl plot intervals --env-id 'CartPole*' \\
    --group-by algo,hyperparameters.gamma
  axiomrl plot profiles --group-by algo-env --output-file profiles.svg
"""
BORROWED = (
    "runs_dirs",
    *("algo", "env_id", "status", "tags", "since", "where"),
    *("group_by", "metric", "direction", "reduce", "statistic", "min_seeds"),
    *("manifest", "strict", "no_index", "force"),
)
SMALLEST_IN, LARGEST_IN = 1.0, 50.0


def _plot(
    shared: Mapping[str, Any],
    kind: Annotated[str, typer.Argument(metavar="KIND", hidden=True)],
    output_file: PictureFile = None,
    x: Annotated[
        str,
        typer.Option(
            "--x",
            metavar="env_steps|wall_time",
            help="What curves and efficiency are drawn over.",
        ),
    ] = "env_steps",
    top_k: Annotated[
        int | None,
        typer.Option(
            "--top-k",
            metavar="K",
            help="Draw the K groups that stand highest in some environment.  [default: 10]",
        ),
    ] = None,
    title: Annotated[
        str | None, typer.Option("--title", metavar="TEXT", help="Written above the plot.")
    ] = None,
    no_caption: Annotated[
        bool,
        typer.Option("--no-caption", help="Print the caption instead of drawing it."),
    ] = False,
    width: Annotated[
        float | None,
        typer.Option("--width", metavar="INCHES", help="Of the picture.  [default: what suits]"),
    ] = None,
    height: Annotated[
        float | None,
        typer.Option("--height", metavar="INCHES", help="Of the picture.  [default: what suits]"),
    ] = None,
) -> int:
    """Draw groups of runs: PNG, SVG or PDF.

    KIND is one of: curves (learning curves, a panel per environment), intervals (scores with
    95 % intervals), profiles (which part of the runs scores above each threshold), improvement
    (how probably a run of one group is better than one of another), efficiency (learning curves
    over all environments together). The numbers are those of axiomrl leaderboard. A group has
    the same colour in all panels.
    """
    from axiomrl.reports.picture import make_picture
    from axiomrl.reports.plot_values import require_kind
    from axiomrl.reports.plots import Look
    from axiomrl.runs.files import write_binary

    require_kind(kind, x)
    path = output_file or Path(f"{kind}.png")
    for flag, size in (("--width", width), ("--height", height)):
        if size is not None and not SMALLEST_IN <= size <= LARGEST_IN:
            raise InputError(f"{flag} {size:g}: must be from {SMALLEST_IN:g} to {LARGEST_IN:g}")
    options = dict(shared)
    own_suite = options["manifest"]
    given = zoo.manifests_of(own_suite) if own_suite is not None else []  # fails before any work
    filters = {name: options.pop(name) for name in BORROWED[1:7]}
    question = {name: options.pop(name) for name in BORROWED[7:13]}
    made = make_picture(
        kind,
        options["runs_dirs"],
        zoo.filters_of(default=zoo.RANKED, **filters),
        zoo.question_of(top_k=top_k, **question),
        file_format=picture_format(path, force=options["force"]),
        x=x,
        look=Look(title=title, width_in=width, height_in=height, has_caption=not no_caption),
        manifests=lambda: given or zoo.manifests_of(None),
        use_index=not options["no_index"],
    )
    write_binary(path, made.data)
    for problem in made.problems:
        terminal.warn(str(problem))
    for sentence in (*(made.caption if no_caption else ()), *made.notes):
        terminal.note(sentence)
    terminal.note(f"written: {terminal.short_path(path)}")
    return int(options["strict"] and bool(made.problems))


def picture_format(path: Path, *, force: bool) -> Format:
    """The format that a suffix means; raises InputError where nothing may be written."""
    from axiomrl.reports.plots import FORMATS

    suffix = path.suffix.lower()
    for each in FORMATS:
        if suffix == f".{each}":
            break
    else:
        raise InputError(
            f"--output-file {path}: the suffix {suffix!r} is no format of pictures",
            hint=f"use one of {', '.join(f'.{each}' for each in FORMATS)}",
        )
    if path.is_dir():
        raise InputError(f"--output-file {path}: is a folder")
    if not path.parent.is_dir():
        raise InputError(f"--output-file {path}: there is no folder {path.parent}")
    if path.exists() and not force:
        raise InputError(f"{path} exists already", hint="overwrite it with --force")
    return each


run = with_options_of(zoo.run, BORROWED, _plot)
