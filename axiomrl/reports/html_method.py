"""How every number on a page was computed, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from axiomrl.metrics import METRICS
from axiomrl.statistics.bootstrap import METHOD
from axiomrl.statistics.groups import COVERED_SEEDS, MIN_SEEDS

if TYPE_CHECKING:
    from axiomrl.reports.recipe import FilterTexts, Recipe
    from axiomrl.reports.standings import Leaderboard, Question

Explanation = tuple[str, str]  # what, and how it came about

_REDUCTIONS = {
    "final": "the last value of the metric",
    "best": "the best value of the metric",
    "last-window": "the mean of the last 10 evaluations, or of all if there are fewer",
    "auc": "the area under the curve over env steps, divided by the range of the steps",
}
_STATISTICS = {
    "mean": "the mean over the group's runs",
    "median": "the median over the group's runs",
    "iqm": "the interquartile mean: of the group's scores, sorted, those that are left without "
    "the lowest and the highest quarter (each rounded down), averaged",
}
_GROUPINGS = {
    "config": "Runs of one algorithm, environment and configuration (by its hash, or by "
    "config.yaml where there is none) make a group; seeds and what is local to a run do not count.",
    "algo-env": "Runs of one algorithm and environment make a group.",
    "preset": "Runs of one preset, algorithm and environment make a group.",
}


def explanations(board: Leaderboard, recipe: Recipe) -> list[Explanation]:
    """One paragraph for each kind of number, in the order in which they build on one another."""
    question = board.question
    found = [
        ("Runs", _runs_text(recipe)),
        ("Groups", _groups_text(question)),
        ("Metric", _metric_text(question)),
        ("Score of a run", f"{question.reduce}: {_REDUCTIONS[question.reduce]}."),
        ("Score of a group", f"{question.statistic}: {_STATISTICS[question.statistic]}."),
        ("Interval", _interval_text(board)),
        (
            "Rank",
            "1 + the number of groups of the environment that are better in at least 97.5 % of "
            "the resamples: groups that cannot be told apart share a rank. Places are where a "
            "group stands in 95 % of the resamples; one without an interval may stand anywhere.",
        ),
        ("std", "The sample standard deviation of the group's scores (ddof = 1)."),
        (
            "Learning curves",
            f"At each step the {question.statistic} over the runs that have a value there, "
            "linear between two evaluations of a run, with a pointwise 95 % interval by the same "
            "bootstrap (2,000 resamples). n is the number of those runs. Long curves are drawn "
            "at a part of their steps, which the figure says.",
        ),
    ]
    if board.suites or any(each.anchors for each in board.groups):
        found.append(
            (
                "Normalised",
                "(score - random) / (reference - random): 0 is a random policy, 1 the reference. "
                "The two come from the run, from its suite, or from axiomrl's registry.",
            )
        )
    return found + _asked_for(question)


def _runs_text(recipe: Recipe) -> str:
    folders = ", ".join(each.absolute for each in recipe.runs_dirs)
    filters = _filters_text(recipe.filters)
    return f"All runs below {folders}{f' with {filters}' if filters else ''}."


def _filters_text(filters: FilterTexts) -> str:
    listed: Sequence[tuple[str, Sequence[str]]] = (
        ("algorithm", filters.algos),
        ("environment", filters.env_ids),
        ("status", filters.statuses),
    )
    parts = [f"{name} {' or '.join(values)}" for name, values in listed if values]
    parts += [f"tag {tag}" for tag in filters.tags]
    if filters.since is not None:
        parts.append(f"made since {filters.since}")
    if filters.where is not None:
        parts.append(f"where {filters.where}")
    return ", ".join(parts)


def _groups_text(question: Question) -> str:
    text = _GROUPINGS.get(
        question.group_by, f"Runs with equal {question.group_by} in one environment make a group."
    )
    return (
        f"{text} Of several runs of one configuration and seed the one with most env steps "
        "counts, of those the newest; the others are superseded."
    )


def _metric_text(question: Question) -> str:
    known = METRICS.get(question.metric)
    meaning = f": {known.meaning}" if known is not None else ""
    better = "more" if question.direction == "max" else "less"
    return f"{question.metric}{meaning}; {better} is better."


def _interval_text(board: Leaderboard) -> str:
    return (
        f"95 %, {METHOD}: {board.resamples:,} resamples, each of as many of the group's runs as "
        "it has, drawn with replacement; the interval holds the middle 95 % of their scores. The "
        f"draws follow from seed {board.question.seed} and the group's name, so that they can be "
        f"repeated. Under {MIN_SEEDS} seeds there is no interval; with fewer than {COVERED_SEEDS} "
        "it is marked * because it is too short (at 3 and 4 seeds it covers 75 to 80 %)."
    )


def _asked_for(question: Question) -> list[Explanation]:
    """What is computed only if it is asked for."""
    found = []
    if question.baseline is not None:
        found.append(
            (
                "Difference, P(better)",
                f"The group's score minus that of the baseline {question.baseline}, with the "
                "interval of the differences of their resamples; and the probability that a run "
                "of the group is better than one of the baseline (ties count half).",
            )
        )
    if question.threshold is not None:
        found.append(
            (
                "Time to the threshold",
                f"The first evaluation at or beyond {question.threshold:g}, its median over the "
                "runs, in env steps and in seconds of training; runs that never reach it count as "
                "later than any step.",
            )
        )
    if question.min_seeds > 1:
        found.append(("Ranked", f"Groups with at least {question.min_seeds} seeds."))
    if question.top_k is not None:
        found.append(("Shown", f"The first {question.top_k} groups of every environment."))
    return found
