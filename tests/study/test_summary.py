"""summary.csv and the table that is printed."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiomrl.study.plan import Plan, PlannedRun
from axiomrl.study.summary import Result, results_of, summary_rows
from axiomrl.study.tables import problems_of, summary_table

from .conftest import summary_in
from .quick_training import QuickTraining, run_study, study


def result(run: int, state: str = "completed", **metrics: float | None) -> Result:
    duration = 1.0 + run if state == "completed" else None
    return Result(
        run=run, seed=10 + run, directory=f"run_{run:02}_seed{10 + run}", state=state,
        config_hash="0" * 16, duration_s=duration, env_steps=100, metrics=metrics,
    )  # fmt: skip


def row_of(results: list[Result], metric: str) -> dict[str, Any]:
    (record,) = summary_table(results, [metric]).records()
    return record


def test_the_documented_example_is_reproduced(folder: Path) -> None:
    training = QuickTraining({42: {"f1": 0.82}, 101: {"f1": 0.825}, 28: {"f1": 0.818}})
    run_study(study(folder, seeds=[42, 101, 28]), train=training)
    assert (folder / "summary.csv").read_text() == (
        "run,seed,duration_s,f1\n"
        "0,42,0.25,0.820000\n"
        "1,101,0.25,0.825000\n"
        "2,28,0.25,0.818000\n"
        "mean,-,0.25,0.821000\n"
        "std,-,0.00,0.003606\n"
    )


def test_the_std_of_a_single_run_is_blank(folder: Path) -> None:
    run_study(study(folder, seeds=[7]), train=QuickTraining({7: {"f1": 0.5}}))
    assert (folder / "summary.csv").read_text() == (
        "run,seed,duration_s,f1\n0,7,0.25,0.500000\nmean,-,0.25,0.500000\nstd,-,,\n"
    )


def test_columns_are_sorted_and_wall_clock_metrics_left_out() -> None:
    header, rows = summary_rows([result(0, b=1, a=2, time_eval_s=3, train_c=4)])
    assert header == ["run", "seed", "duration_s", "a", "b", "time_eval_s", "train_c"]
    assert rows[0] == ["0", "10", "1.00", "2.000000", "1.000000", "3.000000", "4.000000"]


def test_wall_clock_metrics_are_not_results(folder: Path) -> None:
    training = QuickTraining({7: {"f1": 0.5, "time_eval_s": 1.5}})
    outcome = run_study(study(folder, seeds=[7]), train=training)
    (only,) = results_of(folder, outcome.plan)
    assert only.metrics == {"f1": 0.5}


def test_missing_and_non_finite_values_are_blank_and_do_not_count(folder: Path) -> None:
    # the first value of the first metric is a NaN
    metrics = {1: {"a": float("nan"), "b": 1.0}, 2: {"a": 2.0}, 3: {"a": 4.0, "b": float("inf")}}
    run_study(study(folder, seeds=[1, 2, 3]), train=QuickTraining(metrics))
    cells = [(row["run"], row["a"], row["b"]) for row in summary_in(folder)]
    assert cells == [
        ("0", "", "1.000000"),
        ("1", "2.000000", ""),
        ("2", "4.000000", ""),
        ("mean", "3.000000", "1.000000"),
        ("std", "1.414214", ""),
    ]


def test_a_failed_run_does_not_become_the_best_of_negative_ones(folder: Path) -> None:
    metrics: dict[int, Any] = {
        1: {"eval_return_mean": -200.0},
        2: RuntimeError("broken"),
        3: {"eval_return_mean": -100.0},
    }
    training = QuickTraining(metrics, last_words={"eval_return_mean": 10.0})
    outcome = run_study(study(folder, seeds=[1, 2, 3]), train=training)
    assert (folder / "summary.csv").read_text().splitlines()[2] == "1,2,,"
    assert [row["eval_return_mean"] for row in summary_in(folder)] == [
        "-200.000000", "", "-100.000000", "-150.000000", "70.710678",
    ]  # fmt: skip
    row = row_of(results_of(folder, outcome.plan), "eval_return_mean")
    assert (row["n"], row["best"], row["best_run"]) == (2, -100.0, "2 (seed 3)")


def test_runs_that_have_not_ended_have_no_row() -> None:
    states = ["completed", "pending", "running", "interrupted", "dead", "failed"]
    _, rows = summary_rows([result(run, state) for run, state in enumerate(states)])
    assert [row[0] for row in rows] == ["0", "5", "mean", "std"]
    assert rows[1] == ["5", "15", ""]


def test_the_best_run_depends_on_the_direction_of_the_metric() -> None:
    losses = [result(0, train_value_loss=3.0), result(1, train_value_loss=1.0)]
    assert row_of(losses, "train_value_loss")["best_run"] == "1 (seed 11)"
    unknown = [result(0, mine=3.0), result(1, mine=1.0)]
    assert row_of(unknown, "mine")["best_run"] is None


def test_the_run_nearest_to_the_mean_represents_the_study() -> None:
    results = [result(n, eval_return_mean=v) for n, v in enumerate([0.0, 100.0, 40.0, 60.0])]
    row = row_of(results, "eval_return_mean")
    assert row["representative_run"] == "2 (seed 12)"  # of two as near, the first
    assert row["ci_low"] < row["mean"] == 50.0 < row["ci_high"]


@pytest.mark.parametrize("count", [1, 2])
def test_there_is_no_interval_under_three_runs(count: int) -> None:
    row = row_of([result(n, eval_return_mean=float(n)) for n in range(count)], "eval_return_mean")
    assert (row["ci_low"], row["ci_high"]) == (None, None)
    assert (row["std"] is None) == (count == 1)


def test_a_metric_without_values_has_an_empty_row() -> None:
    row = row_of([result(0, eval_return_mean=None)], "eval_return_mean")
    assert (row["n"], row["mean"], row["best_run"]) == (0, None, None)


def test_mixed_configurations_are_told_of() -> None:
    one = result(0, a=1)
    other = Result(**{**vars(result(1, a=2)), "config_hash": "1" * 16})
    assert problems_of([one, one]) == []
    (problem,) = problems_of([one, other])
    assert "2 configurations" in problem


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8))
def test_mean_and_std_are_those_of_the_values(values: list[float]) -> None:
    header, rows = summary_rows([result(run, a=value) for run, value in enumerate(values)])
    assert len(rows) == len(values) + 2
    column = header.index("a")
    assert float(rows[-2][column]) == pytest.approx(statistics.fmean(values), abs=2e-6)
    assert float(rows[-1][column]) == pytest.approx(statistics.stdev(values), rel=1e-9, abs=2e-6)
    assert not any(row[column].startswith("-") and float(row[column]) == 0 for row in rows)


def test_results_follow_the_plan_where_there_are_no_directories(folder: Path) -> None:
    runs = [PlannedRun(run=0, seed=1, directory="run_00_seed1", state="failed", error={})]
    runs.append(PlannedRun(run=1, seed=2, directory="run_01_seed2", state="completed"))
    plan = Plan(config={}, config_hash="", runs=runs)
    assert [each.state for each in results_of(folder, plan)] == ["failed", "pending"]
