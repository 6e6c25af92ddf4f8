"""Runs against the suites they claim to belong to, and suites as tables and command lines."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from axiomrl import fingerprint
from axiomrl.config.locations import presets_folder
from axiomrl.errors import did_you_mean
from axiomrl.reports.normalization import Anchors, anchors_for
from axiomrl.reports.table import Cell, Column, Table

if TYPE_CHECKING:
    from axiomrl.runs.record import RunRecord
    from axiomrl.suites import Manifest, Preset

COLUMNS = (
    Column("suite", "suite"),
    Column("preset", "preset"),
    Column("algo", "algo", is_repeated=True),
    Column("env_id", "env"),
    Column("env_steps", "steps", "integer"),
    Column("protocol", "protocol", is_repeated=True),
    Column("config", "config", in_data_only=True),
    Column("config_hash", "config hash", in_data_only=True),
)


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """Whether a run is what the manifest of its suite describes, and if not, why."""

    state: Literal["aligned", "unlisted", "drifted"]
    suite: str | None = None  # that the run names
    preset: str | None = None  # likewise
    reasons: tuple[str, ...] = ()  # why it is not aligned, as parts of sentences about the run


def align(record: RunRecord, manifests: Sequence[Manifest]) -> Alignment:
    """What a run is to the first of the manifests whose suite it names.

    It is `unlisted` when it names no suite, or one without a manifest here, and `drifted` when
    it names one but is of another preset, protocol, content or normalisation. Raises InputError
    when the preset itself cannot be read.
    """
    benchmark = record.metadata.get("benchmark") or {}
    suite, name = _text(benchmark.get("suite")), _text(benchmark.get("preset_name"))
    if suite is None:
        return Alignment(state="unlisted", preset=name, reasons=("names no suite",))
    manifest = next((each for each in manifests if each.suite == suite), None)
    if manifest is None:
        near = did_you_mean(suite, [each.suite for each in manifests])
        reason = f"there is no manifest of the suite {suite}" + (f"; {near}" if near else "")
        return Alignment(state="unlisted", suite=suite, preset=name, reasons=(reason,))
    reasons = tuple(_drifts(record.metadata, benchmark, manifest, name))
    state: Literal["aligned", "drifted"] = "drifted" if reasons else "aligned"
    return Alignment(state=state, suite=suite, preset=name, reasons=reasons)


def preset_table(manifests: Iterable[Manifest]) -> Table:
    """One row per preset, in the order of the manifests. Raises ConfigError for a broken one."""
    rows: list[tuple[Cell, ...]] = []
    for manifest in manifests:
        for preset in manifest.presets.values():
            config = preset.resolved
            cells: dict[str, Cell] = {
                "suite": manifest.suite,
                "preset": preset.name,
                "algo": config.algo,
                "env_id": config.env_id,
                "env_steps": config.total_timesteps,
                "protocol": manifest.protocol.name,
                "config": _typed(preset.path),
                "config_hash": preset.config_hash,
            }
            rows.append(tuple(cells[column.key] for column in COLUMNS))
    return Table(COLUMNS, tuple(rows))


def train_commands(manifests: Iterable[Manifest], seeds: Sequence[int] | None = None) -> list[str]:
    """For each preset the shell command that trains it, on the suite's seeds if none are given.

    Labels that the preset's file does not carry itself are set on the command line, so that the
    runs count for the suite. Paths are relative where they lie below the current folder.
    """
    commands = []
    for manifest in manifests:
        chosen = list(manifest.protocol.seeds if seeds is None else seeds)
        for preset in manifest.presets.values():
            words = ["axiomrl", "train", "--config", _typed(preset.path)]
            for key, value in _labels_to_set(manifest, preset):
                words += ["--set", f"benchmark.{key}={_yaml_scalar(value)}"]
            if chosen:
                flag = "--seed" if len(chosen) == 1 else "--seeds"
                words += [flag, ",".join(map(str, chosen))]
            commands.append(shlex.join(words))
    return commands


def _drifts(
    metadata: Mapping[str, Any], benchmark: Mapping[str, Any], manifest: Manifest, name: str | None
) -> Iterator[str]:
    """In what a run differs from the preset of its name."""
    preset = manifest.presets.get(name) if name is not None else None
    if preset is None or name is None:
        near = did_you_mean(name, manifest.presets) if name is not None else None
        told = "names no preset" if name is None else f"names the unknown preset {name}"
        yield told + (f"; {near}" if near else "")
        return
    protocol = benchmark.get("protocol_name")
    if protocol != manifest.protocol.name:
        yield f"has the protocol {protocol}, the suite {manifest.protocol.name}"
    recorded, today = benchmark.get("manifest_fingerprint"), manifest.preset_fingerprint(name)
    if recorded is not None and recorded != today:
        yield f"was made by another version of the manifest ({recorded}, now {today})"
    yield from _differences_of_content(metadata, preset)
    if benchmark.get("score_normalization") is not None:
        env_id = preset.resolved.env_id
        own = anchors_for(env_id, benchmark)
        suites = anchors_for(env_id, None, overrides=manifest.normalization)
        if own is None or suites is None or _scores(own) != _scores(suites):
            yield "normalises scores by anchors of its own"


def _differences_of_content(metadata: Mapping[str, Any], preset: Preset) -> Iterator[str]:
    if metadata.get("parent") is not None:
        yield "continues another run"
        return
    hashed, scheme = metadata.get("config_hash"), metadata.get("config_hash_scheme")
    if hashed is None:
        yield "records no config_hash"
    elif scheme is not None and scheme != fingerprint.SCHEME:
        yield f"has a config_hash made by other rules (scheme {scheme})"
    elif hashed != preset.config_hash:
        yield f"has other settings than the preset (config_hash {hashed}, not {preset.config_hash})"


def _scores(anchors: Anchors) -> tuple[float, float]:
    return anchors.random_score, anchors.reference_score


def _labels_to_set(manifest: Manifest, preset: Preset) -> Iterator[tuple[str, str]]:
    """The settings of the benchmark block by which a run of the preset counts for the suite."""
    own = preset.resolved.benchmark
    wanted = {
        "suite": manifest.suite,
        "preset_name": preset.name,
        "protocol_name": manifest.protocol.name,
    }
    yield from ((key, value) for key, value in wanted.items() if getattr(own, key) != value)
    shipped = presets_folder()
    is_shipped = shipped is not None and manifest.path.resolve().is_relative_to(shipped)
    if not is_shipped and own.manifest is None:
        yield "manifest", _typed(manifest.path)


def _typed(path: Path) -> str:
    """A path as a user in the current folder would type it."""
    shipped = presets_folder()
    if shipped is not None and path.is_relative_to(shipped):
        near = Path("configs") / path.relative_to(shipped)
        if near.exists() and os.path.samefile(near, path):
            return str(near)
    path, here = path.absolute(), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _yaml_scalar(value: str) -> str:
    """Text that `--set` reads back as this very text."""
    import json

    from axiomrl.config.yaml_files import plain_scalar

    is_plain = plain_scalar(value) == value and value.strip() == value
    return value if is_plain and value[:1] not in "[{\"'" else json.dumps(value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
