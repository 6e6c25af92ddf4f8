"""Learning curves of groups, as pictures and reports show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from axiomrl.reports.scores import Curve, curve_of, finite
from axiomrl.statistics import STATISTICS, Band, band, on_common_grid

if TYPE_CHECKING:
    from axiomrl.reports.standings import ScoredGroup
    from axiomrl.runs.record import RunRecord

Axis = Literal["env_steps", "wall_time"]
STEPS = 200  # of a drawn curve at most


def curves_of(each: ScoredGroup, metric: str, *, x: Axis = "env_steps") -> list[Curve]:
    """The curves of the runs that count, those without one left out.

    `x` is env steps, or the seconds that training had taken (`time_s`).
    """
    made = [run_curve(run, metric, x) for run in each.group.runs]
    return [curve for curve in made if curve[0]]


def run_curve(record: RunRecord, metric: str, x: Axis) -> Curve:
    """The curve of one run; empty lists if it has none."""
    return curve_of(record, metric) if x == "env_steps" else _over_time(record, metric)


def group_band(
    each: ScoredGroup,
    metric: str,
    *,
    statistic: str = "mean",
    seed: int = 0,
    x: Axis = "env_steps",
    points: int | None = None,
) -> Band | None:
    """A group's curve with a pointwise 95 % bootstrap band and n per step; None without curves.

    Curves of different steps and lengths are put on common steps: all that occur, or `points`
    evenly spaced ones.
    """
    curves = curves_of(each, metric, x=x)
    if not curves:
        return None
    return band_of(curves, statistic=statistic, name=each.group.identity, seed=seed, points=points)


def band_of(
    curves: Sequence[Curve], *, statistic: str, name: str, seed: int, points: int | None
) -> Band:
    """The same for curves that have been read."""
    grid = on_common_grid(curves, points=points)
    return band(grid, STATISTICS[statistic], name=name, seed=seed)


def common_points(curves: Sequence[Curve]) -> int | None:
    """How many evenly spaced steps stand for those of the curves; None if all of them may."""
    occurring = {step for steps, _ in curves for step in steps}
    return STEPS if len(occurring) > STEPS else None


def _over_time(record: RunRecord, metric: str) -> Curve:
    """A metric over training seconds, which only increase; of equal ones the last counts."""
    points: dict[float, float] = {}
    for row in record.metrics():
        seconds, value = finite(row.get("time_s")), finite(row.get(metric))
        if seconds is not None and value is not None:
            points[seconds] = value
    times = sorted(points)
    return times, [points[time] for time in times]
