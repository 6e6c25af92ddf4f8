"""What a run is worth, or why that cannot be said."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiomrl.config import config_from_mapping
from axiomrl.errors import InputError
from axiomrl.reports.scores import (
    REDUCTIONS,
    Reduction,
    Score,
    area_under_curve,
    check_metric,
    curve_of,
    last_window,
    score_of,
)
from axiomrl.runs.record import RunRecord
from axiomrl.runs.run import Run

from .records import record_in

METRIC = "eval_return_mean"


def rows(*pairs: tuple[Any, Any], metric: str = METRIC) -> list[dict[str, Any]]:
    return [{"step": step, metric: value} for step, value in pairs]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def test_final_score_is_the_last_evaluation_that_metadata_states(folder: Path) -> None:
    record = record_in(folder, latest_metrics={METRIC: 5}, rows=rows((1, 2.0)))
    assert score_of(record, METRIC) == score_of(record, METRIC, "final") == Score(5.0)


def test_final_score_without_metrics_in_metadata_is_that_of_the_last_row(folder: Path) -> None:
    record = record_in(folder, rows=[*rows((1, 2.0), (2, 3.0)), {"step": 3, "train_loss": 1.0}])
    assert score_of(record, METRIC) == Score(3.0, step=2)


def test_run_that_has_only_metadata_has_a_final_score_and_no_curve(folder: Path) -> None:
    record = record_in(folder, latest_metrics={METRIC: 5.0})
    assert score_of(record, METRIC).value == 5.0
    for reduce in ("last-window", "auc"):
        assert score_of(record, METRIC, reduce) == Score(None, f"no {METRIC} in metrics.jsonl")
    assert score_of(record, METRIC, "best").value is None


def test_scores_of_a_real_run(tmp_path: Path) -> None:
    values = {"algo": "ppo", "env_id": "CartPole-v1", "total_timesteps": 10}
    with Run.create(config_from_mapping({**values, "output_dir": str(tmp_path)})) as run:
        for step, value in ((100, 1.0), (200, 4.0), (400, 2.0)):
            run.log({METRIC: value, "train_loss": 0.5}, step=step, duration_s=1.0)
            path = run.save_checkpoint(step, lambda path: path.write_bytes(b"") and None)
            if step == 200:
                run.mark_best(path, step=step, metric=METRIC, value=value)
    record = RunRecord.read(run.directory)
    assert score_of(record, METRIC, "final") == Score(2.0)
    assert score_of(record, METRIC, "best") == Score(4.0, step=200)
    assert score_of(record, METRIC, "last-window") == Score(7 / 3, step=400)
    assert score_of(record, METRIC, "auc") == Score((250 + 600) / 300, step=400)
    assert score_of(record, "best_eval_return_mean") == Score(4.0, step=None)
    assert curve_of(record, METRIC) == ([100, 200, 400], [1.0, 4.0, 2.0])


# The best value


def test_best_comes_from_the_latest_metrics_first(folder: Path) -> None:
    best = {"metric_name": METRIC, "metric_value": 8.0, "step": 7}
    record = record_in(
        folder,
        latest_metrics={"best_eval_return_mean": 9.0},
        best_checkpoint=best,
        rows=rows((1, 99)),
    )
    assert score_of(record, METRIC, "best") == Score(9.0)
    assert score_of(record, "best_eval_return_mean", "final") == Score(9.0)
    assert score_of(record, "best_eval_return_mean", "best") == Score(9.0)


def test_best_checkpoint_counts_only_if_it_was_chosen_by_that_metric(folder: Path) -> None:
    best = {"metric_name": METRIC, "metric_value": 8, "step": 7}
    record = record_in(
        folder, best_checkpoint=best, rows=rows((1, 2.0), metric="rollout_return_mean")
    )
    assert score_of(record, METRIC, "best") == Score(8.0, step=7)
    assert score_of(record, "best_eval_return_mean") == Score(8.0, step=7)
    assert score_of(record, "rollout_return_mean", "best") == Score(2.0, step=1)
    assert score_of(record, "best_rollout_return_mean").value is None
    assert score_of(record, "train_td_error", "best").value is None


def test_best_of_the_rows_goes_in_the_direction_of_the_metric(folder: Path) -> None:
    content = [
        {"step": n, METRIC: v, "train_td_error": v} for n, v in enumerate([3.0, 9.0, 1.0, 9.0])
    ]
    record = record_in(folder, rows=content)
    assert score_of(record, METRIC, "best") == Score(9.0, step=1)
    assert score_of(record, "train_td_error", "best") == Score(1.0, step=2)


def test_best_that_a_run_sought_in_the_other_direction_is_not_believed(folder: Path) -> None:
    record = record_in(
        folder,
        benchmark={"best_metric": METRIC, "best_metric_mode": "min"},
        latest_metrics={"best_eval_return_mean": 1.0},
        rows=rows((1, 1.0), (2, 5.0)),
    )
    assert score_of(record, METRIC, "best") == Score(5.0, step=2)


def test_best_of_a_metric_without_direction_is_refused(folder: Path) -> None:
    record = record_in(folder, latest_metrics={"eval_length_mean": 3.0, "own": 1.0})
    for metric in ("eval_length_mean", "own"):
        for refuse in (
            lambda metric=metric: score_of(record, metric, "best"),
            lambda metric=metric: check_metric(metric, "best", [record]),
        ):
            with pytest.raises(
                InputError, match=f"whether more or less {metric} is better"
            ) as caught:
                refuse()
            assert "choose another --reduce" in (caught.value.hint or "")
        check_metric(metric, "final", [record])


# Curves


def test_curve_is_in_order_of_steps_and_the_last_value_at_a_step_counts(folder: Path) -> None:
    record = record_in(folder, rows=rows((30, 3.0), (10, 1.0), (20, 2.0), (10, 5), (25.5, 2.5)))
    assert curve_of(record, METRIC) == ([10, 20, 25.5, 30], [5.0, 2.0, 2.5, 3.0])
    assert record.problems == []


def test_rows_are_read_flat_and_nested(folder: Path) -> None:
    content = [
        {"step": 1, METRIC: 1.0},
        {"step": 2, "metrics": {METRIC: 2.0}},
        {"step": 3, "eval": {"return_mean": 3.0}},
    ]
    assert curve_of(record_in(folder, rows=content), METRIC) == ([1, 2, 3], [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    "value",
    ["NaN", "Infinity", "-Infinity", "1e999", '"5"', "true", "null", "[1]", "1" + "0" * 400],
)
def test_value_that_is_no_finite_number_is_listed_and_never_scored(
    folder: Path, value: str
) -> None:
    text = json.dumps({"step": 1, METRIC: 4.0}) + f'\n{{"step": 2, "{METRIC}": {value}}}\n'
    record = record_in(folder, rows=text)
    assert curve_of(record, METRIC) == ([1], [4.0])
    assert record.problems == [
        f"metrics.jsonl: rows without a finite number for {METRIC} or its step: 1"
    ]
    for reduce in ("best", "last-window", "auc"):
        assert score_of(record, METRIC, reduce) == Score(4.0, step=1)
    final = score_of(record, METRIC, "final")
    assert final == Score(None, f"the last {METRIC} is not a finite number")


def test_run_whose_last_evaluation_was_not_finite_is_not_scored_by_an_earlier_one(
    folder: Path,
) -> None:
    record = record_in(folder, latest_metrics={METRIC: None}, rows=rows((1, 4.0)))
    assert score_of(record, METRIC) == Score(None, f"the last {METRIC} is not a finite number")


def test_metadata_that_states_no_number_is_listed_and_not_scored(folder: Path) -> None:
    folder.mkdir()
    text = f'{{"latest_metrics": {{"{METRIC}": NaN, "best_{METRIC}": "high"}}}}'
    (folder / "metadata.json").write_text(text)
    record = RunRecord.read(folder)
    assert len(record.problems) == 2
    for reduce in REDUCTIONS:
        assert score_of(record, METRIC, reduce).value is None


@pytest.mark.parametrize("step", [None, "5", -1, 2**60, True])
def test_row_without_a_step_has_no_place_on_the_curve(folder: Path, step: Any) -> None:
    record = record_in(folder, rows=rows((1, 4.0), (step, 5.0)))
    assert curve_of(record, METRIC) == ([1], [4.0])
    assert len(record.problems) == 1
    assert score_of(record, METRIC) == Score(5.0)


def test_run_without_any_value_has_no_score_and_says_why(folder: Path) -> None:
    record = record_in(folder, rows=[{"step": 1, "train_loss": 1.0}])
    for reduce in REDUCTIONS:
        score = score_of(record, METRIC, reduce)
        assert score.value is None
        assert (score.reason or "").startswith(f"no {METRIC} in ")
    assert record.problems == []


def test_values_too_large_to_add_up_are_not_scored(folder: Path) -> None:
    record = record_in(folder, rows=rows((1, 1.7e308), (2**53, 1.7e308)))
    for reduce in ("last-window", "auc"):
        assert "too large to add up" in (score_of(record, METRIC, reduce).reason or "")


# Reductions


def test_last_window_is_the_mean_of_the_last_ten() -> None:
    assert last_window([float(n) for n in range(100)]) == 94.5
    assert last_window([1.0, 2.0]) == 1.5
    assert last_window([1.0, 2.0, 6.0], 2) == 4.0


def test_area_is_that_of_trapezoids_over_the_range_of_steps() -> None:
    assert area_under_curve([0, 10], [0.0, 1.0]) == 0.5
    assert area_under_curve([0, 10, 40], [0.0, 10.0, 10.0]) == (50 + 300) / 40
    assert area_under_curve([7], [3.0]) == 3.0


CURVES = st.dictionaries(st.integers(0, 10**6), st.floats(-1e6, 1e6), min_size=1, max_size=8)


@given(CURVES, st.integers(1, 1000), st.integers(0, 10**6))
def test_area_is_a_height_and_depends_on_neither_unit_nor_start_of_steps(
    curve: dict[int, float], factor: int, start: int
) -> None:
    steps = sorted(curve)
    values = [curve[step] for step in steps]
    area = area_under_curve(steps, values)
    assert min(values) - 1e-6 <= area <= max(values) + 1e-6
    moved = area_under_curve([factor * step + start for step in steps], values)
    assert math.isclose(area, moved, rel_tol=1e-9, abs_tol=1e-6)


class RunInMemory(RunRecord):
    """A run whose metrics.jsonl need not be written for each example."""

    rows: list[dict[str, Any]]

    def metrics(self) -> list[dict[str, Any]]:
        return self.rows


@given(st.permutations(list(range(6))))
def test_order_of_rows_changes_no_curve_score(order: list[int]) -> None:
    record = RunInMemory(Path("run"), {}, [])
    record.rows = rows(*((10 * n, float(n * n)) for n in order))
    assert curve_of(record, METRIC) == ([0, 10, 20, 30, 40, 50], [0, 1, 4, 9, 16, 25])
    assert score_of(record, METRIC, "auc").value == pytest.approx(42.5 / 5)
    assert score_of(record, METRIC, "last-window").value == pytest.approx(55 / 6)


# What can be asked for


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_every_reduction_of_a_known_metric_can_be_asked_for(reduce: Reduction) -> None:
    check_metric(METRIC, reduce)
    check_metric("best_eval_return_mean", reduce)


@pytest.mark.parametrize(
    ("metric", "reduce", "message", "hint"),
    [
        (METRIC, "last", "--reduce: 'last' is no reduction",
         "did you mean: last-window; choose from final, best, last-window, auc"),
        (METRIC, "?", "--reduce: '?' is no reduction",
         "choose from final, best, last-window, auc"),
        ("eval_retrun_mean", "final",
         "--metric: 'eval_retrun_mean' is no metric of axiomrl's, and no run has it",
         "did you mean: eval_return_mean"),
        ("my_metrc", "auc", "--metric: 'my_metrc' is no metric of axiomrl's, and no run has it",
         "did you mean: my_metric"),
        ("?", "final", "--metric: '?' is no metric of axiomrl's, and no run has it",
         "try eval_return_mean"),
    ],
)  # fmt: skip
def test_what_no_run_can_have_is_refused_with_what_could_be_meant(
    folder: Path, metric: str, reduce: str, message: str, hint: str
) -> None:
    record = record_in(folder, latest_metrics={"my_metric": 1.0})
    with pytest.raises(InputError) as caught:
        check_metric(metric, reduce, [record])
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_metric_of_another_writer_is_known_from_the_runs(tmp_path: Path) -> None:
    metadata_only = record_in(tmp_path / "a", latest_metrics={"my_metric": 1.0})
    rows_only = record_in(tmp_path / "b", rows=rows((1, 2.0), metric="their_metric"))
    check_metric("my_metric", "final", iter([rows_only, metadata_only]))
    check_metric("their_metric", "auc", [metadata_only, rows_only])
    assert score_of(rows_only, "their_metric", "auc").value == 2.0
