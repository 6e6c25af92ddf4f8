"""Two groups against one another."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from axiomrl.statistics.bootstrap import block_rows, counted, draws
from axiomrl.statistics.groups import Estimate, ResampledGroup, estimate
from axiomrl.statistics.ranking import sure_count, without_rounding_errors
from axiomrl.statistics.scores import Array, Direction

# Quantiles of the standard normal distribution at 0.975 (so sure must one be to call two groups
# apart) and at 0.8 (the chance of getting there): the usual design of an experiment.
Z_SURE, Z_POWER = 1.959964, 0.841621


def difference(x: ResampledGroup, y: ResampledGroup) -> Estimate:
    """By how much the statistic of x is greater than that of y.

    Raises ValueError if both have one name or were resampled unequally often.
    """
    pair = _distributions(x, y)
    value = x.estimate.value - y.estimate.value
    return _estimate(value, None if pair is None else pair[0] - pair[1], x, y)


def ratio(x: ResampledGroup, y: ResampledGroup) -> Estimate | None:
    """The statistic of x divided by that of y; None where that of y is zero.

    Without an interval also if y is zero, or is of either sign, among its resamples: no interval
    of ratios then means anything. Raises ValueError as `difference` does.
    """
    pair = _distributions(x, y)
    if y.estimate.value == 0.0:
        return None
    ratios = None
    if pair is not None and abs(np.sign(pair[1]).sum()) == len(pair[1]):
        ratios = pair[0] / pair[1]
    return _estimate(x.estimate.value / y.estimate.value, ratios, x, y)


def probability_of_improvement(
    x: ResampledGroup, y: ResampledGroup, *, direction: Direction = "max"
) -> Estimate:
    """How probably a run of x is better than a run of y, both chosen at random.

    Per task the Mann-Whitney statistic U / (runs of x · runs of y), a tie counting one half;
    then the mean over tasks, which must be the same in the same order. The interval is that over
    resamples of the runs of both. P(x, y) + P(y, x) = 1.

    Raises ValueError for unequal numbers of tasks, and as `difference` does.
    """
    if len(x.tasks) != len(y.tasks):
        raise ValueError(f"{x.name!r} has {len(x.tasks)} tasks, {y.name!r} has {len(y.tasks)}")
    has_distributions = _distributions(x, y) is not None
    if y.name < x.name:  # so that both ways round the same resamples are drawn
        return _complement(probability_of_improvement(y, x, direction=direction))
    pairs = list(zip(x.tasks, y.tasks, strict=True))
    pairs.sort(key=lambda pair: [(scores.size, scores.tolist()) for scores in pair])
    better = [_better(*pair, direction) for pair in pairs]
    every_run = [
        np.ones((1, sum(part))) for part in zip(*(each.shape for each in better), strict=True)
    ]
    value = float(_improvement(better, *every_run)[0])
    return _estimate(value, _improvements(better, x, y) if has_distributions else None, x, y)


def seeds_to_separate(x: ResampledGroup, y: ResampledGroup) -> int | None:
    """About how many more seeds per group it takes to tell two groups apart.

    0 if they are apart already: one is better in 97.5 % of the resamples. None if they have the
    same value, or too few seeds to say anything.

    Normal approximation: with n seeds each, the difference d of the statistics has the standard
    deviation √((s_x² + s_y²) / n), where s² = n · v · n / (n - 1) from the variance v of the
    group's n-seed resamples (for the mean of one task that is the sample variance of its runs).
    If d is the true difference, n = (1.96 + 0.84)² (s_x² + s_y²) / d² seeds tell the groups
    apart with a chance of 80 %: the sample size of a two-sample z-test, see C. Colas et al., How
    many random seeds? (2018), arXiv:1806.08295. The d at hand is itself uncertain, and so is
    this number.
    """
    pair = _distributions(x, y)
    values = np.array([x.estimate.value, y.estimate.value])
    near = without_rounding_errors(values)
    if pair is None or near[0] == near[1]:
        return None
    one, other = (without_rounding_errors(each) for each in pair)
    wins = max(np.count_nonzero(one > other), np.count_nonzero(one < other))
    if wins >= sure_count(len(one)):
        return 0
    seeds = x.estimate.n_seeds, y.estimate.n_seeds
    deviation = math.sqrt(sum(map(_variance_of_one_seed, pair, seeds)))
    needed = ((Z_SURE + Z_POWER) * deviation / float(values[0] - values[1])) ** 2
    return max(1, math.ceil(needed) - min(seeds))


def _distributions(x: ResampledGroup, y: ResampledGroup) -> tuple[Array, Array] | None:
    """Those of both groups; None if one has too few seeds."""
    if x.name == y.name:
        raise ValueError(f"both groups are named {x.name!r}: their resamples are not independent")
    if x.distribution is None or y.distribution is None:
        return None
    if x.resamples != y.resamples:
        raise ValueError(f"resampled unequally often: {x.resamples} and {y.resamples} times")
    return x.distribution, y.distribution


def _estimate(
    value: float, distribution: Array | None, x: ResampledGroup, y: ResampledGroup
) -> Estimate:
    runs = x.estimate.n_runs + y.estimate.n_runs
    seeds = min(x.estimate.n_seeds, y.estimate.n_seeds)
    return estimate(value, distribution, n_runs=runs, n_seeds=seeds)


def _complement(p: Estimate) -> Estimate:
    low, high = (None if end is None else 1.0 - end for end in (p.high, p.low))
    return Estimate(1.0 - p.value, low, high, p.method, p.resamples, p.n_runs, p.n_seeds)


def _better(x: Array, y: Array, direction: Direction) -> Array:
    """[R_x, R_y] 1 where the run of x is better, ½ where they tie, else 0."""
    distance = x[:, np.newaxis] - y if direction == "max" else y - x[:, np.newaxis]
    return (np.sign(distance) + 1.0) / 2.0


def _improvements(better: Sequence[Array], x: ResampledGroup, y: ResampledGroup) -> Array:
    """[B] the probability in each resample."""
    sizes = np.array([each.shape for each in better])
    rows = block_rows(int(sizes.sum(axis=0).max()))
    drawn_x, drawn_y = (
        draws(runs, seed=each.seed, name=each.name, resamples=each.resamples, rows=rows)
        for runs, each in zip(sizes.T, (x, y), strict=True)
    )
    blocks = zip(drawn_x, drawn_y, strict=True)
    return np.concatenate([_improvement(better, counted(px), counted(py)) for px, py in blocks])


def _improvement(better: Sequence[Array], counts_x: Array, counts_y: Array) -> Array:
    """[B] from how often each run counts, [B, N_x] and [B, N_y]."""
    total = np.zeros(len(counts_x))
    at_x = at_y = 0
    for each in better:
        runs_x, runs_y = each.shape
        wins = counts_x[:, at_x : at_x + runs_x] @ each  # [B, R_y]
        pairs = (wins * counts_y[:, at_y : at_y + runs_y]).sum(axis=1)
        total += pairs / (runs_x * runs_y)
        at_x, at_y = at_x + runs_x, at_y + runs_y
    return total / len(better)


def _variance_of_one_seed(distribution: Array, seeds: int) -> float:
    """What a group of one seed would vary by, from how much one of n seeds does."""
    return float(np.var(distribution)) * seeds * seeds / (seeds - 1)
