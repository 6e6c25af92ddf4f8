"""Histories of experiments as tables: which there are, one in full, several compared."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from axiomrl.reports.table import Cell, Column, Table

if TYPE_CHECKING:
    from axiomrl.metrics import Direction
    from axiomrl.tracking.record import ExperimentRecord
    from axiomrl.tracking.scores import Reduction

Histories = Mapping[str, "Sequence[ExperimentRecord]"]

LISTED = (
    Column("experiment_id", "experiment"),
    Column("config_name", "config", is_repeated=True),
    Column("versions", "versions", "integer"),
    Column("status", "status"),
    Column("timestamp", "started"),
)
COMPARED = (
    Column("experiment_id", "experiment"),
    Column("metric", "metric", in_data_only=True),
    Column("reduce", "reduce", in_data_only=True),
    Column("direction", "direction", in_data_only=True),
    Column("versions", "versions", "integer"),
    Column("n", "n", "integer"),
    Column("mean", "mean", "figure"),
    Column("ci_low", "95 % from", "figure"),
    Column("ci_high", "to", "figure"),
    Column("rank", "rank", "integer"),
    Column("rank_low", "rank_low", "integer", in_data_only=True),
    Column("rank_high", "rank_high", "integer", in_data_only=True),
    Column("std", "std", "figure"),
    Column("min", "min", "figure", is_repeated=True),
    Column("max", "max", "figure", is_repeated=True),
)


def history_list(histories: Histories, *, problems: Sequence[str] = ()) -> Table:
    """One row per experiment; name, status and start are those of its newest version."""
    rows = []
    for name, records in histories.items():
        if records:
            newest = records[-1]
            started = _to_the_second(newest.timestamp)
            rows.append((name, newest.config_name, len(records), newest.status, started))
    return Table(LISTED, tuple(rows), tuple(problems))


def history_versions(records: Sequence[ExperimentRecord], *, problems: Sequence[str] = ()) -> Table:
    """One row per version: its hyperparameters, and the last value of each of its metrics.

    Hyperparameters that are the same in all versions give way first where space is short.
    """
    fixed = (
        Column("experiment_id", "experiment", in_data_only=True),
        Column("version", "version", "integer"),
        Column("config_name", "config", in_data_only=True),
        Column("status", "status"),
        Column("timestamp", "started", is_repeated=True),
    )
    last = (
        Column("checkpoints", "checkpoints", "integer", is_repeated=True),
        Column("latest_checkpoint", "latest checkpoint", in_data_only=True),
        Column("error", "error"),
    )
    parameters = [_flat(record.hyperparameters) for record in records]
    descriptions = [_flat(record.metadata) for record in records]
    metrics = [{k: _cell(v[-1]) for k, v in each.metrics.items() if v} for each in records]
    columns = [
        *fixed,
        *_columns("param_", parameters),
        *_columns("metadata_", descriptions, in_data_only=True),
        *_columns("metric_", metrics, may_give_way=False),
        *last,
    ]
    rows = []
    for place, record in enumerate(records):
        cells: dict[str, Cell] = {
            **_prefixed("param_", parameters[place]),
            **_prefixed("metadata_", descriptions[place]),
            **_prefixed("metric_", metrics[place]),
            "experiment_id": record.experiment_id,
            "version": record.version,
            "config_name": record.config_name,
            "status": record.status,
            "timestamp": _to_the_second(record.timestamp),
            "checkpoints": len(record.checkpoints) or None,
            "latest_checkpoint": record.checkpoints[-1] if record.checkpoints else None,
            "error": _message(record.error),
        }
        rows.append(tuple(cells.get(column.key) for column in columns))
    return Table(tuple(columns), tuple(rows), tuple(problems))


def comparison(
    histories: Histories,
    metric: str,
    *,
    reduce: Reduction = "last",
    direction: Direction | None = None,
    problems: Sequence[str] = (),
) -> Table:
    """One row per experiment: what its versions scored. `std` has ddof = 1.

    From three scored versions on there is a bootstrap interval of the mean, each version counting
    as a run with a seed of its own. Ranked, and sorted from best to worst mean, where it is known
    which way is better; experiments without a score come last and have no rank. Raises InputError
    where `best` is asked for and no direction is known.
    """
    from axiomrl.tracking.scores import direction_for, scores_by_experiment

    known = direction_for(metric, reduce, direction)
    scores = scores_by_experiment(histories, metric, reduce=reduce, direction=known)
    names = list(histories)
    if known is not None:
        names.sort(key=lambda name: _rank(scores[name], known))
    standings = _standings({name: scores[name] for name in names if scores[name]}, known)
    rows = [
        (
            *(name, metric, reduce, known, len(histories[name]), len(scores[name])),
            *standings.get(name, (None,) * len(_STANDING)),
            *_spread(scores[name]),
        )
        for name in names
    ]
    return Table(COMPARED, tuple(rows), tuple(problems))


_STANDING = ("mean", "ci_low", "ci_high", "rank", "rank_low", "rank_high")


def _standings(
    scores: Mapping[str, Sequence[float]], direction: Direction | None
) -> dict[str, tuple[Cell, ...]]:
    """The cells of `_STANDING` for each experiment; no ranks without a direction."""
    from axiomrl.statistics import ResampledGroup, mean, rank_groups, resamples_for

    groups = [
        ResampledGroup.of([each], mean, name=name, seed=0, resamples=resamples_for(len(scores)))
        for name, each in scores.items()
    ]
    ranks = rank_groups(groups, direction=direction) if direction else [None] * len(groups)
    return {
        group.name: (
            *(group.estimate.value, group.estimate.low, group.estimate.high),
            *((None, None, None) if rank is None else (rank.rank, rank.low, rank.high)),
        )
        for group, rank in zip(groups, ranks, strict=True)
    }


def _spread(scores: Sequence[float]) -> tuple[Cell, Cell, Cell]:
    if not scores:
        return None, None, None
    std = statistics.stdev(scores) if len(scores) > 1 else None
    return std, min(scores), max(scores)


def _rank(scores: Sequence[float], direction: Literal["max", "min"]) -> tuple[bool, float]:
    mean = statistics.fmean(scores) if scores else 0.0
    return not scores, -mean if direction == "max" else mean


def _columns(
    prefix: str,
    rows: Sequence[Mapping[str, Cell]],
    *,
    in_data_only: bool = False,
    may_give_way: bool = True,
) -> list[Column]:
    """A column for every key of any row, in the order of first appearance."""
    columns = []
    for key in dict.fromkeys(key for row in rows for key in row):
        cells = [row.get(key) for row in rows]
        are_numbers = all(cell is None or type(cell) in (int, float) for cell in cells)
        columns.append(
            Column(
                prefix + key,
                key,
                "figure" if are_numbers else "text",
                in_data_only=in_data_only,
                is_repeated=may_give_way and len(set(map(repr, cells))) == 1,
            )
        )
    return columns


def _prefixed(prefix: str, cells: Mapping[str, Cell]) -> dict[str, Cell]:
    return {prefix + key: cell for key, cell in cells.items()}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Cell]:
    """Nested values by dotted keys."""
    flat: dict[str, Cell] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = _cell(value)
    return flat


def _cell(value: Any) -> Cell:
    """A JSON value as a cell: lists and objects as their text."""
    if value is None or isinstance(value, str | int | float):
        return value
    return json.dumps(value, ensure_ascii=False)


def _message(error: Mapping[str, Any] | None) -> str | None:
    return None if error is None else f"{error.get('type')}: {error.get('message')}"


def _to_the_second(timestamp: str) -> str:
    """`2026-01-31 12:00:00Z`; what is no time is left as it is."""
    try:
        instant = datetime.fromisoformat(timestamp)
    except ValueError:
        return timestamp
    if instant.tzinfo is not None:
        instant = instant.astimezone(UTC)
    return instant.strftime("%Y-%m-%d %H:%M:%SZ")
