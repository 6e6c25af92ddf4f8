"""Suites of presets: manifests, and the fingerprint by which a run is known to belong to one.

A manifest (`configs/suites/*.yaml`) says which presets a suite consists of and how they are
scored. Its fingerprint is made of what it means: neither comments, descriptions, key order and
recommended seeds nor the place of its files change it.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from axiomrl.config import TrainConfig, load_config
from axiomrl.config.locations import presets_folder
from axiomrl.config.schema import BenchmarkConfig
from axiomrl.errors import InputError, did_you_mean
from axiomrl.fingerprint import config_hash

SCHEMA_VERSION = 1
_DIGITS = 16  # of a fingerprint, as of a config_hash
_Name = Annotated[str, msgspec.Meta(min_length=1, pattern=r"^\S.*$")]


class Protocol(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the runs of a suite are scored; all presets have these evaluation settings."""

    name: _Name
    episodes: Annotated[int, msgspec.Meta(ge=1)]  # per evaluation
    deterministic: bool = True
    seeds: tuple[Annotated[int, msgspec.Meta(ge=0)], ...] = ()  # recommended


class Normalization(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Anchors of an environment that replace the shipped ones within a suite."""

    type: _Name = "reference"
    random_score: float
    human_score: float  # of a human or of a reference policy


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: _Name
    config: _Name


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A manifest as it is written."""

    schema_version: int
    suite: _Name
    description: str = ""
    protocol: Protocol
    presets: Annotated[tuple[_Entry, ...], msgspec.Meta(min_length=1)]
    normalization: dict[str, Normalization] = {}
    missing: Literal["exclude", "zero"] = "exclude"


@dataclass(frozen=True)
class Preset:
    """One configuration of a suite."""

    name: str
    config: str  # as the manifest writes it
    path: Path

    @cached_property
    def resolved(self) -> TrainConfig:
        """The configuration with its defaults; raises ConfigError if it is none."""
        return load_config(self.path)

    @cached_property
    def config_hash(self) -> str:
        """The `config_hash` of runs that train exactly this preset."""
        return config_hash(self.resolved)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A suite: its presets by name, how they are scored and brought to one scale.

    `missing` says what becomes of a group that lacks an environment of the suite: `exclude`
    leaves it without a score over the suite, `zero` counts a normalised score of 0 (that of a
    random policy) for every environment it lacks.
    """

    path: Path
    suite: str
    description: str
    protocol: Protocol
    presets: Mapping[str, Preset]
    normalization: Mapping[str, Normalization]  # by environment id
    missing: Literal["exclude", "zero"]

    @cached_property
    def env_ids(self) -> tuple[str, ...]:
        """The environments of the presets, sorted; raises ConfigError for a broken preset."""
        return tuple(sorted({preset.resolved.env_id for preset in self.presets.values()}))

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that stand for suite, protocol, all presets and normalisation.

        Resolves every preset: raises ConfigError for one that is no configuration, InputError
        for one that contradicts the protocol.
        """
        presets = {name: self._content_hash(preset) for name, preset in self.presets.items()}
        return _digest({**self._content(self.normalization), "presets": presets})

    def preset_fingerprint(self, name: str) -> str:
        """16 hex digits that stand for one preset and what of the suite concerns its runs.

        They stay the same when other presets come, go or change. Raises as `fingerprint`.
        """
        if name not in self._preset_fingerprints:
            preset = self.presets[name]
            env_id = preset.resolved.env_id
            anchors = {key: each for key, each in self.normalization.items() if key == env_id}
            presets = {name: self._content_hash(preset)}
            made = _digest({**self._content(anchors), "presets": presets})
            self._preset_fingerprints[name] = made
        return self._preset_fingerprints[name]

    @cached_property
    def _preset_fingerprints(self) -> dict[str, str]:
        return {}

    def _content(self, normalization: Mapping[str, Normalization]) -> dict[str, Any]:
        protocol = {
            "name": self.protocol.name,
            "episodes": self.protocol.episodes,
            "deterministic": self.protocol.deterministic,
        }
        anchors = {  # -0.0 becomes 0.0
            env_id: [each.type, each.random_score + 0.0, each.human_score + 0.0]
            for env_id, each in normalization.items()
        }
        return {"suite": self.suite, "protocol": protocol, "normalization": anchors}

    def _content_hash(self, preset: Preset) -> str:
        evaluation = preset.resolved.evaluation
        for name in ("episodes", "deterministic"):
            asked, given = getattr(self.protocol, name), getattr(evaluation, name)
            if asked != given:
                raise InputError(
                    f"{self.path}: protocol.{name} is {_written(asked)}, but {preset.path} says "
                    f"evaluation.{name}: {_written(given)}",
                    hint="write the same in both",
                )
        return preset.config_hash


def load_manifest(path: Path | str) -> Manifest:
    """The manifest in a YAML file.

    Its presets' paths are relative to its own folder, or else to the shipped `configs`. Raises
    InputError for a file that cannot be read, an unknown or repeated key, a wrong value, a
    preset that is listed twice or whose file is missing.
    """
    from axiomrl.config.yaml_files import read_yaml

    path = Path(path)
    file = _checked(read_yaml(path, required="schema_version, suite, protocol and presets"), path)
    presets: dict[str, Preset] = {}
    for place, entry in enumerate(file.presets):
        preset = Preset(entry.name, entry.config, _located(entry.config, path, f"presets[{place}]"))
        for known in presets.values():
            if entry.name == known.name or preset.path == known.path:
                same = entry.name if entry.name == known.name else entry.config
                raise InputError(f"{path}: presets[{place}]: {same} is listed twice")
        presets[entry.name] = preset
    return Manifest(
        path=path,
        suite=file.suite,
        description=file.description,
        protocol=file.protocol,
        presets=presets,
        normalization=file.normalization,
        missing=file.missing,
    )


def shipped_manifests() -> list[Manifest]:
    """The manifests that come with axiomrl, by name; none where it was installed without."""
    return [load_manifest(path) for path in _shipped_files().values()]


def recorded_fingerprint(benchmark: BenchmarkConfig) -> str | None:
    """The fingerprint of the preset that a new run names, for its metadata.

    It is looked up in `manifest`, or else in the shipped manifest of `suite`; without either, or
    if the shipped one does not know the preset, there is none. Raises InputError when the
    manifest that was asked for cannot be read, is of another suite, or does not know the preset.
    """
    suite, name = benchmark.suite, benchmark.preset_name
    if benchmark.manifest is not None:
        manifest = load_manifest(benchmark.manifest)
        if suite != manifest.suite:
            raise InputError(
                f"benchmark.suite is {_written(suite)}, but {manifest.path} is of the suite "
                f"{manifest.suite}"
            )
        if name is None or name not in manifest.presets:
            raise InputError(
                f"benchmark.preset_name is {_written(name)}, which {manifest.path} does not list",
                hint=_nearest(str(name), manifest.presets),
            )
        return manifest.preset_fingerprint(name)
    shipped = _shipped_files()
    if suite is None or suite not in shipped or name is None:
        return None
    manifest = load_manifest(shipped[suite])
    return manifest.preset_fingerprint(name) if name in manifest.presets else None


def _shipped_files() -> dict[str, Path]:
    """The shipped manifests' files by the name of their suite, which is their own."""
    folder = presets_folder()
    if folder is None:
        return {}
    return {path.stem: path for path in sorted((folder / "suites").glob("*.yaml"))}


def _checked(values: Mapping[str, Any], path: Path) -> _File:
    try:
        file = msgspec.convert(values, _File)
    except msgspec.ValidationError as error:
        raise _explained(error, path) from None
    if file.schema_version != SCHEMA_VERSION:
        raise InputError(
            f"{path}: schema_version is {file.schema_version}, but must be {SCHEMA_VERSION}"
        )
    for env_id, anchors in file.normalization.items():
        for name in ("random_score", "human_score"):
            if not math.isfinite(getattr(anchors, name)):
                raise InputError(f"{path}: normalization.{env_id}.{name} is not a finite number")
        if anchors.random_score == anchors.human_score:
            raise InputError(
                f"{path}: normalization.{env_id}: random_score and human_score are equal"
            )
    return file


_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`")
_KEYS = {"protocol": Protocol, "normalization": Normalization, "presets": _Entry}
_WORDS = {"object": "a mapping", "array": "a list", "str": "text", "int": "an integer"}
_WORDS |= {"float": "a number", "bool": "true or false", "null": "null"}


def _explained(error: msgspec.ValidationError, path: Path) -> InputError:
    """What msgspec says of a wrong value, with the key as a reader of the file knows it."""
    problem, _, place = str(error).partition(" - at `")
    where = place.removesuffix("`").removeprefix("$").removeprefix(".")
    inside = f"{where}." if where else ""
    if unknown := _UNKNOWN.fullmatch(problem):
        block = _KEYS.get(re.split(r"[.\[]", where)[0], _File)
        return InputError(
            f"{path}: {inside}{unknown[1]} is not a key of a manifest",
            hint=_nearest(unknown[1], block.__struct_fields__),
        )
    if missing := _MISSING.fullmatch(problem):
        return InputError(f"{path}: {inside}{missing[1]} is missing")
    problem = re.sub("`(\\w+)`", lambda found: _WORDS.get(found[1], found[0]), problem)
    hint = "write exclude or zero" if where == "missing" else None
    return InputError(f"{path}: {where}: {problem[0].lower()}{problem[1:]}", hint=hint)


def _located(config: str, manifest: Path, where: str) -> Path:
    """The file of a preset; raises InputError with the nearest of those that are there."""
    shipped = presets_folder()
    folders = [manifest.parent, *([shipped] if shipped is not None else [])]
    for folder in folders:
        if (folder / config).is_file():
            return (folder / config).resolve()
    known = [
        found.relative_to(folder).as_posix()
        for folder in folders
        for pattern in ("*.yaml", "*/*.yaml")
        for found in folder.glob(pattern)
    ]
    raise InputError(
        f"{manifest}: {where}.config: there is no file {config}, neither beside the manifest nor "
        "among the shipped presets",
        hint=did_you_mean(config, known),
    )


def _nearest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    return did_you_mean(name, known) or f"there are: {', '.join(known)}"


def _written(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) or value is None else str(value)


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:_DIGITS]
