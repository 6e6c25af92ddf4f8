"""Learning curves: what one run's curve comes to, and the curves of several runs together.

A curve is the steps of a run's evaluations, strictly increasing, and their values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from axiomrl.statistics.bootstrap import draws, interval
from axiomrl.statistics.groups import MIN_SEEDS, ResampledGroup
from axiomrl.statistics.points import Statistic
from axiomrl.statistics.scores import Array, Direction, finite

Curve: TypeAlias = tuple[npt.ArrayLike, npt.ArrayLike]  # steps, values

BAND_RESAMPLES = 2_000  # at each step; a picture shows no more than these tell


def last_window(values: npt.ArrayLike, n: int = 10) -> float:
    """The mean of the last n values, or of all of them if there are fewer."""
    if n < 1:
        raise ValueError(f"n is {n}, must be at least 1")
    with np.errstate(over="ignore"):  # a sum may be infinite
        return float(finite("values", values)[-n:].mean())


def area_under_curve(steps: npt.ArrayLike, values: npt.ArrayLike) -> float:
    """The mean height of a curve: its area by trapezoids, divided by the range of its steps.

    A curve of one point is as high as that.
    """
    at, heights = checked_curve((steps, values))
    if at.size == 1:
        return float(heights[0])
    with np.errstate(over="ignore", invalid="ignore"):  # an area may be infinite
        return float(np.trapezoid(heights, at) / (at[-1] - at[0]))


def time_to_threshold(
    steps: npt.ArrayLike,
    values: npt.ArrayLike,
    threshold: float,
    *,
    direction: Direction = "max",
) -> float | None:
    """The first step at which a value is as good as the threshold; None if none is (censored).

    Values between two steps are not guessed.
    """
    at, heights = checked_curve((steps, values))
    if not math.isfinite(threshold):
        raise ValueError(f"the threshold is {threshold}, not a finite number")
    is_reached = heights >= threshold if direction == "max" else heights <= threshold
    return float(at[np.argmax(is_reached)]) if is_reached.any() else None


@dataclass(frozen=True, slots=True)
class TimesToThreshold:
    """The times to a threshold of a group's runs."""

    median: float | None  # the first step by which half of the runs had reached it, if they did
    n_reached: int
    n_censored: int  # runs that ended without reaching it


def summary_of_times(times: Sequence[float | None]) -> TimesToThreshold:
    """What `time_to_threshold` gave for each run, None counting as later than any step.

    The median is the ⌈n/2⌉-th least time: of an even number of runs the lower of the two in the
    middle, since a mean with a time that nobody knows is not one. Raises ValueError without runs.
    """
    if not times:
        raise ValueError("there are no runs")
    known = [time for time in times if time is not None]
    reached = np.sort(finite("times", known)) if known else np.empty(0)
    half = (len(times) + 1) // 2
    median = float(reached[half - 1]) if half <= len(reached) else None
    return TimesToThreshold(median, len(reached), len(times) - len(reached))


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The curves of R runs at common steps."""

    steps: Array  # [S]
    values: Array  # [R, S]; NaN before the first and after the last step of a run
    n: npt.NDArray[np.intp]  # [S] how many runs have a value


def on_common_grid(curves: Sequence[Curve], *, points: int | None = None) -> Grid:
    """Put curves of different steps and lengths on common steps.

    These are all steps of all curves, or `points` evenly spaced ones from the first to the last.
    Between two steps of a run its values are interpolated linearly; before its first and after
    its last it has none. Raises ValueError without curves, for a curve without points, for steps
    that do not increase, and for a number that is not finite.
    """
    if not curves:
        raise ValueError("there are no curves")
    checked = [checked_curve(curve, f"curve {index}: ") for index, curve in enumerate(curves)]
    if points is None:
        steps = np.unique(np.concatenate([at for at, _ in checked]))
    else:
        ends = min(at[0] for at, _ in checked), max(at[-1] for at, _ in checked)
        steps = np.linspace(*ends, points)
    values = np.stack(
        [np.interp(steps, at, heights, left=np.nan, right=np.nan) for at, heights in checked]
    )
    return Grid(steps, values, np.count_nonzero(~np.isnan(values), axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """A group's curve with a pointwise 95 % band; every array is [S]."""

    steps: Array
    value: Array  # NaN where no run has a value
    low: Array  # NaN where fewer than three runs have one
    high: Array
    n: npt.NDArray[np.intp]


def band(
    grid: Grid, statistic: Statistic, *, name: str, seed: int, resamples: int = BAND_RESAMPLES
) -> Band:
    """The statistic over runs at each step, resampling the runs that have a value there.

    Steps with equally many runs share their draws, so the band is as smooth as the curves are.
    """
    value, low, high = np.full((3, len(grid.steps)), np.nan)
    for count in np.unique(grid.n[grid.n > 0]):
        places = np.flatnonzero(grid.n == count)
        # in ascending order, as scores are resampled; NaN comes last
        columns = np.ascontiguousarray(np.sort(grid.values[:, places], axis=0)[:count].T)
        sizes = np.array([count])
        value[places] = statistic.rows(columns, sizes)
        if count < MIN_SEEDS:
            continue
        blocks = list(draws(sizes, seed=seed, name=name, resamples=resamples))
        for place, scores in zip(places, columns, strict=True):
            drawn = [statistic.rows(scores[positions], sizes) for positions in blocks]
            low[place], high[place] = interval(np.concatenate(drawn))
    return Band(grid.steps, value, low, high, grid.n)


def band_over_tasks(
    grids: Sequence[Grid],
    statistic: Statistic,
    *,
    name: str,
    seed: int,
    resamples: int = BAND_RESAMPLES,
) -> Band:
    """The statistic over the runs of several tasks, whose grids have the same steps, at each step.

    There is a value where every task has a run, and a band where every task has three; n is that
    of the task with fewest. Raises ValueError without grids and for grids of different steps.
    """
    if not grids:
        raise ValueError("there are no grids")
    steps = grids[0].steps
    if any(not np.array_equal(each.steps, steps) for each in grids):
        raise ValueError("the grids have different steps")
    n = np.min([each.n for each in grids], axis=0)
    value, low, high = np.full((3, len(steps)), np.nan)
    for place in np.flatnonzero(n):
        columns = [each.values[:, place] for each in grids]
        tasks = [column[~np.isnan(column)] for column in columns]
        group = ResampledGroup.of(tasks, statistic, name=name, seed=seed, resamples=resamples)
        value[place] = group.estimate.value
        if group.distribution is not None:
            low[place], high[place] = interval(group.distribution)
    return Band(steps, value, low, high, n)


def checked_curve(curve: Curve, what: str = "") -> tuple[Array, Array]:
    """Steps and values as arrays; raises ValueError if they make no curve."""
    steps, values = finite(f"{what}steps", curve[0]), finite(f"{what}values", curve[1])
    if steps.size != values.size:
        raise ValueError(f"{what}{steps.size} steps, but {values.size} values")
    if (np.diff(steps) <= 0).any():
        place = int(np.argmax(np.diff(steps) <= 0))
        raise ValueError(f"{what}step {steps[place + 1]} follows step {steps[place]}")
    return steps, values
