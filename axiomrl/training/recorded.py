"""What a recorded run gives those who go on with it: configuration and checkpoints, checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from axiomrl import fingerprint
from axiomrl.config import config_from_mapping, dump_config
from axiomrl.config.schema import TrainConfig
from axiomrl.config.secrets import MASK
from axiomrl.errors import CheckpointError, InputError, RunAliveError
from axiomrl.runs.layout import checkpoint_step
from axiomrl.training import checkpoints

if TYPE_CHECKING:
    from axiomrl.runs.record import RunRecord


def refuse_living(record: RunRecord) -> None:
    """Raise RunAliveError if a process is at work on the run."""
    if record.status == "running":
        process = record.metadata.get("process") or {}
        raise RunAliveError(
            f"{record.directory}: is being written by process {process.get('pid')}",
            hint="wait for it, or stop it first",
        )


def config_of(record: RunRecord, *, device: str | None, threads: int | None) -> TrainConfig:
    """The configuration that a run was started with, with another device or number of threads.

    Raises InputError if config.yaml is not the one that it was started with.
    """
    values = dict(record.config())
    if device is not None:
        values["device"] = device
        if device == "cuda" and values.get("engine") == "mlp":
            values["engine"] = "auto"
    if threads is not None:
        values["threads"] = threads
    source = record.directory / "config.yaml"
    config = config_from_mapping(values, source=str(source))
    _require_unchanged(record, config, source)
    return config


def _require_unchanged(record: RunRecord, config: TrainConfig, source: Path) -> None:
    """Raise unless the configuration read back is the one that the run was started with."""
    metadata = record.metadata
    stored, parent = metadata.get("config_hash"), metadata.get("parent") or {}
    if stored is None or metadata.get("config_hash_scheme") != fingerprint.SCHEME:
        return
    if fingerprint.config_hash(config, parent_hash=parent.get("config_hash")) == stored:
        return
    if f'"{MASK}"' in dump_config(config, mask=False):
        raise InputError(
            f"{source}: holds a masked secret ({MASK}), without which the run cannot go on",
            hint=f"write the value in place of {MASK} for the time of this command",
        )
    raise InputError(
        f"{source}: has been changed since the run was started",
        hint="restore it, or train a new run with the new configuration",
    )


def newest_whole(record: RunRecord) -> Path | None:
    """The newest checkpoint that reads; None if the run has none at all.

    Raises CheckpointError when there are checkpoints but all of them are damaged.
    """
    saved = record.checkpoints()
    for path in reversed(saved):
        if checkpoints.is_valid(path):
            return path
    if saved:
        checkpoints.load(saved[-1])
    return None


def is_same_step(path: Path, newest: Path) -> bool:
    """Whether a checkpoint is the newest one, or its copy `best.pt`."""
    return path.parent.resolve() == newest.parent.resolve() and (
        checkpoint_step(path) == checkpoint_step(newest)
    )


def require_same_work(state: dict[str, Any], config: TrainConfig, path: Path) -> None:
    """Raise CheckpointError if a training state is of another algorithm or environment."""
    if (state["algo"], state["env_id"]) != (config.algo, config.env_id):
        raise CheckpointError(
            f"{path}: is of {state['algo']} on {state['env_id']}, "
            f"the run of {config.algo} on {config.env_id}"
        )


def checkpoint_named(record: RunRecord, name: str | Path) -> tuple[Path, str | None]:
    """The file of a checkpoint by its name, and what should be said of it."""
    if isinstance(name, Path):
        return name, None
    if name == "best" and record.best_checkpoint is None and record.checkpoints():
        note = "the run has no best checkpoint; its newest one is scored"
        return record.checkpoint("final"), note
    return record.checkpoint(name), None
