"""Statistics of scores: arrays in, estimates out. No files, nothing but NumPy.

The scores of one group of runs are *tasks*: one array per task (environment), holding one finite
score per run. `docs/explanation/statistics.md` says why these statistics, and what they mean.

    group = ResampledGroup.of(tasks, mean, name="ppo", seed=0, resamples=resamples_for(12))
    group.estimate                                  the value, with its interval
    rank_groups(groups, direction="max")            ranks as intervals
    difference(group, baseline)                     and other comparisons of two groups
"""

from axiomrl.statistics.bootstrap import interval, resample, resamples_for
from axiomrl.statistics.comparison import (
    difference,
    probability_of_improvement,
    ratio,
    seeds_to_separate,
)
from axiomrl.statistics.curves import (
    BAND_RESAMPLES,
    Band,
    Grid,
    TimesToThreshold,
    area_under_curve,
    band,
    band_over_tasks,
    last_window,
    on_common_grid,
    summary_of_times,
    time_to_threshold,
)
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
from axiomrl.statistics.profiles import Profile, performance_profile
from axiomrl.statistics.ranking import Rank, rank_groups
from axiomrl.statistics.scores import Direction, Tasks

__all__ = [
    "BAND_RESAMPLES",
    "STATISTICS",
    "Band",
    "Direction",
    "Estimate",
    "Grid",
    "Profile",
    "Rank",
    "ResampledGroup",
    "Statistic",
    "Tasks",
    "TimesToThreshold",
    "area_under_curve",
    "band",
    "band_over_tasks",
    "difference",
    "interval",
    "iqm",
    "last_window",
    "mean",
    "median",
    "on_common_grid",
    "optimality_gap",
    "optimality_gap_below",
    "performance_profile",
    "probability_of_improvement",
    "rank_groups",
    "ratio",
    "resample",
    "resamples_for",
    "seeds_to_separate",
    "std",
    "summary_of_times",
    "time_to_threshold",
]
