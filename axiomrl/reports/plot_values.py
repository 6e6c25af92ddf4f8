"""The numbers of each kind of plot, computed from a leaderboard and the runs' curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from axiomrl.errors import InputError, did_you_mean
from axiomrl.reports.curves import STEPS, Axis, band_of, common_points, curves_of
from axiomrl.reports.plot_aggregates import efficiency_plot, profile_plot
from axiomrl.reports.plot_captions import (
    band_words,
    resampling,
    statistic_name,
    undercovered,
)
from axiomrl.reports.plot_data import (
    AnyPlot,
    CurvePanel,
    CurvePlot,
    GroupCurve,
    ImprovementPanel,
    ImprovementPlot,
    IntervalPanel,
    IntervalPlot,
    IntervalRow,
)
from axiomrl.reports.plot_groups import Choice, Entrant, choose, spanning
from axiomrl.statistics import (
    STATISTICS,
    Estimate,
    ResampledGroup,
    probability_of_improvement,
)
from axiomrl.statistics.groups import MIN_SEEDS

if TYPE_CHECKING:
    from axiomrl.reports.scores import Curve
    from axiomrl.reports.standings import Leaderboard, Question, ScoredGroup

MOST_GROUPS = 10  # drawn unless more are asked for
AXES: tuple[Axis, ...] = ("env_steps", "wall_time")


def plot_data(
    kind: str, board: Leaderboard, *, x: Axis = "env_steps", limit: int | None = None
) -> AnyPlot:
    """What a plot of a kind, one of `KINDS`, shows of a leaderboard.

    `x` is that of curves; `limit` is the number of groups, 10 unless given. Raises InputError
    for an unknown kind and where nothing can be drawn.
    """
    require_kind(kind, x)
    choice = choose(board, MOST_GROUPS if limit is None else limit)
    return _MAKERS[kind](choice, board, x)


def require_kind(kind: str, x: str) -> None:
    """Raises InputError for an unknown kind or axis, and for an axis that the kind has not."""
    if kind not in KINDS:
        known = f"there are: {', '.join(KINDS)}"
        raise InputError(f"{kind!r} is no kind of plot", hint=did_you_mean(kind, KINDS) or known)
    if x not in AXES:
        raise InputError(f"--x {x!r}: must be one of {', '.join(AXES)}", hint=did_you_mean(x, AXES))
    if x != "env_steps" and kind not in ("curves", "efficiency"):
        raise InputError(f"--x {x}: {kind} are not drawn over time", hint="leave --x out")


def _curves(choice: Choice, board: Leaderboard, x: Axis) -> CurvePlot:
    question = board.question
    panels, notes, thinned = [], list(choice.notes), False
    for title, standings in choice.environments:
        drawn = []
        for standing in standings:
            found = curves_of(standing.scored, question.metric, x=x)
            if found:
                thinned |= (points := common_points(found)) is not None
                drawn.append(_group_curve(standing.scored, found, question, points))
            else:
                notes.append(f"not drawn: {standing.scored.label} in {title} (no curve)")
        if drawn:
            panels.append(CurvePanel(title, tuple(drawn)))
    if not panels:
        reason = f"no run has {question.metric} in metrics.jsonl"
        raise InputError(f"nothing to draw: {reason}")
    curves = [curve for panel in panels for curve in panel.curves]
    caption = [f"Line: {statistic_name(question)} over runs; band: {band_words(question)}."]
    if thinned:
        caption.append(f"Values are interpolated at {STEPS} common points.")
    if any(curve.band is None for curve in curves):
        caption.append(f"Under {MIN_SEEDS} seeds: one thin line per run, no band.")
    if any(curve.band is not None and (curve.band.n < MIN_SEEDS).any() for curve in curves):
        caption.append(f"Thin where fewer than {MIN_SEEDS} runs are left.")
    caption += undercovered([curve.n_seeds for curve in curves], "Bands")
    return CurvePlot(
        groups=choice.labels,
        caption=tuple(caption),
        notes=tuple(notes),
        panels=tuple(panels),
        x=x,
        y_title=question.metric,
    )


def _group_curve(
    each: ScoredGroup, curves: Sequence[Curve], question: Question, points: int | None
) -> GroupCurve:
    seeds = min(len(curves), each.group.n_seeds)
    if seeds < MIN_SEEDS:
        return GroupCurve(each.label, seeds, None, tuple(curves))
    band = band_of(
        curves,
        statistic=question.statistic,
        name=each.group.identity,
        seed=question.seed,
        points=points,
    )
    return GroupCurve(each.label, seeds, band, ())


def _intervals(choice: Choice, board: Leaderboard, x: Axis) -> IntervalPlot:
    question = board.question
    panels = tuple(
        IntervalPanel(
            title,
            tuple(
                IntervalRow(
                    each.scored.label, each.rank, each.estimate, tuple(sorted(each.scored.usable))
                )
                for each in standings
            ),
        )
        for title, standings in choice.environments
    )
    estimates = [each.estimate for each in choice.standings]
    caption = [f"Large dot: {statistic_name(question)} over runs; small dots: the runs."]
    if any(each.has_interval for each in estimates):
        caption.append(f"Bar: 95 % bootstrap interval ({resampling(board.resamples, question)}).")
        caption.append("Rank: 1 + how many are surely better.")
    if any(not each.has_interval for each in estimates):
        caption.append(f"Hollow: under {MIN_SEEDS} seeds, no interval.")
    caption += undercovered([each.n_seeds for each in estimates], "*: intervals")
    return IntervalPlot(
        groups=choice.labels,
        caption=tuple(caption),
        notes=choice.notes,
        panels=panels,
        x_title=f"{question.metric}, {question.reduce}",
    )


def _improvement(choice: Choice, board: Leaderboard, x: Axis) -> ImprovementPlot:
    pairs = [
        (title, [Entrant(each.scored.label, (each.scored,)) for each in standings])
        for title, standings in choice.environments
    ]
    over_all = spanning(choice)
    if len(over_all) > 1:
        title = f"mean over {len(choice.environments)} environments"
        pairs.insert(0, (title, list(over_all)))
    panels = [_matrix(title, each, board) for title, each in pairs if len(each) > 1]
    if not panels:
        raise InputError(
            "nothing to draw: no environment has two groups that could be compared",
            hint="other groups: --group-by; groups without a score are listed by axiomrl zoo",
        )
    alone = [title for title, each in pairs if len(each) == 1]
    notes = [
        *choice.notes,
        *([f"left out, with one group only: {', '.join(alone)}"] if alone else []),
    ]
    cells = [cell for panel in panels for row in panel.cells for cell in row if cell is not None]
    caption = ["P(a run of the row is better than one of the column), ties counting ½."]
    if any(cell.has_interval for cell in cells):
        words = resampling(board.resamples, board.question)
        caption.append(f"Brackets: 95 % bootstrap interval ({words}); bold: ½ is not in it.")
    if any(not cell.has_interval for cell in cells):
        caption.append(f"Without brackets: a group has under {MIN_SEEDS} seeds.")
    caption += undercovered([cell.n_seeds for cell in cells], "Intervals")
    return ImprovementPlot(
        groups=choice.labels, caption=tuple(caption), notes=tuple(notes), panels=tuple(panels)
    )


def _matrix(title: str, entrants: Sequence[Entrant], board: Leaderboard) -> ImprovementPanel:
    question = board.question
    direction: Any = question.direction
    groups = [
        ResampledGroup.of(
            [group.usable for group in each.groups],
            STATISTICS[question.statistic],
            name=each.name,
            seed=question.seed,
            resamples=board.resamples,
            n_seeds=each.n_seeds,
        )
        for each in entrants
    ]
    cells: list[list[Estimate | None]] = [[None] * len(groups) for _ in groups]
    for row, group in enumerate(groups):
        for column in range(row + 1, len(groups)):
            better = probability_of_improvement(group, groups[column], direction=direction)
            cells[row][column], cells[column][row] = better, _other_way_round(better)
    labels = tuple(each.label for each in entrants)
    return ImprovementPanel(title, labels, tuple(map(tuple, cells)))


def _other_way_round(better: Estimate) -> Estimate:
    """P(y > x) from P(x > y): they add up to one."""
    low, high = (None if end is None else 1.0 - end for end in (better.high, better.low))
    return replace(better, value=1.0 - better.value, low=low, high=high)


_MAKERS: dict[str, Callable[[Choice, Leaderboard, Axis], AnyPlot]] = {
    "curves": _curves,
    "intervals": _intervals,
    "profiles": profile_plot,
    "improvement": _improvement,
    "efficiency": efficiency_plot,
}
KINDS = tuple(_MAKERS)
