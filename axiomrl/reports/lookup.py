"""Values of a run by name: what `--where` and `--group-by` speak of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from axiomrl.errors import InputError

if TYPE_CHECKING:
    from axiomrl.runs.record import RunRecord


class Missing:
    """What a run has no value for; nothing is equal to it but itself."""


MISSING = Missing()

# Names whose value is not simply a key of metadata.json.
SPECIAL: dict[str, Callable[[RunRecord], Any]] = {
    "status": lambda record: record.status,  # dead runs are told from running ones
    "tags": lambda record: list(tags_of(record)),
    "run": lambda record: record.directory.name,
    "directory": lambda record: str(record.directory),
    "preset": lambda record: _benchmark(record).get("preset_name", MISSING),
    "suite": lambda record: _benchmark(record).get("suite", MISSING),
    "protocol": lambda record: _benchmark(record).get("protocol_name", MISSING),
}


def value_of(record: RunRecord, name: str) -> Any:
    """The value of a name, dotted where it lies deeper; None if the run has none.

    Looked up in this order: the names of SPECIAL, metadata.json, config.yaml, and the latest
    metrics (as `metrics.NAME` or plainly).
    """
    found = look_up(record, name)
    return None if found is MISSING else found


def look_up(record: RunRecord, name: str) -> Any:
    """The same, with MISSING told from null."""
    if name in SPECIAL:
        return SPECIAL[name](record)
    latest = record.metadata.get("latest_metrics") or {}
    metric = name.removeprefix("metrics.")
    if metric != name:
        return latest.get(metric, MISSING)
    for source in (record.metadata, latest, _config(record)):
        found = _within(source, name)
        if found is not MISSING:
            return found
    return MISSING


def known_names(record: RunRecord) -> set[str]:
    """Every name that `look_up` finds something under in this run."""
    latest = record.metadata.get("latest_metrics") or {}
    names = {*SPECIAL, *latest, *(f"metrics.{name}" for name in latest)}
    for source in (record.metadata, _config(record)):
        names |= _names_in(source, "")
    return names


def tags_of(record: RunRecord) -> tuple[str, ...]:
    """The run's tags."""
    return tuple(record.metadata.get("tags") or ())


def _config(record: RunRecord) -> Mapping[str, Any]:
    try:
        return record.config()
    except InputError:
        return {}


def _within(source: Mapping[str, Any], name: str) -> Any:
    found: Any = source
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return MISSING
        found = found[part]
    return found


def _names_in(source: Mapping[str, Any], prefix: str) -> set[str]:
    names = set()
    for key, value in source.items():
        names.add(f"{prefix}{key}")
        if isinstance(value, Mapping):
            names |= _names_in(value, f"{prefix}{key}.")
    return names


def _benchmark(record: RunRecord) -> Mapping[str, Any]:
    return record.metadata.get("benchmark") or {}
