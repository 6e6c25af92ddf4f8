"""Ending trials early: what a pruner compares, and what it is asked.

A trial's steps are counted over its seeds in their order: place of the seed · total_timesteps +
env steps, these rounded down to a multiple of `evaluation.every` so that trials with other
`num_envs` have the same steps. The value at a step is the objective's statistic over the scores
of the seeds before and this seed's evaluation: trials are compared on the same seeds at the same
point of their training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from axiomrl.reports.scores import curve_of, finite
from axiomrl.runs.record import RunRecord
from axiomrl.search.description import Search
from axiomrl.search.journal import Journal, quiet
from axiomrl.statistics import STATISTICS

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


def intermediate_values(
    search: Search, directories: Mapping[int, Path], scores: Mapping[int, float]
) -> Iterator[tuple[int, float]]:
    """The steps of a trial so far and the values there, in order.

    `directories` and `scores` are by seed. What comes after the first seed without a score has
    to wait, even if a run is there already.
    """
    statistic = STATISTICS[search.config.objective.statistic]
    before: list[float] = []
    for place, seed in enumerate(search.config.seeds):
        for step, value in _evaluations(search, directories[seed]):
            yield place * search.base.total_timesteps + step, statistic([[*before, value]])
        if seed not in scores:
            return
        before.append(scores[seed])


def _evaluations(search: Search, directory: Path) -> Iterator[tuple[int, float]]:
    """A run's evaluations at multiples of `evaluation.every`; that before training is left out."""
    record = RunRecord.read_if_any(directory)
    if record is None:  # not begun yet; a damaged one fails when its score is read
        return
    every, last = search.base.evaluation.every, 0
    for step, value in zip(*curve_of(record, search.config.objective.metric), strict=True):
        rounded = min(int(step) // every * every, search.base.total_timesteps)
        if rounded > last and finite(value) is not None:
            last = rounded
            yield rounded, value


def pruner_of(search: Search, journal: Journal) -> Callable[[int], bool] | None:
    """Says of a trial, by number, whether it should end now; None if no trial ever should."""
    pruner = _pruner(search)
    if pruner is None:
        return None
    with quiet():
        study = journal.study()

    def should_end(number: int) -> bool:
        return pruner.prune(study, journal.frozen(number))

    return should_end


def _pruner(search: Search) -> BasePruner | None:
    from optuna.pruners import MedianPruner, SuccessiveHalvingPruner

    settings = search.config.pruner
    if settings.type == "median":
        return MedianPruner(
            n_startup_trials=settings.n_startup_trials, n_warmup_steps=settings.warmup_steps
        )
    if settings.type == "asha":
        return SuccessiveHalvingPruner(
            min_resource=settings.warmup_steps or search.base.evaluation.every,
            reduction_factor=settings.reduction_factor,
        )
    return None
