"""One score per version, so that experiments can be compared as groups of runs are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from axiomrl.errors import InputError
from axiomrl.metrics import Direction, direction_of
from axiomrl.tracking.record import ExperimentRecord

Reduction = Literal["last", "best"]


def direction_for(metric: str, reduce: Reduction, direction: Direction | None) -> Direction | None:
    """The direction given, else the one known of the metric.

    Raises InputError where `best` needs one and none is known.
    """
    known = direction or direction_of(metric)
    if known is None and reduce == "best":
        raise InputError(
            f"whether more or less {metric!r} is better is not known, so none is best",
            hint="give a direction, max or min; or reduce to the last value",
        )
    return known


def score(
    record: ExperimentRecord, metric: str, *, reduce: Reduction, direction: Direction | None = None
) -> float | None:
    """The last or the best value of a metric; None where that is no finite number.

    A version whose last value was NaN has no `last` score; NaN is never `best`.
    """
    values = record.metrics.get(metric, [])
    direction = direction_for(metric, reduce, direction)
    if reduce == "last":
        values = values[-1:]
    numbers = [number for number in map(_finite, values) if number is not None]
    if not numbers:
        return None
    return max(numbers) if direction == "max" else min(numbers)


def scores_by_experiment(
    histories: Mapping[str, Sequence[ExperimentRecord]],
    metric: str,
    *,
    reduce: Reduction = "last",
    direction: Direction | None = None,
) -> dict[str, list[float]]:
    """The scores of every experiment's versions, in their order; versions without one left out."""
    scores: dict[str, list[float]] = {}
    for name, records in histories.items():
        reduced = [score(each, metric, reduce=reduce, direction=direction) for each in records]
        scores[name] = [each for each in reduced if each is not None]
    return scores


def _finite(value: object) -> float | None:
    """The value as a float; None for what is no number, or none that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None
