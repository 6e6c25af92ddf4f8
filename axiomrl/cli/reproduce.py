"""`axiomrl reproduce`: does a run come out the same when it is trained again?"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from axiomrl.cli import terminal
from axiomrl.cli.options import (
    Imports,
    Quiet,
    RunName,
    RunsDir,
    find_run,
    import_modules,
    whole_number,
)
from axiomrl.cli.progress import progress_display
from axiomrl.errors import InputError, Interrupted

if TYPE_CHECKING:
    from axiomrl.training.reproduction import Reproduction

SCHEMA_VERSION = 1

EXAMPLES = """\b
Examples:
  axiomrl reproduce ppo__CartPole-v1__seed0
  axiomrl reproduce ppo__CartPole-v1__seed0 --until 20000
"""


def run(
    context: typer.Context,
    name: RunName,
    until: Annotated[
        str | None,
        typer.Option(
            "--until", metavar="N", help="Compare the first N env steps only: a quick check."
        ),
    ] = None,
    output_dir: Annotated[
        Path | None,
        typer.Option(
            "--output-dir",
            metavar="DIR",
            help="Folder to train the second run in, and keep it.  "
            "[default: a temporary one, kept if the runs differ]",
        ),
    ] = None,
    output_format: Annotated[
        Literal["text", "json"],
        typer.Option("--output-format", metavar="text|json", help="How the answer is printed."),
    ] = "text",
    runs_dir: RunsDir = Path("runs"),
    imports: Imports = None,
    quiet: Quiet = False,
) -> int:
    """Train a run again from its own configuration, and say whether it comes out the same.

    Metrics and the training states of checkpoints are compared, bit for bit; of a run that has
    not ended, as far as it goes. Where they differ, training ends early, and the first difference
    is printed with what else is different: versions, machine, commit. Exits with 1 then.
    """
    import_modules(imports)
    steps = whole_number("--until", until, low=0)
    record, file = find_run(name, runs_dir)
    if file is not None:
        raise InputError(f"{name}: is a checkpoint", hint="name the run that it is of")
    from axiomrl.training.reproduction import reproduce

    folder = output_dir or Path(tempfile.mkdtemp(prefix="axiomrl-reproduce-"))
    is_worth_keeping = output_dir is not None
    try:
        with (
            terminal.warnings_hidden(quiet),
            progress_display(f"again: {record.directory.name}", quiet=quiet) as on_progress,
        ):
            found = reproduce(
                record,
                output_dir=folder,
                until=steps,
                command=context.obj.command,
                on_progress=on_progress,
            )
        is_worth_keeping = is_worth_keeping or not found.is_identical
    except Interrupted as interruption:
        raise Interrupted(
            "interrupted; the second run is given up",
            signal_number=interruption.signal_number,
        ) from interruption
    finally:
        if not is_worth_keeping:
            shutil.rmtree(folder, ignore_errors=True)
    kept = found.directory if is_worth_keeping else None
    if output_format == "json":
        import json

        terminal.data(json.dumps(as_mapping(found, kept), indent=2))
    else:
        terminal.data("\n".join(as_lines(found, kept)))
    return int(not found.is_identical)


def as_mapping(found: Reproduction, kept: Path | None) -> dict[str, Any]:
    """What `--output-format json` prints."""
    from dataclasses import asdict

    values = asdict(found)
    return {
        "schema_version": SCHEMA_VERSION,
        "is_identical": found.is_identical,
        **values,
        "run": str(found.run.absolute()),
        "directory": str(kept.absolute()) if kept is not None else None,
    }


def as_lines(found: Reproduction, kept: Path | None) -> list[str]:
    """The answer for people."""
    saved = ", ".join(found.checkpoints) or "none that both have"
    difference = found.difference
    if difference is not None:
        lines = [
            f"differs at step {difference.step:,}: {difference.metric} "
            f"was {_shown(difference.first)}, is {_shown(difference.second)}"
        ]
    elif found.differing_checkpoints:
        lines = [f"differs: the training state in {', '.join(found.differing_checkpoints)}"]
    else:
        lines = [f"identical up to step {found.env_steps:,}"]
    lines.append(f"  compared: {found.rows} rows of metrics; checkpoints: {saved}")
    for each in found.circumstances if not found.is_identical else ():
        lines.append(f"  {each.name}: was {_shown(each.first)}, is {_shown(each.second)}")
    if not found.is_identical and not found.circumstances:
        lines.append("  versions, machine and commit are the same")
    if kept is not None:
        lines.append(f"  the second run: {terminal.short_path(kept)}")
    return lines


def _shown(value: Any) -> str:
    return "missing" if value is None else str(value)
