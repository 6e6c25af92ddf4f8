"""`axiomrl train`: one configuration, one seed or several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from axiomrl.cli import terminal
from axiomrl.cli.options import Device, Imports, Quiet, Settings, Threads, import_modules, scalar
from axiomrl.cli.terminal import Invocation
from axiomrl.errors import InputError

EXAMPLES = """\b
Examples:
  axiomrl train --config configs/ppo/cartpole.yaml
  axiomrl train --config configs/ppo/cartpole.yaml --seeds 1,2,3
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
    imports: Imports = None,
    quiet: Quiet = False,
) -> None:
    """Train an agent and leave a complete, resumable run directory.

    Flags win over --set, --set wins over the file. The run directory is printed on stdout,
    everything else on stderr.
    """
    from axiomrl.cli.series import train_each
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
        code = train_each(configs, invocation=invocation, imports=imports or (), quiet=quiet)
    raise typer.Exit(code)


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
