"""Point statistics: one number for the scores of a group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from axiomrl.statistics.scores import Array, Tasks, canonical, checked_tasks, finite

Sizes: TypeAlias = npt.NDArray[np.intp]  # [T], the number of runs of each task


@dataclass(frozen=True)
class Statistic:
    """A named statistic: called with tasks, it gives a float.

    `rows` computes it for many versions of the scores at once: from [B, N] scores, those of the
    first task first, and the number of runs of each task to [B] values.
    """

    name: str
    rows: Callable[[Array, Sizes], Array]

    def __call__(self, tasks: Tasks) -> float:
        """The value for these tasks; raises ValueError as `checked_tasks` does."""
        return self.value(checked_tasks(tasks))

    def value(self, tasks: tuple[Array, ...]) -> float:
        """The value for tasks that have been checked. The order of tasks and runs is no matter."""
        ordered = canonical(tasks)
        sizes = np.array([scores.size for scores in ordered])
        return float(self.rows(np.concatenate(ordered)[np.newaxis], sizes)[0])


def _task_means(values: Array, sizes: Sizes) -> Array:
    """[B, T] from [B, N]."""
    starts = np.cumsum(sizes) - sizes
    means: Array = np.add.reduceat(values, starts, axis=1) / sizes
    return means


def _mean(values: Array, sizes: Sizes) -> Array:
    means: Array = _task_means(values, sizes).mean(axis=1)
    return means


def _median(values: Array, sizes: Sizes) -> Array:
    ordered = np.sort(values if len(sizes) == 1 else _task_means(values, sizes), axis=1)
    count = ordered.shape[1]
    medians: Array = ordered[:, (count - 1) // 2 : count // 2 + 1].mean(axis=1)
    return medians


def _iqm(values: Array, sizes: Sizes) -> Array:
    count = values.shape[1]
    cut = count // 4
    means: Array = np.sort(values, axis=1)[:, cut : count - cut].mean(axis=1)
    return means


def optimality_gap_below(gamma: float) -> Statistic:
    """By how much the scores fall short of `gamma`; less is better: gamma - mean(min(x, gamma))."""

    def rows(values: Array, sizes: Sizes) -> Array:
        gaps: Array = gamma - np.minimum(values, gamma).mean(axis=1)
        return gaps

    return Statistic("optimality_gap", rows)


# Mean over tasks of the means over each task's runs.
mean = Statistic("mean", _mean)
# Of one task the median of its runs, of several the median of the means over each one's runs.
median = Statistic("median", _median)
# Interquartile mean: of all n scores together, without the ⌊n/4⌋ least and ⌊n/4⌋ greatest.
iqm = Statistic("iqm", _iqm)
# Of normalised scores, where 1 is as good as the reference.
optimality_gap = optimality_gap_below(1.0)

STATISTICS = {each.name: each for each in (mean, median, iqm, optimality_gap)}


def std(scores: npt.ArrayLike) -> float | None:
    """The sample standard deviation (ddof = 1) of one task's runs; None for a single run."""
    ordered = np.sort(finite("scores", scores))
    if ordered.size == 1:
        return None
    return float(np.std(ordered - ordered[0], ddof=1))  # exactly 0 where all are equal
