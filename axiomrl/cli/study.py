"""`axiomrl study`: run a configuration with several seeds, and look at what came of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from axiomrl.cli import terminal
from axiomrl.cli.options import (
    AllowConfigChange,
    Device,
    Imports,
    LauncherName,
    LauncherOptions,
    NWorkers,
    Quiet,
    RetryFailed,
    Settings,
    Threads,
    import_modules,
    scalar,
    with_launcher,
)
from axiomrl.cli.output import print_table
from axiomrl.errors import InputError

if TYPE_CHECKING:
    from axiomrl.config import TrainConfig
    from axiomrl.study.plan import Plan

HELP = "Run one configuration with several seeds, and summarise it."

EXAMPLES = """\b
Examples:
  axiomrl study run study.yaml
  axiomrl study resume outputs/experiments_runner
  axiomrl study status outputs/experiments_runner
  axiomrl study summary outputs/experiments_runner --metric eval_return_mean
"""

RUN_EXAMPLES = """\b
Examples:
  axiomrl study run study.yaml
  axiomrl study run configs/ppo/cartpole.yaml \\
    --set 'experiments_runner.seeds=[1, 2, 3]'
  axiomrl study run study.yaml --launcher process --n-workers 4
"""

RESUME_EXAMPLES = """\b
Examples:
  axiomrl study resume outputs/experiments_runner
  axiomrl study resume study.yaml --retry-failed
"""

STATUS_EXAMPLES = """\b
Examples:
  axiomrl study status outputs/experiments_runner
  axiomrl study status study.yaml --output-format json
"""

SUMMARY_EXAMPLES = """\b
Examples:
  axiomrl study summary outputs/experiments_runner
  axiomrl study summary study.yaml --metric eval_return_mean \\
    --output-format csv
