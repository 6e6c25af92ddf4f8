"""A leaderboard as sections for people, one table for spreadsheets, and data for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from axiomrl.reports.document import Document, Section
from axiomrl.reports.normalization import normalized
from axiomrl.reports.run_rows import group_object, problem_objects, run_row
from axiomrl.reports.table import Cell, Column, Table

if TYPE_CHECKING:
    from axiomrl.reports.standings import (
        Comparison,
        EnvironmentBoard,
        Leaderboard,
        ScoredGroup,
        Standing,
        SuiteBoard,
        Unranked,
    )
    from axiomrl.statistics import Estimate

SHOWN = (
    Column("rank", "rank", "integer"),
    Column("places", "places"),
    Column("group", "group"),
    Column("n_seeds", "seeds", "integer"),
    Column("estimate", "score", "number"),
    Column("interval", "95 % interval"),
    Column("std", "std", "number", is_repeated=True),
    Column("difference", "difference"),
    Column("probability", "P(better)", "number"),
    Column("time", "steps to it", "integer"),
    Column("curve", "curve", is_repeated=True),
)
SUITE_SHOWN = (
    Column("rank", "rank", "integer"),
    Column("places", "places"),
    Column("group", "entrant"),
    Column("n_seeds", "seeds", "integer"),
    Column("estimate", "normalised", "number"),
    Column("interval", "95 % interval"),
)
FLAT_KEYS: dict[str, Any] = {
    "rank": "integer",
    "rank_low": "integer",
    "rank_high": "integer",
    "group": "text",
    "algo": "text",
    "env_id": "text",
    "config_hash": "text",
    "n_runs": "integer",
    "n_seeds": "integer",
    "estimate": "number",
    "ci_low": "number",
    "ci_high": "number",
    "ci_method": "text",
    "resamples": "integer",
    "std": "number",
    "min": "number",
    "max": "number",
    "normalized": "number",
    "difference": "number",
    "difference_low": "number",
    "difference_high": "number",
    "ratio": "number",
    "probability_of_improvement": "number",
    "time_to_threshold": "number",
    "time_to_threshold_s": "number",
    "n_censored": "integer",
}
FLAT = tuple(Column(key, key, kind) for key, kind in FLAT_KEYS.items())


def leaderboard_document(
    board: Leaderboard, *, sparkline: Callable[[ScoredGroup], str] | None = None
) -> Document:
    """Everything a leaderboard says; `sparkline` draws a group's learning curve for people."""
    objects = [
        standing_object(standing)
        for environment in board.environments
        for standing in environment.standings
    ]
    flat = Table(FLAT, tuple(tuple(each.get(key) for key in FLAT_KEYS) for each in objects))
    sections = [_environment_section(each, board, sparkline) for each in board.environments]
    sections += [_suite_section(each, board) for each in board.suites]
    if sections:
        sections.append(Section("", None, tuple(_remarks(board))))
    return Document("leaderboard", tuple(sections), flat, _data(board, objects))


