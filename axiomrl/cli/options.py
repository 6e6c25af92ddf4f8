"""Options that several commands share, and what they mean."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from axiomrl.errors import CheckpointError, InputError

if TYPE_CHECKING:
    from axiomrl.config import TrainConfig
    from axiomrl.runs.record import RunRecord

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY.PATH=VALUE",
        help="Override one setting of the config, e.g. hyperparameters.gamma=0.98. Repeatable.",
    ),
]
Imports = Annotated[
    list[str] | None,
    typer.Option(
        "--import",
        metavar="MODULE",
        help="Import a module first, e.g. one that registers environments. Repeatable.",
    ),
]
Device = Annotated[
    str | None,
    typer.Option("--device", metavar="auto|cpu|cuda", help="Where networks live."),
]
Threads = Annotated[
    str | None,
    typer.Option("--threads", metavar="N", help="CPU threads for matrix products."),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", help="Print nothing but the run directory and errors.")
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Of a study that is resumed, repeat failed runs.")
]
AllowConfigChange = Annotated[
    bool,
    typer.Option(
        "--allow-config-change",
        help="Resume a study with a changed configuration: for the runs not yet begun.",
    ),
]
PictureFile = Annotated[
    Path | None,
    typer.Option(
        "--output-file", metavar="PATH", help="A .png, .svg or .pdf file.  [default: KIND.png]"
    ),
]
LauncherName = Annotated[
    str | None,
    typer.Option(
        "--launcher",
        metavar="inline|process|ray|slurm",
        help="Where runs are computed: here one by one, in worker processes, on a cluster.",
    ),
]
NWorkers = Annotated[
    str | None,
    typer.Option("--n-workers", metavar="N", help="How many runs are computed at once."),
]
LauncherOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--launcher-option",
        metavar="KEY=VALUE",
        help="A setting of the launcher, e.g. address=auto for Ray. Repeatable.",
    ),
]
RunsDir = Annotated[
    Path,
    typer.Option("--runs-dir", metavar="DIR", help="Folder in which runs are looked up by name."),
]
RunName = Annotated[
    str,
    # The commands' own texts say what it may be: typer would list it with its Python type.
    typer.Argument(metavar="RUN_OR_CHECKPOINT", hidden=True),
]


def scalar(text: str | None) -> Any:
    """A flag's value as a configuration file would read it, for the one validator to judge."""
    if text is None:
        return None
    from axiomrl.config.yaml_files import plain_scalar

    return plain_scalar(text.strip())


def whole_number(flag: str, text: str | None, *, low: int) -> int | None:
    """The value of a flag that no configuration has; raises InputError outside its range."""
    value = scalar(text)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is not None and (type(value) is not int or value < low):
        raise InputError(f"{flag} is {text!r}, but must be an integer >= {low}")
    return value


def launcher_options(texts: Sequence[str] | None) -> dict[str, str]:
    """What `--launcher-option` gives, by key; raises InputError for a text without `=`."""
    options = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise InputError(
                f"--launcher-option {text}: is not KEY=VALUE", hint="for example: address=auto"
            )
        if key.strip() in options:
            raise InputError(f"--launcher-option {text}: {key.strip()} is given twice")
        options[key.strip()] = value.strip()
    return options


def with_launcher(
    config: TrainConfig,
    launcher: str | None,
    n_workers: str | None,
    options: Sequence[str] | None,
) -> TrainConfig:
    """A study, on the launcher that the three flags name; each wins over its configuration.

    Options of the configuration do not count for another launcher than its own.
    """
    runner = config.experiments_runner
    kept = runner.launcher_options if launcher in (None, runner.launcher) else {}
    wanted = whole_number("--n-workers", n_workers, low=1)
    chosen = replace(
        runner,
        launcher=launcher or runner.launcher,
        n_workers=runner.n_workers if wanted is None else wanted,
        launcher_options={**kept, **launcher_options(options)},
    )
    return replace(config, experiments_runner=chosen)


def import_modules(names: Sequence[str] | None) -> None:
    """Import what `--import` names; modules in the current folder are found as well.

    Raises InputError that names the cause when a module cannot be imported.
    """
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)  # last, so that no file here hides an installed package
    for name in names or ():
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            hint = "modules are looked for among the installed ones and in the current folder"
            raise InputError(f"--import {name}: {error}", hint=hint) from error
        except (Exception, SystemExit) as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            raise InputError(
                f"--import {name}: {type(error).__name__}: {error}",
                hint=f"raised at {place.filename}:{place.lineno}",
            ) from error


def find_run(name: str, runs_dir: Path) -> tuple[RunRecord, Path | None]:
    """The run that a name means, and the checkpoint if the name is that of a checkpoint file.

    Raises RunNotFoundError if no run answers to the name or the file lies in none,
    CheckpointError for a checkpoint that is missing.
    """
    from axiomrl.runs.store import RunStore

    files = [path for path in (Path(name), runs_dir / name) if path.is_file()]
    if name.endswith(".pt") and not files:
        raise CheckpointError(f"{name}: no such checkpoint")
    return RunStore(runs_dir).find(name), files[0] if files else None
