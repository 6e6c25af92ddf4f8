"""The two kinds of files of records: what is in them, and whether it can be trusted.

`config.json` says what a configuration's hash stands for, `seed<N>.json` what a seed gave.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from axiomrl import fingerprint
from axiomrl.artifacts.local import LocalBackend
from axiomrl.artifacts.reference import ArtifactRef
from axiomrl.config.schema import TrainConfig
from axiomrl.config.secrets import MASK, mask_mapping
from axiomrl.errors import InputError
from axiomrl.records.layout import ARTIFACTS, Place
from axiomrl.results import RunResult
from axiomrl.runs.files import read_regular_file

SCHEMA_VERSION = 1
"""Version of both kinds of files; added keys do not change it."""

_LIMIT = 1 << 28  # bytes; a record of a million logged numbers has 20 million


def config_content(place: Place, config: TrainConfig) -> dict[str, Any]:
    """What config.json says; secrets are masked."""
    return {
        "schema_version": SCHEMA_VERSION,
        "config_hash": place.config_hash,
        "config_hash_scheme": fingerprint.SCHEME,
        "algo": place.algo,
        "env_id": place.env_id,
        "run_config": masked_run_config(config),
    }


def masked_run_config(config: TrainConfig) -> dict[str, Any]:
    """The settings that count, without secrets."""
    return mask_mapping(fingerprint.run_config(config))


def read_config(path: Path) -> dict[str, Any]:
    """The content of a config.json whose settings have the hash that its folder is named after.

    Settings with a masked secret cannot be compared with their hash, nor those that another
    version has hashed by other rules. Raises FileNotFoundError, and InputError that names the
    file for whatever else is wrong.
    """
    content = _read_object(path)
    expected, run_config = path.parent.name, content.get("run_config")
    named = [content.get(name) for name in ("config_hash", "algo", "env_id")]
    if not isinstance(run_config, dict) or not all(isinstance(each, str) for each in named):
        raise _unusable(path, "does not describe a configuration")
    is_comparable = content.get(
        "config_hash_scheme"
    ) == fingerprint.SCHEME and f'"{MASK}"' not in json.dumps(run_config)
    if named[0] != expected or (is_comparable and fingerprint.hash_of(run_config) != expected):
        raise _unusable(path, f"does not match its hash {expected}: it was changed or damaged")
    return content


def require_config(place: Place, config: TrainConfig) -> bool:
    """Whether config.json is there; raises InputError if it is that of another configuration."""
    try:
        content = read_config(place.config)
    except FileNotFoundError:
        return False
    if content["run_config"] != masked_run_config(config):
        raise _unusable(
            place.config, f"describes another configuration of hash {place.config_hash}"
        )
    return True


def record_content(
    place: Place, result: RunResult, attempts: list[dict[str, Any]]
) -> dict[str, Any]:
    """What seed<N>.json says of a result; paths are relative to the folder of results."""
    values = result.to_mapping()
    del values["run_config"]  # stands in config.json
    metadata = dict(values.pop("metadata"))
    directory = relative(place, metadata.pop("run_directory"))
    first = {name: values.pop(name) for name in ("run_id", "config_hash", "seed", "score")}
    long = {name: values.pop(name) for name in ("hparams", "history")}
    return {
        "schema_version": SCHEMA_VERSION,
        **first,
        **values,
        "metadata": metadata,
        "run_directory": directory,
        "attempts": attempts,
        **long,
    }


def read_record(path: Path, place: Place, run_config: Mapping[str, Any]) -> RunResult:
    """The result in a seed<N>.json.

    Raises FileNotFoundError, and InputError that names the file if it is damaged, belongs
    elsewhere or was written by a newer version.
    """
    content = _read_object(path)
    version = content.get("schema_version")
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        known = f"schema_version {version!r}, known here: {SCHEMA_VERSION}"
        raise _unusable(path, f"was written by another version of axiomrl ({known})")
    try:
        result = RunResult.from_mapping({**content, "run_config": run_config})
    except InputError as error:
        raise _unusable(path, f"is no record: {error.message}") from error
    if result.seed is None or path != place.record(result.seed):
        raise _unusable(path, f"is the record of seed {result.seed}")
    if result.config_hash != place.config_hash:
        raise _unusable(path, f"is a record of configuration {result.config_hash}")
    directory = content.get("run_directory")
    if isinstance(directory, str):
        result.metadata["run_directory"] = str(place.save_dir / directory)
    result.artifacts = {
        name: _here(place.save_dir, artifact) for name, artifact in result.artifacts.items()
    }
    return result


def relative(place: Place, directory: Path | str) -> str:
    """A directory below the folder of results, as its files name it."""
    return Path(directory).relative_to(place.save_dir).as_posix()


def _here(save_dir: Path, artifact: ArtifactRef) -> ArtifactRef:
    """The artifact in this folder of results, which may be a copy of where it was written."""
    backend = LocalBackend(save_dir / ARTIFACTS)
    is_local = artifact.url.startswith("file:")
    return replace(artifact, url=backend.url) if is_local and backend.exists(artifact) else artifact


def _read_object(path: Path) -> dict[str, Any]:
    try:
        data, _ = read_regular_file(str(path), limit=_LIMIT)
        content = json.loads(data)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror or error}") from error
    except InputError as error:
        raise _unusable(path, error.message) from error
    except (ValueError, RecursionError) as error:
        raise _unusable(path, f"is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise _unusable(path, "holds no JSON object")
    return content


def _unusable(path: Path, fault: str) -> InputError:
    return InputError(
        f"{path}: {fault}",
        hint="restore it, or move it away; it can be written again from the run directories",
    )