def _data(board: Leaderboard, objects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    question = board.question
    return {
        "metric": question.metric,
        "direction": question.direction,
        "reduce": question.reduce,
        "statistic": question.statistic,
        "group_by": question.group_by,
        "seed": question.seed,
        "resamples": board.resamples,
        "baseline": question.baseline,
        "threshold": question.threshold,
        "groups": list(objects),
        "environments": [
            {
                "env_id": each.env_id,
                "n_ranked": len(each.standings) + each.hidden,
                "more_seeds_to_separate_first_two": each.more_seeds,
            }
            for each in board.environments
        ],
        "suites": [_suite_object(each) for each in board.suites],
        "unranked": [
            {**group_object(each.scored), "reason": each.reason}
            for environment in board.environments
            for each in environment.unranked
        ],
        "runs": [
            run_row(record, group=each.label, score=score.value, reason=score.reason)
            for each in board.groups
            for record, score in each.scores
        ]
        + [
            run_row(superseded.run, group=each.label, superseded=superseded.reason)
            for each in board.groups
            for superseded in each.group.superseded
        ],
        "problems": problem_objects(board.problems),
    }


def estimate_object(estimate: Estimate) -> dict[str, Any]:
    """An estimate with its interval."""
    return {
        "estimate": estimate.value,
        "ci_low": estimate.low,
        "ci_high": estimate.high,
        "ci_method": estimate.method,
        "resamples": estimate.resamples,
        "is_undercovered": estimate.is_undercovered,
    }


def standing_object(standing: Standing) -> dict[str, Any]:
    """One ranked group for programs."""
    scored = standing.scored
    values: dict[str, Any] = {
        "rank": standing.rank.rank,
        "rank_low": standing.rank.low,
        "rank_high": standing.rank.high,
        **group_object(scored),
        "n_runs": standing.estimate.n_runs,
        "n_seeds": standing.estimate.n_seeds,
        **estimate_object(standing.estimate),
        **standing.spread,
    }
    if scored.anchors is not None:
        values["normalized"] = normalized(standing.estimate.value, scored.anchors).value
        values["normalization"] = scored.anchors.type
    if standing.comparison is not None:
        values.update(_comparison_values(standing.comparison))
    if standing.times is not None:
        values["time_to_threshold"] = standing.times.median
        values["time_to_threshold_s"] = standing.times_s.median if standing.times_s else None
        values["n_reached"] = standing.times.n_reached
        values["n_censored"] = standing.times.n_censored
    return values


def _comparison_values(comparison: Comparison) -> dict[str, Any]:
    difference, better = comparison.difference, comparison.probability_of_improvement
    ratio = comparison.ratio
    return {
        "baseline": comparison.baseline,
        "difference": difference.value,
        "difference_low": difference.low,
        "difference_high": difference.high,
        "ratio": ratio.value if ratio else None,
        "ratio_low": ratio.low if ratio else None,
        "ratio_high": ratio.high if ratio else None,
        "probability_of_improvement": better.value,
        "probability_low": better.low,
        "probability_high": better.high,
    }


def _suite_object(board: SuiteBoard) -> dict[str, Any]:
    return {
        "suite": board.suite,
        "env_ids": list(board.tasks),
        "missing": board.policy,
        "entrants": [
            {
                "rank": each.rank.rank,
                "rank_low": each.rank.low,
                "rank_high": each.rank.high,
                "entrant": each.name,
                "n_env_ids": each.n_tasks,
                "n_seeds": each.estimate.n_seeds,
                "n_runs": each.estimate.n_runs,
                **estimate_object(each.estimate),
            }
            for each in board.standings
        ],
        "unranked": [{"entrant": name, "reason": reason} for name, reason in board.unranked],
    }


# For people


def _environment_section(
    board: EnvironmentBoard,
    whole: Leaderboard,
    sparkline: Callable[[ScoredGroup], str] | None,
) -> Section:
    question = whole.question
    rows = tuple(_shown_row(each, sparkline) for each in board.standings)
    emphasis = frozenset(i for i, each in enumerate(board.standings) if each.rank.rank == 1)
    title = f"{board.env_id or 'no environment'}: {question.metric}, {question.reduce}"
    table = Table(SHOWN, rows, (), emphasis) if rows else None
    unranked = [_unranked_note(each) for each in board.unranked]
    return Section(title, table, (*environment_notes(board), *unranked))


def _shown_row(
    standing: Standing, sparkline: Callable[[ScoredGroup], str] | None
) -> tuple[Cell, ...]:
    comparison, times = standing.comparison, standing.times
    cells: dict[str, Cell] = {
        "rank": standing.rank.rank,
        "places": _places(standing.rank.low, standing.rank.high),
        "group": standing.scored.label,
        "n_seeds": standing.estimate.n_seeds,
        "estimate": standing.estimate.value,
        "interval": interval_text(standing.estimate),
        "std": standing.spread["std"],
        "difference": _difference_text(comparison.difference) if comparison else None,
        "probability": comparison.probability_of_improvement.value if comparison else None,
        "time": int(times.median) if times and times.median is not None else None,
        "curve": (sparkline(standing.scored) or None) if sparkline else None,
    }
    return tuple(cells[column.key] for column in SHOWN)


def _places(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


def interval_text(estimate: Estimate) -> str:
    """`[low, high]`, with a mark where it is too short, or why there is none."""
    if estimate.low is None or estimate.high is None:
        return "too few seeds"
    mark = " *" if estimate.is_undercovered else ""
    return f"[{estimate.low:.2f}, {estimate.high:.2f}]{mark}"


def _difference_text(difference: Estimate) -> str:
    if difference.low is None or difference.high is None:
        return f"{difference.value:+.2f}"
    return f"{difference.value:+.2f} [{difference.low:+.2f}, {difference.high:+.2f}]"


def environment_notes(board: EnvironmentBoard) -> list[str]:
    """What is to be said of the ranked groups of an environment."""
    notes = []
    if board.hidden:
        notes.append(f"{board.hidden} more groups are not shown (--top-k)")
    first_two = sorted(board.standings, key=lambda each: each.rank.low)[:2]
    if board.more_seeds and len(first_two) == 2:
        notes.append(
            f"the first two are not told apart; about {board.more_seeds} more seeds of each would"
        )
    elif board.more_seeds is None and len(board.standings) + board.hidden > 1:
        few = [each for each in board.standings if each.estimate.low is None]
        if few:
            notes.append("under three seeds there is no interval: such groups may be anywhere")
    censored = [each for each in board.standings if each.times and each.times.n_censored]
    for each in censored:
        assert each.times is not None
        runs = each.times.n_censored + each.times.n_reached
        notes.append(f"{each.scored.label}: {each.times.n_censored} of {runs} runs never reach it")
    return notes


def _unranked_note(each: Unranked) -> str:
    return f"not ranked: {each.scored.label} ({each.reason})"


def _suite_section(board: SuiteBoard, whole: Leaderboard) -> Section:
    rows = tuple(
        (
            each.rank.rank,
            _places(each.rank.low, each.rank.high),
            each.name,
            each.estimate.n_seeds,
            each.estimate.value,
            interval_text(each.estimate),
        )
        for each in board.standings
    )
    emphasis = frozenset(i for i, each in enumerate(board.standings) if each.rank.rank == 1)
    notes = [f"not ranked: {name} ({reason})" for name, reason in board.unranked]
    title = (
        f"suite {board.suite}: {whole.question.statistic} of normalised scores "
        f"over {len(board.tasks)} environments"
    )
    table = Table(SUITE_SHOWN, rows, (), emphasis) if rows else None
    return Section(title, table, tuple(notes))


def _remarks(board: Leaderboard) -> list[str]:
    """How the numbers came about, as far as something was computed."""
    question = board.question
    estimates = [
        each.estimate for environment in board.environments for each in environment.standings
    ]
    remarks = []
    if any(each.has_interval for each in estimates):
        remarks.append(
            f"score: {question.statistic} over runs; rank: 1 + how many are surely better; places: "
            f"where a group stands in 95 % of {board.resamples:,} bootstrap resamples "
            f"(seed {question.seed})"
        )
    if any(each.is_undercovered for each in estimates):
        remarks.append("* 3 or 4 seeds: the interval is too short, it covers 75 to 80 %, not 95 %")
    superseded = sum(len(each.group.superseded) for each in board.groups)
    if superseded:
        remarks.append(f"{superseded} superseded runs are left out (repeats of a seed)")
    return remarks
