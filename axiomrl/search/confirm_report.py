"""What a confirmation came to, as a table and in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from axiomrl.reports.document import Document, Section
from axiomrl.reports.table import Cell, Column, Table
from axiomrl.search.confirm import Confirmed, ConfirmPlan
from axiomrl.search.description import Search
from axiomrl.statistics import Estimate

COLUMNS = (
    Column("name", "configuration"),
    Column("n", "n", "integer"),
    Column("n_failed", "failed", "integer"),
    Column("search_score", "in the search", "figure"),
    Column("estimate", "fresh seeds", "figure"),
    Column("ci_low", "ci low", "figure"),
    Column("ci_high", "ci high", "figure"),
    Column("difference", "to base", "figure"),
    Column("difference_low", "low", "figure"),
    Column("difference_high", "high", "figure"),
    Column("p_better", "P(better)", "number"),
    Column("p_better_low", "P low", "number", in_data_only=True),
    Column("p_better_high", "P high", "number", in_data_only=True),
)


def confirm_document(search: Search, plan: ConfirmPlan, rows: Sequence[Confirmed]) -> Document:
    """Estimates with intervals, differences to the base, and what follows from them."""
    table = Table(COLUMNS, tuple(_row(each) for each in rows))
    objective = search.config.objective
    notes = (
        f"{objective.statistic} of the {objective.reduce} {objective.metric} over "
        f"{len(plan.seeds)} fresh seeds, the same for all; 95 % bootstrap intervals, also of the "
        "difference to the base. P(better): how probably a run is better than one of the base.",
        verdict(search, rows),
    )
    data = {
        "seeds": plan.seeds,
        "candidates": [
            {**record, "scores": list(each.scores)}
            for record, each in zip(table.records(), rows, strict=True)
        ],
        "verdict": notes[1],
    }
    return Document(
        "confirm", (Section(f"{search.config.name}: confirmed", table, notes),), table, data
    )


def verdict(search: Search, rows: Sequence[Confirmed]) -> str:
    """Whether the best of the search beats the base on the fresh seeds, in a sentence or two."""
    base, best = rows[0], rows[1]
    name = f"The best of the search (trial {best.candidate.number})"
    if base.estimate is None or best.estimate is None or best.difference is None:
        return f"{name} cannot be compared with the base: too few runs are completed."
    if not best.difference.has_interval:
        return f"{name} cannot be compared with the base: it takes 3 seeds of each, or more."
    told = _interval(best.difference)
    if _is_surely_better(search, best):
        said = f"{name} beats the base on fresh seeds: the difference is {told}."
    elif _is_better(search, best.difference.value):
        said = (
            f"{name} is ahead of the base on fresh seeds, but not surely: the difference is "
            f"{told}, which includes 0."
        )
    else:
        said = f"{name} did not beat the base on fresh seeds: the difference is {told}."
    others = [each for each in rows[2:] if _is_surely_better(search, each)]
    if others and not _is_surely_better(search, best):
        names = ", ".join(f"trial {each.candidate.number}" for each in others)
        said += f" These did: {names}; but the best of several flatters itself again."
    return said


def _is_surely_better(search: Search, row: Confirmed) -> bool:
    found = row.difference
    if found is None or found.low is None or found.high is None:
        return False
    return found.low > 0 if search.higher_is_better else found.high < 0


def _is_better(search: Search, difference: float) -> bool:
    return difference > 0 if search.higher_is_better else difference < 0


def _interval(found: Estimate) -> str:
    return f"{found.value:.4g}, 95 % interval {found.low:.4g} to {found.high:.4g}"


def _row(each: Confirmed) -> tuple[Cell, ...]:
    candidate = each.candidate
    is_base = candidate.name == "base"
    return (
        "base" if is_base else f"trial {candidate.number}",
        len(each.scores),
        each.n_failed or None,
        candidate.search_score,
        *_ends(each.estimate),
        *_ends(each.difference),
        *_ends(each.p_better),
    )


def _ends(found: Estimate | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if found is None else (found.value, found.low, found.high)
