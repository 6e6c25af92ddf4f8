"""One group of runs: its scores, what resampling made of them, and the estimate."""

from __future__ import annotations

from dataclasses import dataclass

from axiomrl.statistics.bootstrap import METHOD, interval, resample
from axiomrl.statistics.points import Statistic
from axiomrl.statistics.scores import Array, Tasks, checked_tasks

MIN_SEEDS = 3  # an interval from fewer would say nothing
COVERED_SEEDS = 5  # with fewer, an interval covers clearly less than it promises


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval.

    `low`, `high`, `method` and `resamples` are None under three seeds. In a comparison of two
    groups, `n_runs` counts the runs of both and `n_seeds` is that of the group with fewer.
    """

    value: float
    low: float | None
    high: float | None
    method: str | None
    resamples: int | None
    n_runs: int
    n_seeds: int

    @property
    def has_interval(self) -> bool:
        """Whether there were seeds enough for an interval."""
        return self.low is not None

    @property
    def is_undercovered(self) -> bool:
        """Whether the interval is from so few seeds that it is too short (3 or 4)."""
        return self.has_interval and self.n_seeds < COVERED_SEEDS


def estimate(value: float, distribution: Array | None, *, n_runs: int, n_seeds: int) -> Estimate:
    """A value with the interval of its distribution over resamples, if it has one."""
    if distribution is None:
        return Estimate(value, None, None, None, None, n_runs, n_seeds)
    low, high = interval(distribution)
    return Estimate(value, low, high, METHOD, len(distribution), n_runs, n_seeds)


@dataclass(frozen=True, slots=True, eq=False)
class ResampledGroup:
    """One group's scores under one statistic, resampled; what rankings and comparisons take."""

    name: str
    tasks: tuple[Array, ...]  # in the order given, the scores of each in ascending order
    seed: int
    resamples: int
    distribution: Array | None  # [resamples] values of the statistic; None under three seeds
    estimate: Estimate

    @classmethod
    def of(
        cls,
        tasks: Tasks,
        statistic: Statistic,
        *,
        name: str,
        seed: int,
        resamples: int,
        n_seeds: int | None = None,
    ) -> ResampledGroup:
        """Resample a group; see `resample` for `name` and `seed`.

        `n_seeds` counts the distinct seeds (of the task that has fewest); where it is not given,
        every run counts as a seed of its own. Raises ValueError as `checked_tasks` does.
        """
        checked = checked_tasks(tasks)
        seeds = min(scores.size for scores in checked) if n_seeds is None else n_seeds
        distribution = None
        if seeds >= MIN_SEEDS:
            distribution = resample(checked, statistic, seed=seed, name=name, resamples=resamples)
        runs = sum(scores.size for scores in checked)
        value = statistic.value(checked)
        summary = estimate(value, distribution, n_runs=runs, n_seeds=seeds)
        return cls(name, checked, seed, resamples, distribution, summary)
