"""Which runs have the same configuration, also where no configuration hash says so."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from axiomrl.reports.lookup import MAX_DEPTH, Lookup

if TYPE_CHECKING:
    from axiomrl.runs.record import RunRecord

_EXEMPT_ANYWAY = frozenset({"seed", "output_dir", "device", "tags"})
_DIGITS = 16
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str).encode


class Configuration(NamedTuple):
    """What two runs must share to be repetitions of each other."""

    algo: str | None
    env_id: str | None
    config_hash: str | None  # as the run states it
    digest: str | None  # of config.yaml, for a run that states no hash; None without that file

    @property
    def digits(self) -> str:
        """Sixteen hex digits, or nothing where neither a hash nor a configuration is known."""
        return self.config_hash or self.digest or ""


def configuration_of(record: RunRecord, lookup: Lookup) -> Configuration:
    """The configuration of a run; config.yaml is read only if metadata states no hash."""
    metadata = record.metadata
    stated = metadata.get("config_hash") or None
    digest = None if stated else _digest(lookup.config_of(record))
    return Configuration(metadata.get("algo"), metadata.get("env_id"), stated, digest)


@functools.cache
def exempt_settings() -> frozenset[str]:
    """Settings that do not make another configuration, as `axiomrl.fingerprint` sees it."""
    from axiomrl.config.fields import settings_of
    from axiomrl.config.schema import TrainConfig

    settings = settings_of(TrainConfig)
    unhashed = {name for name, setting in settings.items() if not setting.info.hashed}
    return frozenset(unhashed) | _EXEMPT_ANYWAY


def canonical(value: Any) -> str:
    """JSON that is equal for equal values, whatever the order of keys and the kind of numbers.

    What lies deeper than any configuration does is left out.
    """
    return _encode(_plain(value))


def _digest(config: Mapping[str, Any] | None) -> str | None:
    if config is None:
        return None
    counted = {name: value for name, value in config.items() if name not in exempt_settings()}
    return hashlib.sha256(canonical(counted).encode()).hexdigest()[:_DIGITS]


def _plain(value: Any, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() else value
    return value
