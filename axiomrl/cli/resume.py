"""`axiomrl resume`: go on with a run as if it had never stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from axiomrl.cli import terminal
from axiomrl.cli.options import (
    Device,
    Imports,
    Quiet,
    RunName,
    Threads,
    find_run,
    import_modules,
    whole_number,
)
from axiomrl.cli.progress import progress_display
from axiomrl.cli.series import repeat_imports
from axiomrl.cli.summary import show_finished
from axiomrl.cli.terminal import Invocation
from axiomrl.errors import InputError, Interrupted

EXAMPLES = """\b
Examples:
  axiomrl resume ppo__CartPole-v1__seed0
  axiomrl resume ppo__CartPole-v1__seed0 --total-timesteps 200000
"""


def run(
    context: typer.Context,
    name: RunName,
    total_timesteps: Annotated[
        str | None,
        typer.Option(
            "--total-timesteps",
            metavar="N",
            help="Train to this many env steps in total; a finished run is continued as a new one.",
        ),
    ] = None,
    runs_dir: Annotated[
        Path | None,
        typer.Option(
            "--runs-dir",
            metavar="DIR",
            help="Folder in which runs are looked up by name, and a new run is made.  "
            "[default: runs, and beside the run that is continued]",
        ),
    ] = None,
    device: Device = None,
    threads: Threads = None,
    imports: Imports = None,
    quiet: Quiet = False,
) -> None:
    """Continue a run exactly where its newest checkpoint left it.

    RUN_OR_CHECKPOINT is a run's directory, a unique prefix of its name, its run id, or a
    checkpoint file. An unfinished run is completed in its own directory. A finished one, or a
    checkpoint that is not the newest, is continued as a new run that names its parent.
    """
    import_modules(imports)
    steps = whole_number("--total-timesteps", total_timesteps, low=1)
    thread_count = whole_number("--threads", threads, low=1)
    if device not in (None, "auto", "cpu", "cuda"):
        raise InputError(f"--device is {device!r}, but must be one of auto, cpu, cuda")
    record, checkpoint = find_run(name, runs_dir or Path("runs"))
    from axiomrl.training import session

    invocation: Invocation = context.obj
    metadata = record.metadata
    title = f"{metadata.get('algo')} on {metadata.get('env_id')}, seed {metadata.get('seed')}"
    try:
        with (
            terminal.warnings_hidden(quiet),
            progress_display(f"resuming {title}", quiet=quiet) as on_progress,
        ):
            finished = session.resume(
                record,
                checkpoint=checkpoint,
                total_timesteps=steps,
                runs_dir=runs_dir,
                device=device,
                threads=thread_count,
                command=invocation.command,
                on_progress=on_progress,
            )
    except Interrupted as interruption:
        repeat_imports(interruption, imports or ())
        raise
    show_finished(finished, quiet=quiet, imports=imports or ())
