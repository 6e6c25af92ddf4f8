"""`axiomrl zoo`: compare runs, and see which presets there are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from axiomrl.cli import terminal
from axiomrl.cli.output import deliver, format_of, is_for_screen, screen_options, show
from axiomrl.cli.signatures import parameters_of, with_parameters
from axiomrl.cli.terminal import Invocation
from axiomrl.errors import InputError

if TYPE_CHECKING:
    from axiomrl.reports.filters import Filters
    from axiomrl.reports.html_data import PageOrder
    from axiomrl.reports.standings import Question
    from axiomrl.suites import Manifest

EXAMPLES = """\b
Examples:
  axiomrl zoo --format leaderboard
  axiomrl zoo --format report --where 'hyperparameters.gamma >= 0.99'
  axiomrl zoo --format leaderboard --baseline ppo --statistic iqm
  axiomrl zoo --format leaderboard --output-file board.html
  axiomrl zoo --format commands --seeds 0,1,2
"""
RANKED = "completed,unknown"  # states of the runs that are compared unless others are asked for


def run(
    context: typer.Context,
    view: Annotated[
        Literal["report", "leaderboard", "table", "commands"],
        typer.Option(
            "--format",
            metavar="report|leaderboard|table|commands",
            help="One row per run; ranked groups; the presets of suites; commands to train them.",
        ),
    ] = "report",
    runs_dirs: Annotated[
        list[Path] | None,
        typer.Option(
            "--runs-dir", metavar="DIR", help="Folder of runs. Repeatable.  [default: runs]"
        ),
    ] = None,
    algo: Annotated[
        list[str] | None,
        typer.Option("--algo", metavar="GLOB", help="Only these algorithms. Repeatable."),
    ] = None,
    env_id: Annotated[
        list[str] | None,
        typer.Option("--env-id", metavar="GLOB", help="Only these environments. Repeatable."),
    ] = None,
    status: Annotated[
        str | None,
        typer.Option(
            "--status",
            metavar="NAMES",
            help="Only runs of these states, e.g. completed,running; all for every one."
            "  [default: completed,unknown; in reports all]",
        ),
    ] = None,
    tags: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="TAG", help="Only runs with this tag. Repeatable: all."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="WHEN", help="Only runs made since then: 2026-01-31, 7d."),
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
            help="What runs are counted together by, in every environment by itself.",
        ),
    ] = "config",
    metric: Annotated[
        str, typer.Option("--metric", metavar="NAME", help="What is compared.")
    ] = "eval_return_mean",
    direction: Annotated[
        str,
        typer.Option(
            "--direction",
            metavar="max|min|auto",
            help="Which way the metric is better; auto: what is known of it.",
        ),
    ] = "auto",
    reduce: Annotated[
        str,
        typer.Option(
            "--reduce",
            metavar="final|best|last-window|auc",
            help="What of a run is its score.",
        ),
    ] = "final",
    statistic: Annotated[
        str,
        typer.Option(
            "--statistic", metavar="mean|median|iqm", help="What of its runs is a group's score."
        ),
    ] = "mean",
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", metavar="GROUP", help="Compare the other groups with this one."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", metavar="X", help="Show how many steps it takes to get there."),
    ] = None,
    min_seeds: Annotated[
        int, typer.Option("--min-seeds", metavar="N", help="Rank no group with fewer seeds.")
    ] = 1,
    top_k: Annotated[
        int | None,
        typer.Option("--top-k", metavar="K", help="Show the first K of every environment."),
    ] = None,
    sort_by: Annotated[
        str,
        typer.Option(
            "--sort-by",
            metavar="rank|group|estimate|n_seeds|n_runs|std|min|max",
            help="What groups are sorted by.",
        ),
    ] = "rank",
    descending: Annotated[
        bool, typer.Option("--descending", help="Sort the other way round.")
    ] = False,
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest", metavar="FILE", help="A suite of your own.  [default: the shipped ones]"
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            "--seeds",
            metavar="LIST",
            help="Seeds of the commands, e.g. 0,1,2.  [default: what the suite recommends]",
        ),
    ] = None,
    fail_on_drift: Annotated[
        bool,
        typer.Option("--fail-on-drift", help="Exit with 1 if a run is not as its suite says."),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if something could not be read.")
    ] = False,
    no_index: Annotated[
        bool, typer.Option("--no-index", help="Read every file anew, and keep no index.")
    ] = False,
    output_format: Annotated[
        Literal["text", "json", "csv", "markdown", "html"] | None,
        typer.Option(
            "--output-format",
            metavar="text|json|csv|markdown|html",
            help="How it is printed; html: a page of a leaderboard."
            "  [default: what the file's suffix says, else text]",
        ),
    ] = None,
    output_file: Annotated[
        Path | None,
        typer.Option("--output-file", metavar="PATH", help="Write to a file instead of stdout."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the output file if it exists.")
    ] = False,
) -> int:
    """Show the runs below one or more folders, or the presets of suites.

    Every environment is ranked by itself, each rank with the places that it may be. What cannot
    be read is named on stderr (in JSON under "problems") and left out.
    """
    chosen = format_of(output_format, output_file, force)
    if chosen == "html" and view != "leaderboard":
        raise InputError(
            f"--output-format html: a {view} has no page",
            hint="a leaderboard has: axiomrl leaderboard --output-file board.html",
        )
    if view == "commands":
        return _commands(manifests_of(manifest), seeds, output_file)
    if view == "table":
        return _table(manifests_of(manifest), chosen, output_file)
    question = question_of(
        metric=metric,
        direction=direction,
        reduce=reduce,
        statistic=statistic,
        group_by=group_by,
        baseline=baseline,
        threshold=threshold,
        min_seeds=min_seeds,
        top_k=top_k,
        sort_by=sort_by,
        descending=descending,
    )
    filters = filters_of(
        default=None if view == "report" else RANKED,
        algo=algo,
        env_id=env_id,
        status=status,
        tags=tags,
        since=since,
        where=where,
    )
    return _compared(
        view,
        runs_dirs,
        filters,
        question,
        manifest,
        use_index=not no_index,
        output=(chosen, output_file),
        fails=(strict, fail_on_drift),
        invocation=context.obj,
    )


def question_of(*, direction: str, **options: Any) -> Question:
    """What the options ask of the runs; the names of both are the same."""
    from axiomrl.reports.standings import Question

    return Question(direction=None if direction == "auto" else direction, **options)


def filters_of(
    *,
    default: str | None,
    algo: list[str] | None,
    env_id: list[str] | None,
    status: str | None,
    tags: list[str] | None,
    since: str | None,
    where: str | None,
) -> Filters:
    """Which runs the options mean; of the states in `default` where they say nothing of them."""
    from axiomrl.reports.filters import parse_filters
    from axiomrl.runs.clock import utc_now

    states = default if status is None else status
    return parse_filters(
        algos=algo or (),
        env_ids=env_id or (),
        statuses=[] if status == "all" or states is None else [states],
        tags=tags or (),
        since=since,
        where=where,
        now=utc_now,
    )


def _compared(
    view: str,
    roots: list[Path] | None,
    filters: Filters,
    question: Question,
    manifest: Path | None,
    *,
    use_index: bool,
    output: tuple[str, Path | None],
    fails: tuple[bool, bool],
    invocation: Invocation,
) -> int:
    from axiomrl.reports import zoo

    page = None
    if output[0] == "html":
        page = _page_order(roots, filters, manifest, output[1], invocation)
    given = manifests_of(manifest) if manifest is not None else []  # fails before any work
    shown = zoo.compare(
        view,
        roots,
        filters,
        question,
        manifests=(lambda: given) if manifest is not None else lambda: manifests_of(None),
        use_index=use_index,
        finds_drifts=fails[1],
        for_people=output[0] in ("text", "markdown", "html"),
        short_names=is_for_screen(*output),
        page=page,
    )
    show(shown.document, *output)
    for problem in shown.problems:
        terminal.warn(str(problem))
    if shown.advice:
        terminal.note(shown.advice)
    strict, fail_on_drift = fails
    if fail_on_drift:
        for drift in shown.drifts:
            terminal.warn(drift)
    return int((strict and bool(shown.problems)) or (fail_on_drift and bool(shown.drifts)))


def _page_order(
    roots: list[Path] | None,
    filters: Filters,
    manifest: Path | None,
    output_file: Path | None,
    invocation: Invocation,
) -> PageOrder:
    from axiomrl.reports.html_data import PageOrder
    from axiomrl.runs.clock import utc_now
    from axiomrl.runs.provenance import masked_command
    from axiomrl.runs.store import DEFAULT_ROOT

    return PageOrder(
        roots=tuple(roots or [Path(DEFAULT_ROOT)]),
        filters=filters,
        manifest=manifest,
        folder=(output_file or Path("page")).parent,
        command=tuple(masked_command(invocation.command)),
        made_at=utc_now(),
    )


def manifests_of(path: Path | None) -> list[Manifest]:
    """The suites meant: the one in a file, else those that come with axiomrl."""
    from axiomrl.suites import load_manifest, shipped_manifests

    return [load_manifest(path)] if path is not None else shipped_manifests()


def _commands(manifests: list[Manifest], seeds: str | None, output_file: Path | None) -> int:
    from axiomrl.reports.manifest import train_commands

    chosen = None
    if seeds is not None:
        try:
            chosen = [int(seed) for seed in seeds.split(",")]
        except ValueError:
            raise InputError(
                f"--seeds {seeds!r}: must be whole numbers separated by commas, such as 0,1,2"
            ) from None
    deliver("\n".join(train_commands(manifests, chosen)) + "\n", output_file)
    return 0


def _table(manifests: list[Manifest], output_format: str, output_file: Path | None) -> int:
    from axiomrl.reports.manifest import preset_table
    from axiomrl.reports.renderers import render

    options = screen_options() if is_for_screen(output_format, output_file) else {}
    deliver(render(preset_table(manifests), output_format, **options), output_file)
    return 0


def short_form(view: str, help_text: str) -> Callable[..., int]:
    """`axiomrl zoo --format VIEW` as a command of its own, with the options that concern it."""

    def short(**options: Any) -> int:
        return run(view=view, seeds=None, **options)  # type: ignore[arg-type]

    kept = [each for each in parameters_of(run) if each.name not in ("view", "seeds")]
    return with_parameters(short, kept, help_text)
