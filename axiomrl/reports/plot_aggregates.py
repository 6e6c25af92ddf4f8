"""Plots that take the runs of several environments together: profiles, sample efficiency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from axiomrl.errors import InputError
from axiomrl.reports.curves import Axis, common_points, curves_of
from axiomrl.reports.plot_captions import NO_BAND, band_words, statistic_name, undercovered
from axiomrl.reports.plot_data import (
    CurvePanel,
    CurvePlot,
    GroupCurve,
    GroupProfile,
    ProfilePlot,
)
from axiomrl.reports.plot_groups import Choice, Entrant, Entrants, comparable
from axiomrl.statistics import (
    BAND_RESAMPLES,
    STATISTICS,
    Band,
    Grid,
    ResampledGroup,
    band_over_tasks,
    on_common_grid,
    performance_profile,
)
from axiomrl.statistics.groups import MIN_SEEDS

if TYPE_CHECKING:
    from axiomrl.reports.standings import Leaderboard, Question
    from axiomrl.statistics.scores import Array

THRESHOLDS = 400  # of a performance profile at most


def profile_plot(choice: Choice, board: Leaderboard, x: Axis) -> ProfilePlot:
    """The fraction of runs with a score above each threshold, by group."""
    question = board.question
    over = comparable(choice)
    tasks = [[over.scale(group.usable, group) for group in each.groups] for each in over.entrants]
    taus = _thresholds(np.concatenate([scores for each in tasks for scores in each]), over)
    lines = [
        _profile(each, scores, taus, question)
        for each, scores in zip(over.entrants, tasks, strict=True)
    ]
    side = "below" if question.direction == "min" else "above"
    caption = _caption(over, f"Band: {band_words(question)}.")
    caption += undercovered([each.n_seeds for each in over.entrants], "Bands")
    return ProfilePlot(
        groups=choice.labels,
        caption=tuple(caption),
        notes=(*choice.notes, *over.notes),
        title=over.title,
        lines=tuple(lines),
        x_title=f"{_value_title(question, over)}, {question.reduce} (τ)",
        y_title=f"fraction of runs {side} τ",
    )


def _profile(
    entrant: Entrant, tasks: Sequence[Array], taus: Array, question: Question
) -> GroupProfile:
    """The fraction above each threshold; below it, where less is better."""
    sign = -1.0 if question.direction == "min" else 1.0  # what is below τ has its negative above -τ
    group = ResampledGroup.of(
        [sign * scores for scores in tasks],
        STATISTICS["mean"],
        name=entrant.name,
        seed=question.seed,
        resamples=BAND_RESAMPLES,
        n_seeds=entrant.n_seeds,
    )
    profile = replace(performance_profile(group, sign * taus), taus=taus)
    return GroupProfile(entrant.label, profile, group.estimate.n_runs, entrant.n_seeds)


def _thresholds(scores: Array, over: Entrants) -> Array:
    """All scores, at which profiles fall, and a point before and behind; of many, a grid."""
    occurring = np.unique(scores)
    low, high = float(occurring[0]), float(occurring[-1])
    if over.is_normalized:
        low, high = min(low, 0.0), max(high, 1.0)
    margin = 0.02 * (high - low) or 1.0
    if len(occurring) > THRESHOLDS:
        return np.linspace(low - margin, high + margin, THRESHOLDS)
    return np.concatenate([[low - margin], occurring, [high + margin]])


def efficiency_plot(choice: Choice, board: Leaderboard, x: Axis) -> CurvePlot:
    """Learning curves over all environments, by group."""
    question = board.question
    over = comparable(choice)
    notes = [*choice.notes, *over.notes]
    drawn = []
    for each in over.entrants:
        curve = _curve_over_tasks(each, over, question, x)
        if curve is None:
            notes.append(f"not drawn: {each.label} (no steps that all environments have)")
        else:
            drawn.append(curve)
    if not drawn:
        raise InputError(f"nothing to draw: no run has {question.metric} in metrics.jsonl")
    several = len(over.env_ids) > 1
    runs = "runs and environments" if several else "runs"
    words = f"Line: {statistic_name(question)} over {runs}; band: {band_words(question)}."
    caption = [*_caption(over, words), "Values between evaluations are interpolated."]
    if several:
        caption.append("A line ends with the environment that ends first.")
    caption += undercovered([curve.n_seeds for curve in drawn], "Bands")
    return CurvePlot(
        groups=choice.labels,
        caption=tuple(caption),
        notes=tuple(notes),
        panels=(CurvePanel(over.title, tuple(drawn)),),
        x=x,
        y_title=_value_title(question, over),
    )


def _curve_over_tasks(
    entrant: Entrant, over: Entrants, question: Question, x: Axis
) -> GroupCurve | None:
    """The statistic over all runs of all environments; None where one of these has no curve."""
    tasks = [
        [
            (steps, over.scale(values, group).tolist())
            for steps, values in curves_of(group, question.metric, x=x)
        ]
        for group in entrant.groups
    ]
    if not all(tasks):
        return None
    runs = [curve for curves in tasks for curve in curves]
    common = on_common_grid(runs, points=common_points(runs))
    band = band_over_tasks(
        _by_task(common, [len(curves) for curves in tasks]),
        STATISTICS[question.statistic],
        name=entrant.name,
        seed=question.seed,
    )
    if not band.n.any():
        return None
    seeds = min(entrant.n_seeds, *map(len, tasks))
    return GroupCurve(entrant.label, seeds, _trimmed(band, has_interval=seeds >= MIN_SEEDS), ())


def _trimmed(band: Band, *, has_interval: bool) -> Band:
    """The band from the first to the last step at which all environments have a run."""
    present = np.flatnonzero(band.n)
    part = slice(present[0], present[-1] + 1)
    low, high = (
        # several runs of one seed give no interval
        each[part] if has_interval else np.full(part.stop - part.start, np.nan)
        for each in (band.low, band.high)
    )
    return Band(band.steps[part], band.value[part], low, high, band.n[part])


def _by_task(grid: Grid, sizes: Sequence[int]) -> list[Grid]:
    """The grid of all runs as one grid per task, of the sizes given."""
    parts = np.split(grid.values, np.cumsum(sizes)[:-1])
    return [Grid(grid.steps, part, np.count_nonzero(~np.isnan(part), axis=0)) for part in parts]


def _value_title(question: Question, over: Entrants) -> str:
    return f"normalised {question.metric}" if over.is_normalized else question.metric


def _caption(over: Entrants, words: str) -> list[str]:
    scale = ["0: random policy, 1: reference."] if over.is_normalized else []
    few = any(each.n_seeds < MIN_SEEDS for each in over.entrants)
    several = [f"Environments: {', '.join(over.env_ids)}."] if len(over.env_ids) > 1 else []
    return [*several, words, *scale, *([NO_BAND] if few else [])]
