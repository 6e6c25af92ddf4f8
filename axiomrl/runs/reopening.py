"""What is read of a run directory before it is written on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from axiomrl.errors import RunNotFoundError
from axiomrl.runs import files, layout
from axiomrl.runs.metadata import SCHEMA_VERSION


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What a Run needs of its configuration."""

    total_timesteps: int
    tensorboard: bool
    checkpoint_every: int
    checkpoint_keep: int

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> RunSettings:
        """Settings from a configuration as a mapping; raises KeyError, AttributeError."""
        checkpoint = config.get("checkpoint") or {}
        return cls(
            total_timesteps=config["total_timesteps"],
            tensorboard=(config.get("logging") or {}).get("tensorboard", True),
            checkpoint_every=checkpoint.get("every", 0),
            checkpoint_keep=checkpoint.get("keep", 1),
        )


def read_metadata(directory: Path) -> dict[str, Any]:
    """Metadata of a run that may be continued, as it is on disk.

    Raises RunNotFoundError if it is missing, unreadable or of a newer version.
    """
    path = directory / layout.METADATA
    if not path.is_file():
        raise RunNotFoundError(f"{directory}: is not a run: it has no {layout.METADATA}")
    metadata = _read_object(path)
    version = metadata.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise RunNotFoundError(
            f"{path}: was written by a newer axiomrl (schema_version {version}, known here: "
            f"{SCHEMA_VERSION})",
            hint="continue it with the version that wrote it",
        )
    return metadata


def read_settings(directory: Path) -> RunSettings:
    """Settings from config.yaml; raises RunNotFoundError if it cannot be read."""
    path = directory / layout.CONFIG
    try:
        return RunSettings.of(_read_object(path))
    except (KeyError, AttributeError) as error:
        raise RunNotFoundError(f"{path}: is not the configuration of a run") from error


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = files.read_json(path)
    except (OSError, ValueError) as error:
        raise RunNotFoundError(f"{path}: cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise RunNotFoundError(f"{path}: holds no JSON object")
    return value
