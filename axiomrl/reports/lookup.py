"""What a name such as `seed` or `hyperparameters.gamma` stands for in a run.

A name is looked for in this order, and the first place that has it decides:

1. the names of `NAMED`, for example `algo`, `status` and `tags`;
2. `metrics.X` and the names of known metrics: the last value, in metadata.json;
3. what only metadata.json has (`METADATA_ONLY`), for example `git.commit`;
4. config.yaml, for example `hyperparameters.gamma` and `num_envs`;
5. metadata.json, then the last values of its metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from axiomrl.errors import InputError, did_you_mean
from axiomrl.metrics import METRICS
from axiomrl.runs import tags

if TYPE_CHECKING:
    from axiomrl.runs.record import RunRecord

METADATA_ONLY = frozenset({
    "benchmark", "best_checkpoint", "command", "config_hash_scheme", "ended_at_utc", "error",
    "git", "heartbeat_utc", "latest_checkpoint_path", "latest_metrics", "non_finite_metrics",
    "parent", "process", "progress", "resumes", "schema_version", "system", "versions",
})  # fmt: skip
"""First parts of names that config.yaml need not be read for."""

_DOCUMENTED = frozenset({
    "benchmark.preset_name", "benchmark.protocol_name", "benchmark.suite",
    "best_checkpoint.metric_name", "best_checkpoint.metric_value", "best_checkpoint.step",
    "ended_at_utc", "error.message", "error.type", "git.commit", "git.is_dirty",
    "parent.config_hash", "parent.path", "parent.run_id", "parent.step", "progress.duration_s",
    "progress.env_steps", "progress.env_steps_per_s", "progress.gradient_steps",
    "progress.total_timesteps",
})  # fmt: skip
"""Names that are right even where no run has them: no run has failed, none has a parent."""

MAX_DEPTH = 30  # of mappings in one another; a file that holds more is none of ours

_METRIC = "metrics."
_MISSING: Any = object()


def tags_of(record: RunRecord) -> tuple[str, ...]:
    """The labels of a run, those put on it later included; none if it does not say."""
    return tags.tags_of(record.directory, record.metadata.get("tags"), problems=record.problems)


def created_at(record: RunRecord) -> datetime | None:
    """When the run was made, with a time zone (UTC if it names none); None if that is unknown."""
    text = record.metadata.get("created_at_utc")
    try:
        created = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return created if created.tzinfo is not None else created.replace(tzinfo=UTC)


def _stored(key: str) -> Callable[[RunRecord], Any]:
    return lambda record: record.metadata.get(key)


def _in_benchmark(key: str) -> Callable[[RunRecord], Any]:
    return lambda record: (record.metadata.get("benchmark") or {}).get(key)


NAMED: dict[str, Callable[[RunRecord], Any]] = {
    "algo": _stored("algo"),
    "env_id": _stored("env_id"),
    "seed": _stored("seed"),
    "status": lambda record: record.status,
    "tags": tags_of,
    "run": lambda record: record.directory.name,
    "directory": lambda record: str(record.directory),
    "run_id": _stored("run_id"),
    "config_hash": _stored("config_hash"),
    "created_at_utc": _stored("created_at_utc"),
    "preset": _in_benchmark("preset_name"),
    "protocol": _in_benchmark("protocol_name"),
    "suite": _in_benchmark("suite"),
}
"""Names that every run answers to."""


class Lookup:
    """Finds values in runs, reading a config.yaml only when a name needs it, and only once.

    One object serves one command: it keeps the configurations that it has read.
    """

    def __init__(self) -> None:
        self._configs: dict[RunRecord, Mapping[str, Any] | None] = {}

    def value_of(self, record: RunRecord, name: str) -> Any:
        """What a name stands for in a run; None if it is null or nowhere to be found."""
        value = self._find(record, name)
        return None if value is _MISSING else value

    def values_of(self, record: RunRecord) -> Callable[[str], Any]:
        """The values of one run by name, as `Expression.matches` wants them."""
        return lambda name: self.value_of(record, name)

    def config_of(self, record: RunRecord) -> Mapping[str, Any] | None:
        """The run's configuration, or None if it has none; a damaged one becomes a problem."""
        if record not in self._configs:
            self._configs[record] = record.config_if_readable()
        return self._configs[record]

    def unknown_names(self, names: Iterable[str], records: Sequence[RunRecord]) -> list[str]:
        """Those names that none of the runs has; without runs there is nothing to tell by."""
        if not records:
            return []
        return [
            name
            for name in names
            if not _is_always_known(name)
            and all(self._find(record, name) is _MISSING for record in records)
        ]

    def check_names(
        self, names: Iterable[str], records: Sequence[RunRecord], *, option: str
    ) -> None:
        """Raise InputError, with the nearest name, if none of the runs has one of the names."""
        for name in self.unknown_names(names, records):
            hint = _nearest(name, self._known_names(records))
            if option == "--where" and "." not in name:
                hint = f"{hint}; text" if hint else "text"
                hint += f" is written in quotes: '{name}'"
            raise InputError(f"{option}: no run has a value called {name}", hint=hint)

    def _find(self, record: RunRecord, name: str) -> Any:
        if name in NAMED:
            return NAMED[name](record)
        metadata = record.metadata
        latest = metadata.get("latest_metrics") or {}
        metric = name.removeprefix(_METRIC)
        if metric != name or _is_metric(name):
            return latest.get(metric, _MISSING)
        if name.partition(".")[0] not in METADATA_ONLY:
            value = _at(self.config_of(record) or {}, name)
            if value is not _MISSING:
                return value
        value = _at(metadata, name)
        return latest.get(name, _MISSING) if value is _MISSING else value

    def _known_names(self, records: Sequence[RunRecord]) -> set[str]:
        """Names to suggest: what is documented, and what one run of each algorithm has."""
        known, metrics = {*NAMED, *_DOCUMENTED}, {*METRICS}
        for record in {record.metadata.get("algo"): record for record in records}.values():
            known.update(name for name, _ in flat(record.metadata))
            known.update(name for name, _ in flat(self.config_of(record) or {}))
            metrics.update(record.metadata.get("latest_metrics") or ())
        return known | metrics | {_METRIC + metric for metric in metrics}


def flat(values: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The values in nested mappings by their dotted names; an empty mapping is a value.

    So is one that lies deeper than MAX_DEPTH.
    """
    for key, value in values.items():
        if isinstance(value, Mapping) and value and depth < MAX_DEPTH:
            yield from flat(value, f"{prefix}{key}.", depth + 1)
        else:
            yield f"{prefix}{key}", value


def _at(values: Any, name: str) -> Any:
    """What a dotted name leads to; a key may have dots itself."""
    while isinstance(values, Mapping):
        if name in values:
            return values[name]
        head, _, name = name.partition(".")
        values = values.get(head)
    return _MISSING


def _is_metric(name: str) -> bool:
    return name.removeprefix("best_") in METRICS


def _is_always_known(name: str) -> bool:
    return name in NAMED or name in _DOCUMENTED or _is_metric(name.removeprefix(_METRIC))


def _nearest(name: str, known: set[str]) -> str | None:
    """A hint at known names that end like this one, else at the one that is most alike."""
    inner = sorted(each for each in known if each.endswith(f".{name}"))
    return f"did you mean: {', '.join(inner[:3])}" if inner else did_you_mean(name, sorted(known))
