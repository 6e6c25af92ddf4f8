"""The score of a run, and its learning curve.

Only finite numbers are scores. Whatever else stands where one belongs counts as missing: a run
whose last evaluation is NaN has no final score, and is not scored by an earlier evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from axiomrl.errors import InputError, did_you_mean
from axiomrl.metrics import METRICS, Direction, direction_of
from axiomrl.runs import layout
from axiomrl.statistics import area_under_curve, last_window

if TYPE_CHECKING:
    from axiomrl.runs.record import RunRecord

Reduction = Literal["final", "best", "last-window", "auc"]
REDUCTIONS: tuple[Reduction, ...] = get_args(Reduction)

_BEST = "best_"  # before a metric's name: the best value of it so far
_MOST_STEPS = 2**53  # integers up to here are exact as floats

Curve = tuple[list[float], list[float]]  # env steps, ascending, and the values there


@dataclass(frozen=True, slots=True)
class Score:
    """What a run is worth, or why that cannot be said."""

    value: float | None
    reason: str | None = None  # of a missing value
    step: float | None = None  # env steps that it was (last) measured at, where known


def check_metric(
    metric: str,
    reduce: str,
    records: Iterable[RunRecord] = (),
    direction: Direction | None = None,
) -> None:
    """Raise InputError if no run can have such a score, with names that could be meant.

    A metric is known if axiomrl writes it or one of the runs has it. The best value needs to know
    which direction is better.
    """
    if reduce not in REDUCTIONS:
        near = did_you_mean(reduce, REDUCTIONS)
        choices = f"choose from {', '.join(REDUCTIONS)}"
        raise InputError(
            f"--reduce: {reduce!r} is no reduction", hint=f"{near}; {choices}" if near else choices
        )
    if metric.removeprefix(_BEST) not in METRICS:
        records = list(records)
        if not any(_has(record, metric) for record in records):
            known = {*METRICS, *(name for record in records for name in _latest(record))}
            raise InputError(
                f"--metric: {metric!r} is no metric of axiomrl's, and no run has it",
                hint=did_you_mean(metric, sorted(known)) or "try eval_return_mean",
            )
    if reduce == "best" and direction is None:
        _direction(metric)


def score_of(
    record: RunRecord,
    metric: str,
    reduce: Reduction = "final",
    direction: Direction | None = None,
) -> Score:
    """The score of a run by a metric; `direction` is which way is better, if that is not known.

    `final` is the last value, `best` the best so far, `last-window` the mean of the last ten
    evaluations, `auc` the mean height of the curve over env steps. The latter two are made from
    metrics.jsonl alone. Raises InputError for the best of a metric without direction.
    """
    return _REDUCE[reduce](record, metric, direction)


def curve_of(record: RunRecord, metric: str) -> Curve:
    """The env steps at which a metric was measured, and its values, in the order of steps.

    Of several values at one step the last counts. Values that are no finite numbers are left out
    and become a problem of the record.
    """
    measured: dict[float, float] = {}
    n_unusable = 0
    for row in record.metrics():
        if metric in row:
            step, value = _step(row), finite(row[metric])
            if step is None or value is None:
                n_unusable += 1
            else:
                measured[step] = value
    if n_unusable:
        _note(
            record,
            f"{layout.METRICS}: rows without a finite number for {metric} or its step: "
            f"{n_unusable}",
        )
    steps = sorted(measured)
    return steps, [measured[step] for step in steps]


def _final(record: RunRecord, metric: str, direction: Direction | None = None) -> Score:
    latest = _latest(record)
    if metric in latest:
        value = finite(latest[metric])
        reason = None if value is not None else f"the last {metric} is not a finite number"
        return Score(value, reason)
    if metric.startswith(_BEST):
        return _stored_best(record, metric.removeprefix(_BEST)) or _missing(metric)
    last = next((row for row in reversed(record.metrics()) if metric in row), None)
    if last is None:
        return _missing(metric)
    value = finite(last[metric])
    if value is None:
        problem = f"the last {metric} is not a finite number"
        _note(record, f"{layout.METRICS}: {problem}")
        return Score(None, problem)
    return Score(value, step=_step(last))


def _best(record: RunRecord, metric: str, direction: Direction | None = None) -> Score:
    direction = direction or _direction(metric)
    if metric.startswith(_BEST):
        return _final(record, metric)
    stored = _stored_best(record, metric)
    if stored is not None and not _sought_otherwise(record, metric, direction):
        return stored
    steps, values = curve_of(record, metric)
    if not values:
        return _missing(metric)
    best = max(values) if direction == "max" else min(values)
    return Score(best, step=steps[values.index(best)])


def _last_window(record: RunRecord, metric: str, direction: Direction | None = None) -> Score:
    return _of_curve(record, metric, lambda steps, values: last_window(values))


def _area(record: RunRecord, metric: str, direction: Direction | None = None) -> Score:
    return _of_curve(record, metric, area_under_curve)


def _of_curve(
    record: RunRecord, metric: str, reduce: Callable[[Sequence[float], Sequence[float]], float]
) -> Score:
    steps, values = curve_of(record, metric)
    if not values:
        return _missing(metric, layout.METRICS)
    value = finite(reduce(steps, values))
    if value is None:
        return Score(None, f"the values of {metric} are too large to add up")
    return Score(value, step=steps[-1])


_REDUCE: dict[Reduction, Callable[[RunRecord, str, Direction | None], Score]] = {
    "final": _final,
    "best": _best,
    "last-window": _last_window,
    "auc": _area,
}


def _stored_best(record: RunRecord, metric: str) -> Score | None:
    """The best value that metadata states, if any."""
    best = record.metadata.get("best_checkpoint") or {}
    marked = finite(best.get("metric_value")) if best.get("metric_name") == metric else None
    value = finite(_latest(record).get(_BEST + metric))
    if value is None:
        value = marked
    if value is None:
        return None
    return Score(value, step=best.get("step") if value == marked else None)


def _sought_otherwise(record: RunRecord, metric: str, direction: Direction) -> bool:
    """Whether the run took less for better where more is, or the other way round."""
    benchmark = record.metadata.get("benchmark") or {}
    mode = benchmark.get("best_metric_mode") if benchmark.get("best_metric") == metric else None
    return mode not in (None, direction)


def _direction(metric: str) -> Direction:
    direction = direction_of(metric)
    if direction is None:
        raise InputError(
            f"--reduce best: whether more or less {metric} is better is not known",
            hint="choose another --reduce, or a metric with a direction such as eval_return_mean",
        )
    return direction


def _latest(record: RunRecord) -> Mapping[str, Any]:
    return record.metadata.get("latest_metrics") or {}


def _has(record: RunRecord, metric: str) -> bool:
    """Whether a run has ever measured a metric.

    metrics.jsonl is read only where metadata holds no metrics: elsewhere it holds all of them.
    """
    latest = _latest(record)
    return metric in latest or (not latest and any(metric in row for row in record.metrics()))


def _missing(metric: str, where: str = f"{layout.METADATA} and {layout.METRICS}") -> Score:
    return Score(None, f"no {metric} in {where}")


def finite(value: Any) -> float | None:
    """The value if it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer that is larger than any float
        return None
    return number if math.isfinite(number) else None


def _step(row: Mapping[str, Any]) -> float | None:
    """The env steps of a row, an integer as it stands."""
    step = row.get("step")
    number = finite(step)
    return step if number is not None and 0 <= number <= _MOST_STEPS else None


def _note(record: RunRecord, problem: str) -> None:
    if problem not in record.problems:
        record.problems.append(problem)
