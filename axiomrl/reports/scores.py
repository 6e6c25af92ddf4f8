"""What a run's score is: one number from its evaluations, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from axiomrl.errors import InputError, did_you_mean
from axiomrl.metrics import METRICS, direction_of
from axiomrl.statistics import area_under_curve, last_window

if TYPE_CHECKING:
    from axiomrl.metrics import Direction
    from axiomrl.runs.record import RunRecord

Curve = tuple[list[float], list[float]]  # steps (increasing) and values, all finite
WINDOW = 10  # evaluations in last-window


@dataclass(frozen=True, slots=True)
class Score:
    """A run's score, or why it has none."""

    value: float | None
    reason: str | None = None


def score_of(record: RunRecord, metric: str, reduce: str, direction: Direction) -> Score:
    """The score of a run.

    `final`: the last evaluation; `best`: the best one; `last-window`: the mean of the last 10;
    `auc`: the mean height of the curve. The first two are in metadata.json; the others, and
    these where it does not say, come from metrics.jsonl. Only finite numbers count.
    """
    return _REDUCTIONS[reduce](record, metric, direction)


def curve_of(record: RunRecord, metric: str) -> Curve:
    """The steps and values of a metric in metrics.jsonl; of a step that repeats, the last."""
    points: dict[float, float] = {}
    for row in record.metrics():
        step, value = finite(row.get("step")), finite(row.get(metric))
        if step is not None and value is not None:
            points[step] = value
    steps = sorted(points)
    return steps, [points[step] for step in steps]


def require_metric(metric: str, direction: str | None, records: Iterable[RunRecord]) -> Direction:
    """Which way a metric is better.

    Raises InputError if no run has the metric and axiomrl does not know it, or if neither
    `direction` nor what is known of it says which way is better.
    """
    known = direction or direction_of(metric)
    if metric not in METRICS:
        seen = {name for record in records for name in _latest(record)}
        if metric not in seen and seen:
            hint = did_you_mean(metric, {*METRICS, *seen}, count=3)
            raise InputError(f"--metric {metric!r}: no run has it", hint=hint)
        if metric not in seen and known is None:
            hint = did_you_mean(metric, METRICS, count=3)
            raise InputError(f"--metric {metric!r}: is not known", hint=hint)
    if known is None:
        better = ", ".join(name for name in METRICS if direction_of(name) is not None)
        raise InputError(
            f"--metric {metric!r}: whether more or less of it is better is not known",
            hint=f"say it with --direction max|min; known are: {better}",
        )
    if known not in ("max", "min"):
        raise InputError(f"--direction {known!r}: must be max or min")
    return "max" if known == "max" else "min"


def finite(value: Any) -> float | None:
    """A finite number as a float; None for everything else, booleans and texts too."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


def _final(record: RunRecord, metric: str, direction: Direction) -> Score:
    value = finite(_latest(record).get(metric))
    if value is not None:
        return Score(value)
    _, values = curve_of(record, metric)
    return Score(values[-1]) if values else _none(metric)


def _best(record: RunRecord, metric: str, direction: Direction) -> Score:
    value = finite(_latest(record).get(f"best_{metric}"))
    best = record.metadata.get("best_checkpoint") or {}
    if value is None and best.get("metric_name") == metric:
        value = finite(best.get("metric_value"))
    if value is not None:
        return Score(value)
    _, values = curve_of(record, metric)
    if not values:
        return _final(record, metric, direction)
    return Score(max(values) if direction == "max" else min(values))


def _last_window(record: RunRecord, metric: str, direction: Direction) -> Score:
    _, values = curve_of(record, metric)
    return Score(last_window(values, WINDOW)) if values else _no_curve(metric)


def _area(record: RunRecord, metric: str, direction: Direction) -> Score:
    steps, values = curve_of(record, metric)
    return Score(area_under_curve(steps, values)) if values else _no_curve(metric)


_REDUCTIONS: dict[str, Callable[[RunRecord, str, Direction], Score]] = {
    "final": _final,
    "best": _best,
    "last-window": _last_window,
    "auc": _area,
}


def _latest(record: RunRecord) -> Mapping[str, Any]:
    return record.metadata.get("latest_metrics") or {}


def _none(metric: str) -> Score:
    return Score(None, f"no {metric}")


def _no_curve(metric: str) -> Score:
    return Score(None, f"no {metric} in metrics.jsonl")
