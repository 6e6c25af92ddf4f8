"""A study in tables: how its runs stand, and what they came to."""

from __future__ import annotations

from collections.abc import Sequence

from axiomrl.metrics import Direction, direction_of
from axiomrl.reports.table import Cell, Column, Table
from axiomrl.statistics import ResampledGroup, mean, resamples_for, std
from axiomrl.study.plan import Plan
from axiomrl.study.summary import Result, finite_values

SUMMARY = (
    Column("metric", "metric"),
    Column("n", "n", "integer"),
    Column("mean", "mean", "figure"),
    Column("std", "std", "figure"),
    Column("ci_low", "ci low", "figure"),
    Column("ci_high", "ci high", "figure"),
    Column("best", "best", "figure"),
    Column("best_run", "best run"),
    Column("representative_run", "nearest to mean"),
)


def runs_table(results: Sequence[Result], plan: Plan, metrics: Sequence[str] = ()) -> Table:
    """One row per run: how it stands, and its value of some metrics."""
    columns = (
        Column("run", "run", "integer"),
        Column("seed", "seed"),
        Column("directory", "directory", in_data_only=True),
        Column("state", "state"),
        Column("env_steps", "steps", "integer"),
        Column("duration_s", "time", "seconds"),
        *(Column(name, name, "figure") for name in metrics),
        Column("error", "error"),
    )
    rows: list[tuple[Cell, ...]] = []
    for result, planned in zip(results, plan.runs, strict=True):
        error = planned.error if result.state == "failed" else None
        rows.append(
            (
                result.run,
                str(result.seed),
                result.directory,
                result.state,
                result.env_steps,
                result.duration_s,
                *(result.metrics.get(name) for name in metrics),
                f"{error.get('type')}: {error.get('message')}" if error else None,
            )
        )
    return Table(columns, tuple(rows), tuple(problems_of(results)))


def summary_table(results: Sequence[Result], metrics: Sequence[str]) -> Table:
    """One row per metric: mean, sample standard deviation, 95 % interval of the mean, best run.

    The run nearest to the mean stands for the study. There is no interval under three values,
    and no best run of a metric of which it is not known whether more or less is better.
    """
    rows = tuple(_summary_row(results, name) for name in metrics)
    return Table(SUMMARY, rows, tuple(problems_of(results)))


def problems_of(results: Sequence[Result]) -> list[str]:
    """What a reader of the results should know."""
    hashes = {each.config_hash for each in results if each.state == "completed"}
    if len(hashes) < 2:
        return []
    return [
        f"the completed runs are of {len(hashes)} configurations (--allow-config-change): mean and "
        "std mix them"
    ]


def _summary_row(results: Sequence[Result], name: str) -> tuple[Cell, ...]:
    values = finite_values(results, name)
    if not values:
        return name, 0, *[None] * (len(SUMMARY) - 2)
    group = ResampledGroup.of([values], mean, name=name, seed=0, resamples=resamples_for(1))
    estimate = group.estimate
    having = [each for each in results if finite_values([each], name)]
    best = _best(values, direction_of(name))
    nearest = min(range(len(values)), key=lambda place: abs(values[place] - estimate.value))
    return (
        name,
        len(values),
        estimate.value,
        std(values),
        estimate.low,
        estimate.high,
        None if best is None else values[best],
        None if best is None else _named(having[best]),
        _named(having[nearest]),
    )


def _best(values: Sequence[float], direction: Direction | None) -> int | None:
    """The place of the best value, of equal ones the first."""
    if direction is None:
        return None
    return values.index(max(values) if direction == "max" else min(values))


def _named(result: Result) -> str:
    return f"{result.run} (seed {result.seed})"
