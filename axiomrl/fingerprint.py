"""What counts as "the same configuration": a canonical text and its hash.

Exempt are only fields marked `hashed=False` where they are declared. A field added later
declares as `neutral` the value that reproduces the earlier behaviour, and is left out while
equal to it, so that hashes made before it existed stay valid.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from axiomrl.config.fields import Kind, Setting, settings_of
from axiomrl.config.schema import Schedule, TrainConfig

SCHEME = 1  # raised whenever an unchanged configuration would get another hash
_DIGITS = 16
_EXACT_INTEGERS = 2**53  # up to here every whole float is one integer only


def canonical(config: TrainConfig) -> str:
    """The configuration as canonical JSON: sorted keys, compact, ASCII, exempt fields left out.

    Raises ValueError if it holds a NaN or an infinity.
    """
    return _text(_block(config))


def run_config(config: TrainConfig) -> dict[str, Any]:
    """The settings that count, normalised, in plain containers: what `canonical` says of them."""
    plain: dict[str, Any] = json.loads(canonical(config))
    return plain


def config_hash(config: TrainConfig, *, parent_hash: str | None = None) -> str:
    """The first 16 hex digits of the SHA-256 of the canonical configuration.

    A run that continues another mixes in its parent's hash, and so never equals a fresh run.
    """
    return _digest(canonical(config) + (f"\n{parent_hash}" if parent_hash is not None else ""))


def hash_of(run_config: Mapping[str, Any]) -> str:
    """The config_hash of what `run_config` gave, also once it has been to JSON and back."""
    return _digest(_text(run_config))


def run_id(config: TrainConfig, *, parent_hash: str | None = None) -> str:
    """`seed<N>-<config_hash>`: equal for repeated attempts at one configuration and seed."""
    return f"seed{config.seed}-{config_hash(config, parent_hash=parent_hash)}"


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(
        values, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:_DIGITS]


def _block(block: Any) -> dict[str, Any]:
    """The settings that count, without neutral ones and without blocks left empty by that."""
    counted = {}
    declared: type = type(block)
    for name, setting in settings_of(declared).items():
        value = _value(setting.kind, getattr(block, name))
        if setting.info.hashed and not _is_neutral(setting, value):
            counted[name] = value
    return counted


def _is_neutral(setting: Setting, value: Any) -> bool:
    info = setting.info
    if info.has_neutral:
        return bool(value == _value(setting.kind, info.neutral))
    return setting.kind.is_block and not setting.kind.many and value == {}


def _value(kind: Kind, value: Any) -> Any:
    """A value coerced to its declared type."""
    if value is None:
        return None
    if isinstance(value, Schedule) and value.schedule == "constant":
        return _number(float(value.start))
    if dataclasses.is_dataclass(value):
        return _block(value)
    if kind.many:
        return [_value(Kind(base=kind.base), item) for item in value]
    if kind.base in (bool, int, str):
        return kind.base(value)
    if kind.worded and isinstance(value, str):
        return value
    if kind.base is float:
        return _number(float(value))
    return _free(value)


def _free(value: Any) -> Any:
    """A value without declared type: `1` and `1.0` are one number here too."""
    if dataclasses.is_dataclass(value):
        return _block(value)
    if isinstance(value, Mapping):
        return {str(key): _free(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_free(item) for item in value]
    if isinstance(value, float):
        number = _number(value)
        return int(number) if number.is_integer() and abs(number) <= _EXACT_INTEGERS else number
    return value


def _number(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"a configuration that holds {value} has no hash")
    return value + 0.0  # -0.0 becomes 0.0
