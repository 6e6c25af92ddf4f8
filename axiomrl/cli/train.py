"""`axiomrl train`: one configuration, one seed or several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from axiomrl.cli.terminal import Invocation
from axiomrl.errors import InputError

if TYPE_CHECKING:
    from axiomrl.config import TrainConfig

EXAMPLES = """\b
Examples:
  axiomrl train --config configs/ppo/cartpole.yaml
  axiomrl train --config configs/ppo/cartpole.yaml --seeds 1,2,3
  axiomrl train --config study.yaml --set experiments_runner.resume=true
  axiomrl train --config configs/ppo/cartpole.yaml \\
    --set hyperparameters.learning_rate=1e-3 --total-timesteps 50000
"""


def run(
    context: typer.Context,
    config: Annotated[
        Path, typer.Option("--config", metavar="PATH", help="YAML file: what to train.")
    ],
    settings: Settings = None,
    seed: Annotated[
        str | None, typer.Option("--seed", metavar="N", help="Seed of everything random.")
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option("--seeds", metavar="N,N,...", help="Train once per seed, one after another."),
    ] = None,
    total_timesteps: Annotated[
        str | None,
        typer.Option("--total-timesteps", metavar="N", help="Env steps to train for."),
    ] = None,
    output_dir: Annotated[
        str | None,
        typer.Option(
            "--output-dir", metavar="DIR", help="Folder in which the run directory is made."
        ),
    ] = None,
    device: Device = None,
    threads: Threads = None,
    retry_failed: RetryFailed = False,
    allow_config_change: AllowConfigChange = False,
    launcher: LauncherName = None,
    n_workers: NWorkers = None,
    launcher_options: LauncherOptions = None,
    imports: Imports = None,
    quiet: Quiet = False,
) -> None:
    """Train an agent and leave a complete, resumable run directory.

    Flags win over --set, --set wins over the file. The run directory is printed on stdout,
    everything else on stderr. With `mode: run-experiments` the file is a study: its runs are
    made in its folder, by its launcher. A seed given as a flag makes it one plain run.
    """
    from axiomrl.config import load_config

    import_modules(imports)
    flags: dict[str, Any] = {
        "seed": scalar(seed),
        "total_timesteps": scalar(total_timesteps),
        "output_dir": output_dir,
        "device": device,
        "threads": scalar(threads),
    }
    with terminal.warnings_hidden(quiet):
        configs = [
            load_config(config, overrides=settings or (), flags={**flags, **chosen})
            for chosen in _chosen_seeds(seeds, seed)
        ]
        invocation: Invocation = context.obj
        if configs[0].mode == "run-experiments" and seed is None:
            if seeds is not None:
                raise InputError(
                    f"--seeds: {config} is a study, and says its seeds itself",
                    hint="use --set 'experiments_runner.seeds=[1, 2, 3]', or --seed for one run",
                )
            from axiomrl.cli.study_display import run_and_show

            code = run_and_show(
                with_launcher(
                    _in_folder(configs[0], output_dir), launcher, n_workers, launcher_options
                ),
                source=str(config),
                invocation=invocation,
                imports=imports or (),
                quiet=quiet,
                retry_failed=retry_failed,
                allow_config_change=allow_config_change,
            )
        else:
            _refuse_study_flags(
                config,
                {
                    "--retry-failed": retry_failed,
                    "--allow-config-change": allow_config_change,
                    "--launcher": launcher,
                    "--n-workers": n_workers,
                    "--launcher-option": launcher_options,
                },
            )
            from axiomrl.cli.series import train_each

            plain = [_as_one_run(each) for each in configs]
            code = train_each(plain, invocation=invocation, imports=imports or (), quiet=quiet)
    raise typer.Exit(code)


def _in_folder(config: TrainConfig, output_dir: str | None) -> TrainConfig:
    """A study, in the folder that `--output-dir` names if it was given."""
    if output_dir is None:
        return config
    runner = replace(config.experiments_runner, output_base_dir=output_dir)
    return replace(config, experiments_runner=runner)


def _as_one_run(config: TrainConfig) -> TrainConfig:
    from axiomrl.config import ExperimentsRunnerConfig

    return replace(config, mode="train", experiments_runner=ExperimentsRunnerConfig())


def _refuse_study_flags(config: Path, flags: Mapping[str, object]) -> None:
    for flag, value in flags.items():
        if value:
            raise InputError(
                f"{flag}: {config} is trained as one run, not as a study",
                hint="a study has mode: run-experiments",
            )


def _chosen_seeds(text: str | None, seed: str | None) -> list[dict[str, int]]:
    """The flags that `--seeds` stands for, one mapping per run."""
    if text is None:
        return [{}]
    if seed is not None:
        raise InputError("--seed and --seeds exclude each other", hint="give one of them")
    seeds: list[int] = []
    for word in text.split(","):
        try:
            number = int(word)
        except ValueError:
            raise InputError(
                f"--seeds {text}: {word.strip()!r} is not a whole number",
                hint="write whole numbers with commas between them: --seeds 1,2,3",
            ) from None
        if number in seeds:
            raise InputError(f"--seeds {text}: {number} stands there twice")
        seeds.append(number)
    return [{"seed": number} for number in seeds]
