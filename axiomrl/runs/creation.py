"""How a run directory comes to be: exclusively, completely, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from axiomrl import fingerprint
from axiomrl.config.schema import TrainConfig
from axiomrl.errors import AxiomRLError, InputError
from axiomrl.runs import files, layout, provenance
from axiomrl.runs.clock import Clock, timestamp
from axiomrl.runs.metadata import SCHEMA_VERSION

_CREATE_ATTEMPTS = 1000


@dataclass(frozen=True, kw_only=True)
class Parent:
    """The run and checkpoint that another run continues."""

    path: str  # the checkpoint, absolute
    step: int  # env steps it had
    config_hash: str  # of the parent run; part of the child's hash
    run_id: str | None = None


def make_directory(
    config: TrainConfig, now: Clock, exact: Path | None = None
) -> tuple[Path, datetime, list[Path]]:
    """A directory that nobody else has, when it was made, and the parents made for it.

    It lies in `config.output_dir` under a name of its own, unless `exact` says where. Raises
    InputError if it cannot be made, or `exact` is there already.
    """
    wanted = Path(config.output_dir) if exact is None else exact.parent
    root = Path(os.path.abspath(wanted.expanduser()))
    added: list[Path] = []
    directory = root
    try:
        missing = [folder for folder in (root, *root.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            added.append(folder)
        created = now()
        if exact is not None:
            directory = root / exact.name
            directory.mkdir()
            return directory, created, added
        for _ in range(_CREATE_ATTEMPTS):
            name = layout.directory_name(config.algo, config.env_id, config.seed, created)
            directory = root / name
            try:
                directory.mkdir()
            except FileExistsError:
                created = max(now(), created + timedelta(microseconds=1))
            else:
                return directory, created, added
        raise FileExistsError(f"{_CREATE_ATTEMPTS} directory names in a row are taken")
    except OSError as error:
        remove_directory(None, added)
        raise unusable_output(directory, error) from error


def remove_torn_directory(directory: Path) -> None:
    """Make room where a process was killed while it made a run directory.

    Such a directory has no metadata.json, and nothing in it but what `Run.create` puts there
    before. Raises InputError, leaving it as it is, if it holds anything else.
    """
    if not directory.is_dir():
        return
    made = (layout.CONFIG, layout.DIFF, layout.TENSORBOARD)
    unknown = []
    for path in sorted(directory.iterdir()):
        if path.name == layout.CHECKPOINTS:
            is_known = not any(path.iterdir())
        elif path.name == layout.METRICS:
            is_known = path.stat().st_size == 0
        else:
            is_known = path.name in made or files.is_temporary(path.name)
        if not is_known:
            unknown.append(path.name)
    if unknown:
        raise InputError(
            f"{directory}: is no run (it has no {layout.METADATA}), but holds {unknown[0]}",
            hint="move it away",
        )
    shutil.rmtree(directory)


def remove_directory(directory: Path | None, added: Sequence[Path]) -> None:
    """Undo what creating a run has made; folders that others have put something in stay."""
    if directory is not None:
        shutil.rmtree(directory, ignore_errors=True)
    for folder in reversed(added):
        try:
            folder.rmdir()
        except OSError:
            return


def unusable_output(directory: Path, error: OSError | AxiomRLError) -> InputError:
    """The error for an output folder in which no run directory can be made."""
    reason = error.message if isinstance(error, AxiomRLError) else error.strerror or str(error)
    return InputError(
        f"output_dir: the run directory {directory} cannot be written: {reason}",
        hint="choose another folder with --output-dir",
    )


def benchmark_block(
    config: TrainConfig, values: Mapping[str, Any], parent: Parent | None
) -> dict[str, Any]:
    """The `benchmark` of metadata.json: the configuration's, and which preset it speaks of.

    A run that continues another is no run of a preset any more. Raises InputError for a
    manifest that was asked for and cannot be used.
    """
    from axiomrl.suites import recorded_fingerprint  # readers of runs do without its 5 ms

    recorded = recorded_fingerprint(config.benchmark) if parent is None else None
    added = {} if recorded is None else {"manifest_fingerprint": recorded}
    return {**values["benchmark"], **added}


def first_metadata(
    config: TrainConfig,
    benchmark: Mapping[str, Any],
    directory: Path,
    created: datetime,
    parent: Parent | None,
) -> dict[str, Any]:
    """What metadata.json says of a run that has just been made.

    `command`, `system` and `git` are still empty.
    """
    parent_hash = parent.config_hash if parent is not None else None
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": fingerprint.run_id(config, parent_hash=parent_hash),
        "algo": config.algo,
        "env_id": config.env_id,
        "seed": config.seed,
        "status": "running",
        "output_dir": str(directory),
        "created_at_utc": timestamp(created),
        "command": [],
        "config_hash": fingerprint.config_hash(config, parent_hash=parent_hash),
        "config_hash_scheme": fingerprint.SCHEME,
        "tags": list(config.tags),
        "parent": asdict(parent) if parent is not None else None,
        "benchmark": benchmark,
        "system": {},
        "versions": provenance.versions(),
        "git": {},
        "process": provenance.this_process(),
        "progress": {
            "env_steps": 0,
            "total_timesteps": config.total_timesteps,
            "gradient_steps": 0,
            "duration_s": 0.0,
            "env_steps_per_s": None,
        },
        "latest_metrics": {},
        "non_finite_metrics": {},
    }
