"""From the trials of a search to what its plots show."""

from __future__ import annotations

from collections.abc import Sequence

from axiomrl.errors import InputError, did_you_mean
from axiomrl.reports.plots import SearchPlot
from axiomrl.reports.search_plot_data import (
    HistoryPlot,
    ImportancePlot,
    SlicePanel,
    SlicePlot,
    TrialPoint,
)
from axiomrl.search.description import Search
from axiomrl.search.journal import Trial
from axiomrl.search.report import importances, score_words, short_names, shown_value
from axiomrl.search.space import Choice, Dimension

KINDS = ("history", "slice", "importances")


def require_kind(kind: str) -> None:
    """Raises InputError for what is no kind of plot."""
    if kind not in KINDS:
        near = did_you_mean(kind, KINDS)
        choices = f"choose from {', '.join(KINDS)}"
        raise InputError(
            f"{kind!r} is no plot of a search", hint=f"{near}; {choices}" if near else choices
        )


def search_plot(kind: str, search: Search, trials: Sequence[Trial]) -> SearchPlot:
    """What a plot shows; raises InputError where there is nothing to draw."""
    require_kind(kind)
    if kind == "importances":
        return _importances(search, trials)
    if not any(trial.score is not None for trial in trials):
        raise InputError("nothing to draw", hint="no trial of the search is completed")
    return _history(search, trials) if kind == "history" else _slices(search, trials)


def _history(search: Search, trials: Sequence[Trial]) -> HistoryPlot:
    better = max if search.higher_is_better else min
    points: list[TrialPoint] = []
    best: list[tuple[int, float]] = []
    for trial in trials:
        value = trial.score if trial.score is not None else trial.last_intermediate
        if value is None or trial.state in ("failed", "running"):
            continue
        is_pruned = trial.state == "pruned"
        points.append(TrialPoint(trial.number, value, is_pruned, trial.is_base))
        if trial.score is not None:
            so_far = better(trial.score, best[-1][1]) if best else trial.score
            best.append((trial.number, so_far))
    best.append((trials[-1].number, best[-1][1]))
    failed = tuple(trial.number for trial in trials if trial.state == "failed")
    base = next((trial.score for trial in trials if trial.is_base), None)
    caption = [_score_words(search)]
    if any(point.is_pruned for point in points):
        caption.append("Hollow: pruned, at the last value that was seen.")
    if failed:
        caption.append("Crosses: failed trials.")
    return HistoryPlot(
        groups=(),
        caption=tuple(caption),
        notes=(),
        points=tuple(points),
        failed=failed,
        best=tuple(best),
        base_score=base,
        y_title="score",
    )


def _slices(search: Search, trials: Sequence[Trial]) -> SlicePlot:
    completed = [trial for trial in trials if trial.score is not None]
    labels = short_names(list(search.space))
    panels, is_base_left_out = [], False
    for path, dimension in search.space.items():
        points = []
        for trial in completed:
            place = _place(dimension, trial, path)
            if place is None:
                is_base_left_out = True
            elif trial.score is not None:
                points.append((place, trial.score, trial.is_base))
        names = None
        if isinstance(dimension, Choice):
            names = tuple(shown_value(value) for value in dimension.values)
        is_log = not isinstance(dimension, Choice) and dimension.log
        panels.append(SlicePanel(labels[path], is_log, names, tuple(points)))
    notes = ("the base lies outside of the space, and is left out",) if is_base_left_out else ()
    caption = (_score_words(search), "Completed trials; the base in another colour.")
    return SlicePlot(groups=(), caption=caption, notes=notes, panels=tuple(panels), y_title="score")


def _importances(search: Search, trials: Sequence[Trial]) -> ImportancePlot:
    found = importances(search, trials)
    if not found.shares:
        raise InputError("nothing to draw", hint=f"there are no importances: {found.reason}")
    labels = short_names(list(search.space))
    return ImportancePlot(
        groups=(),
        caption=("PED-ANOVA over the completed trials: shares add up to 1.",),
        notes=(),
        rows=tuple((labels[path], share) for path, share in found.shares.items()),
        x_title="share of importance",
    )


def _place(dimension: Dimension, trial: Trial, path: str) -> float | None:
    """Where a trial lies on the axis of a setting; None outside of the space."""
    if path not in trial.optuna.params:
        return None
    if isinstance(dimension, Choice):
        return float(dimension.values.index(trial.params[path]))
    return float(trial.params[path])


def _score_words(search: Search) -> str:
    return f"Score: {score_words(search)} ({search.config.objective.direction})."