"""

Target = Annotated[Path, typer.Argument(metavar="DIR_OR_CONFIG", hidden=True)]
OutputFormat = Annotated[
    Literal["text", "json", "csv", "markdown"],
    typer.Option("--output-format", metavar="text|json|csv|markdown", help="How it is printed."),
]


def run(
    context: typer.Context,
    target: Annotated[Path, typer.Argument(metavar="CONFIG", hidden=True)],
    settings: Settings = None,
    device: Device = None,
    threads: Threads = None,
    launcher: LauncherName = None,
    n_workers: NWorkers = None,
    launcher_options: LauncherOptions = None,
    imports: Imports = None,
    quiet: Quiet = False,
) -> None:
    """Begin a study: train CONFIG once per seed.

    CONFIG is a YAML file with a block experiments_runner. A folder that holds a study already is
    left alone. The study's folder is printed on stdout, everything else on stderr.
    """
    import_modules(imports)
    if target.is_dir():
        raise InputError(
            f"{target}: is a folder, but a study begins with a configuration file",
            hint=f"to go on with the study in it: axiomrl study resume {target}",
        )
    config = _loaded(target, settings, device=device, threads=threads)
    config = with_launcher(config, launcher, n_workers, launcher_options)
    _run(context, config, source=str(target), imports=imports, quiet=quiet)


def resume(
    context: typer.Context,
    target: Target,
    settings: Settings = None,
    retry_failed: RetryFailed = False,
    allow_config_change: AllowConfigChange = False,
    device: Device = None,
    threads: Threads = None,
    launcher: LauncherName = None,
    n_workers: NWorkers = None,
    launcher_options: LauncherOptions = None,
    imports: Imports = None,
    quiet: Quiet = False,
) -> None:
    """Go on with a study as if it had never stopped.

    DIR_OR_CONFIG is a study's folder or its configuration file. Completed runs are skipped, an
    interrupted one continues exactly from its newest checkpoint. Another configuration than the
    one the study was planned with is refused.
    """
    from axiomrl.study.plan import stored_config

    import_modules(imports)
    folder, plan, config = _found(target, settings, device=device, threads=threads)
    if config is None:
        if settings:
            raise InputError(
                "--set: the configuration of a study that is named by its folder is fixed",
                hint="name the configuration file instead",
            )
        config = stored_config(folder, plan)
        flags = {"device": device, "threads": scalar(threads)}
        config = replace(config, **{key: value for key, value in flags.items() if value})
    config = with_launcher(config, launcher, n_workers, launcher_options)
    runner = replace(config.experiments_runner, resume=True, output_base_dir=str(folder))
    _run(
        context,
        replace(config, mode="run-experiments", experiments_runner=runner),
        source=str(target),
        imports=imports,
        quiet=quiet,
        retry_failed=retry_failed,
        allow_config_change=allow_config_change,
    )


def status(target: Target, output_format: OutputFormat = "text") -> None:
    """Show how the runs of a study stand.

    DIR_OR_CONFIG is a study's folder or its configuration file.
    """
    from axiomrl.study.summary import results_of
    from axiomrl.study.tables import runs_table

    folder, plan, _ = _found(target)
    print_table(runs_table(results_of(folder, plan), plan), output_format)


def summary(
    target: Target,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            metavar="NAME",
            help="A metric to show. Repeatable.  [default: experiments_runner.summary_metrics]",
        ),
    ] = None,
    output_format: OutputFormat = "text",
) -> None:
    """Show what the completed runs of a study came to.

    DIR_OR_CONFIG is a study's folder or its configuration file. std has ddof = 1; the interval
    is a 95 % bootstrap interval of the mean; the run nearest to the mean stands for the study.
    """
    from axiomrl.cli.study_display import known_metrics, required_metrics
    from axiomrl.study.summary import results_of
    from axiomrl.study.tables import summary_table

    folder, plan, _ = _found(target)
    results = results_of(folder, plan)
    if not any(result.state == "completed" for result in results):
        terminal.note("no run is completed yet")
    if metric:
        metrics = required_metrics(results, metric, folder)
    else:
        metrics = known_metrics(results, plan.config["experiments_runner"]["summary_metrics"])
    print_table(summary_table(results, metrics), output_format)


SUBCOMMANDS = {
    "run": (run, RUN_EXAMPLES),
    "resume": (resume, RESUME_EXAMPLES),
    "status": (status, STATUS_EXAMPLES),
    "summary": (summary, SUMMARY_EXAMPLES),
}


def _loaded(
    path: Path, settings: list[str] | None, *, device: str | None, threads: str | None
) -> TrainConfig:
    """The configuration of a study in a file, whatever `mode` it says."""
    from axiomrl.config import load_config

    flags = {"mode": "run-experiments", "device": device, "threads": scalar(threads)}
    return load_config(path, overrides=settings or (), flags=flags)


def _found(
    target: Path,
    settings: list[str] | None = None,
    *,
    device: str | None = None,
    threads: str | None = None,
) -> tuple[Path, Plan, TrainConfig | None]:
    """A study's folder and plan, and the configuration if it was named by that.

    Raises InputError where there is no study.
    """
    from axiomrl.study.plan import STATE, read_plan

    config, folder = None, target
    if target.name == STATE and target.is_file():
        folder = target.parent
    elif not target.is_dir():
        config = _loaded(target, settings, device=device, threads=threads)
        folder = Path(config.experiments_runner.output_base_dir).expanduser()
    plan = read_plan(folder)
    if plan is None:
        raise InputError(
            f"{folder}: holds no study (there is no {STATE})",
            hint="begin one with: axiomrl study run CONFIG",
        )
    return folder, plan, config


def _run(
    context: typer.Context,
    config: TrainConfig,
    *,
    source: str,
    imports: list[str] | None,
    quiet: bool,
    **options: Any,
) -> None:
    from axiomrl.cli.study_display import run_and_show

    with terminal.warnings_hidden(quiet):
        code = run_and_show(
            config,
            source=source,
            invocation=context.obj,
            imports=imports or (),
            quiet=quiet,
            **options,
        )
    raise typer.Exit(code)
