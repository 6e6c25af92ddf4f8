"""Statistics of scores: arrays in, estimates out. No files, nothing but NumPy.

The scores of one group of runs are *tasks*: one array per task (environment), holding one finite
score per run.

    group = ResampledGroup.of(tasks, mean, name="ppo", seed=0, resamples=resamples_for(12))
    group.estimate                                  the value, with its interval
    rank_groups(groups, direction="max")            ranks as intervals
"""

from axiomrl.statistics.bootstrap import interval, resample, resamples_for
from axiomrl.statistics.groups import Estimate, ResampledGroup
from axiomrl.statistics.points import (
    STATISTICS,
    Statistic,
    iqm,
    mean,
    median,
    optimality_gap,
    optimality_gap_below,
    std,
)
from axiomrl.statistics.ranking import Rank, rank_groups
from axiomrl.statistics.scores import Direction, Tasks

__all__ = [
    "STATISTICS",
    "Direction",
    "Estimate",
    "Rank",
    "ResampledGroup",
    "Statistic",
    "Tasks",
    "interval",
    "iqm",
    "mean",
    "median",
    "optimality_gap",
    "optimality_gap_below",
    "rank_groups",
    "resample",
    "resamples_for",
    "std",
]
