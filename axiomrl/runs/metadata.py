"""What metadata.json may hold, and how it is decoded, whoever wrote it.

Files of older, newer or foreign writers are accepted: what is missing stays missing, what has
the wrong type is left out and named, what is unknown is kept.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from types import NoneType
from typing import Any, get_args, get_origin

import msgspec

from axiomrl.errors import InputError

SCHEMA_VERSION = 1
"""Version of metadata.json; added keys do not change it."""

LIMIT = 1 << 24
"""Bytes of a metadata.json or config.yaml above which it is not read: real ones have thousands."""


class BestCheckpoint(msgspec.Struct):
    """Which checkpoint was best by which metric."""

    path: str | None = None
    step: int | None = None
    metric_name: str | None = None
    metric_value: float | None = None


class Progress(msgspec.Struct):
    """How far training is."""

    env_steps: int | None = None
    total_timesteps: int | None = None
    gradient_steps: int | None = None
    duration_s: float | None = None
    env_steps_per_s: float | None = None


class Process(msgspec.Struct):
    """Which process wrote the run last."""

    pid: int | None = None
    start_time: float | None = None
    boot_id: str | None = None


class Metadata(msgspec.Struct):
    """Types of the known keys of metadata.json; none of them has to be there."""

    schema_version: int | None = None
    run_id: str | None = None
    algo: str | None = None
    env_id: str | None = None
    seed: int | None = None
    status: str | None = None
    output_dir: str | None = None
    created_at_utc: str | None = None
    ended_at_utc: str | None = None
    heartbeat_utc: str | None = None
    command: list[str] | None = None
    config_hash: str | None = None
    config_hash_scheme: int | None = None
    tags: list[str] | None = None
    parent: dict[str, Any] | None = None
    resumes: list[dict[str, Any]] | None = None
    benchmark: dict[str, Any] | None = None
    system: dict[str, Any] | None = None
    versions: dict[str, Any] | None = None
    git: dict[str, Any] | None = None
    process: Process | None = None
    progress: Progress | None = None
    latest_metrics: dict[str, float | None] | None = None
    non_finite_metrics: dict[str, int] | None = None
    latest_checkpoint_path: str | None = None
    best_checkpoint: BestCheckpoint | None = None
    error: dict[str, Any] | None = None


class _KnownBestCheckpoint(BestCheckpoint, forbid_unknown_fields=True):
    """BestCheckpoint and nothing more."""


class _KnownProgress(Progress, forbid_unknown_fields=True):
    """Progress and nothing more."""


class _KnownProcess(Process, forbid_unknown_fields=True):
    """Process and nothing more."""


class _KnownMetadata(Metadata, forbid_unknown_fields=True):
    """Metadata and nothing more, so that the decoder skips no value without checking it."""

    process: _KnownProcess | None = None
    progress: _KnownProgress | None = None
    best_checkpoint: _KnownBestCheckpoint | None = None


class Decoded(msgspec.Struct, array_like=True, gc=False):
    """A metadata.json that was checked: what every reader asks for first, and the rest as JSON.

    `content` holds the valid part for `mapping_of`: building mappings takes most of the time of
    reading thousands of runs, and few readers need all of them.
    """

    content: memoryview  # of the file, or of an index that holds thousands: not copied
    status: str  # as it is stored; "unknown" where it is missing
    created_at_utc: str  # "" where it is missing
    problems: tuple[str, ...]  # what had to be left out


_decode_known = msgspec.json.Decoder(_KnownMetadata).decode
_decode_any = msgspec.json.Decoder(dict[str, Any]).decode
_NOT_STRICT = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def decode(data: bytes) -> Decoded:
    """The valid part of a metadata.json.

    Raises InputError, with the reason alone, if it is no JSON object.
    """
    known: Metadata
    try:
        known = _decode_known(data)
    except _NOT_STRICT:
        try:
            known = msgspec.convert(_decode_any(data), Metadata)
        except _NOT_STRICT:
            return _decode_leniently(data)
    return _decoded(data, known, [])


def mapping_of(content: memoryview) -> dict[str, Any]:
    """The mapping behind `Decoded.content`."""
    return _decode_any(content)


def _decode_leniently(data: bytes) -> Decoded:
    problems: list[str] = []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("utf-8-sig", "replace")
        problems.append("holds bytes that are not UTF-8")
    try:
        value = json.loads(_as_utf8(json.dumps(json.loads(text), ensure_ascii=False)))
        if not isinstance(value, dict):
            raise InputError("holds no JSON object")
        content = json.dumps(_valid_part(value, Metadata, "", problems)).encode()
        known = msgspec.convert(_decode_any(content), Metadata)
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not JSON: {error}") from error
    return _decoded(content, known, problems)


def _decoded(content: bytes, known: Metadata, problems: list[str]) -> Decoded:
    version = known.schema_version
    if version is not None and version > SCHEMA_VERSION:
        problems.append(
            f"written by a newer axiomrl (schema_version {version}, known here: {SCHEMA_VERSION})"
        )
    status, created = known.status or "unknown", known.created_at_utc or ""
    return Decoded(memoryview(content), status, created, tuple(problems))


def _as_utf8(text: str) -> bytes:
    """Text in UTF-8, with `?` for halves of surrogate pairs, which no output could show."""
    return text.encode("utf-8", "replace")


_LEFT_OUT: Any = object()


def _valid_part(value: Any, kind: Any, key: str, problems: list[str]) -> Any:
    """What of a value fits the type; `_LEFT_OUT` if nothing does. Keys name where it lies."""
    if kind is not Any and value is None and NoneType in get_args(kind):
        return None
    kinds = [part for part in get_args(kind) if part is not NoneType]
    kind = kinds[0] if NoneType in get_args(kind) else kind
    if isinstance(value, dict) and (kind is Any or get_origin(kind) is dict):
        item_kind = Any if kind is Any else get_args(kind)[1]
        return _valid_items(value, lambda name: item_kind, key, problems)
    if isinstance(value, dict) and isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
        return _valid_items(value, lambda name: fields.get(name, Any), key, problems)
    if isinstance(value, list) and (kind is Any or get_origin(kind) is list):
        item_kind = Any if kind is Any else get_args(kind)[0]
        parts = [
            _valid_part(item, item_kind, f"{key}[{i}]", problems) for i, item in enumerate(value)
        ]
        return [part for part in parts if part is not _LEFT_OUT]
    try:
        if isinstance(value, float) and not math.isfinite(value):
            raise msgspec.ValidationError(f"{value} is not a finite number")
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        problems.append(f"{key}: {error}")
        return _LEFT_OUT


def _valid_items(
    value: dict[str, Any], kind_of: Callable[[str], Any], key: str, problems: list[str]
) -> dict[str, Any]:
    prefix = f"{key}." if key else ""
    parts = {
        name: _valid_part(item, kind_of(name), prefix + name, problems)
        for name, item in value.items()
    }
    return {name: part for name, part in parts.items() if part is not _LEFT_OUT}
