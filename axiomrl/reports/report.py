"""The report: one row per run."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from axiomrl.reports.table import Cell, Column, Table

if TYPE_CHECKING:
    from axiomrl.runs.record import RunRecord

COLUMNS = (
    Column("run", "run"),
    Column("directory", "directory", in_data_only=True),
    Column("run_id", "run id", in_data_only=True),
    Column("algo", "algo", is_repeated=True),
    Column("env_id", "env", is_repeated=True),
    Column("seed", "seed", "integer", is_repeated=True),
    Column("status", "status"),
    Column("env_steps", "steps", "integer"),
    Column("eval_return_mean", "final", "number"),
    Column("best_metric_value", "best", "number"),
    Column("best_metric_name", "best metric", in_data_only=True),
    Column("duration_s", "time", "seconds"),
)


def report(
    records: Iterable[RunRecord], *, problems: Sequence[str] = (), short_names: bool = False
) -> Table:
    """One row per run, oldest first.

    `eval_return_mean` is that of the last evaluation. With `short_names`, a run is called by
    a unique prefix of its directory's name, which every command takes as its name.
    """
    ordered = sorted(records, key=_age)
    names = [record.directory.name for record in ordered]
    if short_names:
        names = unique_prefixes(names)
    rows = tuple(_row(record, name) for record, name in zip(ordered, names, strict=True))
    return Table(COLUMNS, rows, tuple(problems))


def unique_prefixes(names: Sequence[str]) -> list[str]:
    """For each name the shortest of its beginnings that no other name shares.

    Names are cut only where a time stamp begins or at a `-` within it, so that what remains
    still says what the run is.
    """
    ordered = sorted(names)
    return [
        next((prefix for prefix in _prefixes(name) if _is_unique(prefix, ordered)), name)
        for name in names
    ]


def _prefixes(name: str) -> list[str]:
    stem, separator, stamp = name.rpartition("__")
    if not separator:
        return [name]
    parts = stamp.split("-")
    stamps = ["-".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return [stem, stem + separator, *(stem + separator + part for part in stamps)]


def _is_unique(prefix: str, ordered: Sequence[str]) -> bool:
    first = bisect.bisect_left(ordered, prefix)  # names that begin with it follow one another
    return not any(name.startswith(prefix) for name in ordered[first + 1 : first + 2])


def _age(record: RunRecord) -> tuple[str, str]:
    return str(record.metadata.get("created_at_utc") or ""), str(record.directory)


def _row(record: RunRecord, name: str) -> tuple[Cell, ...]:
    metadata = record.metadata
    progress = _mapping(metadata.get("progress"))
    best = _mapping(metadata.get("best_checkpoint"))
    cells: dict[str, Any] = {
        "run": name,
        "directory": str(record.directory.absolute()),
        "run_id": metadata.get("run_id"),
        "algo": metadata.get("algo"),
        "env_id": metadata.get("env_id"),
        "seed": metadata.get("seed"),
        "status": record.status,
        "env_steps": progress.get("env_steps"),
        "eval_return_mean": _mapping(metadata.get("latest_metrics")).get("eval_return_mean"),
        "best_metric_value": best.get("metric_value"),
        "best_metric_name": best.get("metric_name"),
        "duration_s": progress.get("duration_s"),
    }
    return tuple(cells[column.key] for column in COLUMNS)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
