"""What a learning curve comes to, and the curves of several runs together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axiomrl.statistics import (
    Direction,
    Grid,
    ResampledGroup,
    TimesToThreshold,
    area_under_curve,
    band,
    band_over_tasks,
    iqm,
    last_window,
    mean,
    on_common_grid,
    summary_of_times,
    time_to_threshold,
)

VALUES = st.lists(st.integers(-80, 80).map(lambda n: n / 8), min_size=1, max_size=8)


def test_last_window_is_the_mean_of_the_last_ten() -> None:
    assert last_window(range(100)) == 94.5
    assert last_window([1, 2, 6], n=2) == 4
    assert last_window([1, 2, 6]) == 3
    with pytest.raises(ValueError, match="n is 0"):
        last_window([1, 2], n=0)


def test_area_is_that_of_trapezoids_over_the_range_of_steps() -> None:
    assert area_under_curve([0, 10], [0, 8]) == 4
    assert area_under_curve([100, 200, 500], [0, 4, 4]) == (200 + 1200) / 400
    assert area_under_curve([5], [7.5]) == 7.5


@settings(max_examples=50)
@given(values=VALUES, start=st.integers(0, 1_000), factor=st.sampled_from([1, 16]))
def test_area_does_not_depend_on_where_and_in_what_unit_steps_are_counted(
    values: list[float], start: int, factor: int
) -> None:
    steps = np.arange(len(values)) ** 2
    area = area_under_curve(steps, values)
    assert area_under_curve(start + factor * steps, values) == pytest.approx(area, abs=1e-12)
    assert min(values) - 1e-12 <= area <= max(values) + 1e-12


@pytest.mark.parametrize(
    ("threshold", "direction", "expected"),
    [
        (3.0, "max", 20.0),
        (3.5, "max", 40.0),
        (0.0, "max", 10.0),
        (9.0, "max", None),
        (1.0, "min", 10.0),
        (0.5, "min", 30.0),
        (-1.0, "min", None),
    ],
)
def test_threshold_is_reached_at_the_first_value_as_good(
    threshold: float, direction: Direction, expected: float | None
) -> None:
    steps, values = [10, 20, 30, 40], [1.0, 3.0, 0.5, 5.0]
    assert time_to_threshold(steps, values, threshold, direction=direction) == expected


@pytest.mark.parametrize(
    ("times", "median", "n_censored"),
    [
        ([30.0, 10.0, 20.0], 20.0, 0),
        ([30.0, 10.0], 10.0, 0),
        ([30.0, None, 10.0], 30.0, 1),
        ([30.0, None, 10.0, None], 30.0, 2),  # half of the runs had reached it by then
        ([None, None, 10.0], None, 2),
        ([None], None, 1),
    ],
)
def test_runs_that_never_reach_a_threshold_count_as_latest(
    times: list[float | None], median: float | None, n_censored: int
) -> None:
    summary = TimesToThreshold(median, len(times) - n_censored, n_censored)
    assert summary_of_times(times) == summary


def test_a_threshold_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="threshold is nan"):
        time_to_threshold([1], [1], math.nan)
    with pytest.raises(ValueError, match="no runs"):
        summary_of_times([])


def test_curves_meet_on_all_their_steps_and_never_beyond_their_ends() -> None:
    grid = on_common_grid([([0, 10, 20], [0, 10, 0]), ([5, 10, 30], [1, 2, 6])])
    assert grid.steps.tolist() == [0, 5, 10, 20, 30]
    np.testing.assert_array_equal(grid.values, [[0, 5, 10, 0, math.nan], [math.nan, 1, 2, 4, 6]])
    assert grid.n.tolist() == [1, 2, 2, 2, 1]


def test_a_grid_may_have_evenly_spaced_points() -> None:
    grid = on_common_grid([([0, 10], [0, 10]), ([20], [3])], points=5)
    assert grid.steps.tolist() == [0, 5, 10, 15, 20]
    assert grid.n.tolist() == [1, 1, 1, 0, 1]


@settings(max_examples=50)
@given(curves=st.lists(VALUES, min_size=1, max_size=4))
def test_a_grid_keeps_every_point_of_every_curve(curves: list[list[float]]) -> None:
    given_curves = [
        ([(run + 2) * step + run for step in range(len(values))], values)
        for run, values in enumerate(curves)
    ]
    grid = on_common_grid(given_curves)
    for (steps, values), row in zip(given_curves, grid.values, strict=True):
        assert row[np.searchsorted(grid.steps, steps)].tolist() == values
        outside = (grid.steps < steps[0]) | (grid.steps > steps[-1])
        assert np.array_equal(np.isnan(row), outside)


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ([], "no curves"),
        ([([0], [1]), ([], [])], "curve 1: steps"),
        ([([0, 1], [1])], "curve 0: 2 steps, but 1 values"),
        ([([0, 5, 5], [1, 2, 3])], r"curve 0: step 5\.0 follows step 5\.0"),
        ([([0, 1], [1, math.nan])], "curve 0: values: value 1 is nan"),
    ],
)
def test_what_is_no_curve_is_refused(
    curves: list[tuple[list[float], list[float]]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        on_common_grid(curves)


def test_steps_that_do_not_increase_are_refused() -> None:
    with pytest.raises(ValueError, match=r"step 3\.0 follows step 4\.0"):
        area_under_curve([4, 3], [1, 2])
    with pytest.raises(ValueError, match=r"step 4\.0 follows step 4\.0"):
        time_to_threshold([4, 4], [1, 2], 0.0)


def test_a_band_has_the_value_and_an_interval_where_three_runs_are() -> None:
    curves = [([0, 10, 20], [0, 0, 4]), ([0, 10], [0, 3]), ([0, 10, 20], [0, 6, 8])]
    result = band(on_common_grid(curves), mean, name="ppo", seed=0)
    assert result.n.tolist() == [3, 3, 2]
    assert result.value.tolist() == [0, 3, 6]
    np.testing.assert_array_equal(result.low, [0, 0, math.nan])
    np.testing.assert_array_equal(result.high, [0, 6, math.nan])


def test_a_band_has_nothing_where_no_run_is() -> None:
    grid = on_common_grid([([0], [1]), ([10], [2])], points=3)
    result = band(grid, iqm, name="ppo", seed=0)
    np.testing.assert_array_equal(result.value, [1, math.nan, 2])


def test_a_band_is_equivariant_and_ignores_the_order_of_runs() -> None:
    curves = [([0, 10, 20], list(row)) for row in np.random.default_rng(0).normal(size=(5, 3))]
    result = band(on_common_grid(curves), iqm, name="ppo", seed=0)
    scaled = [(steps, [4 * value for value in values]) for steps, values in curves[::-1]]
    four_times = band(on_common_grid(scaled), iqm, name="ppo", seed=0)
    for name in ("value", "low", "high"):
        assert np.array_equal(getattr(four_times, name), 4 * getattr(result, name))
    assert (result.low < result.value).all()
    assert (result.value < result.high).all()


def test_a_band_over_tasks_is_that_of_the_statistic_over_all_of_their_runs() -> None:
    rng = np.random.default_rng(0)
    grids = [
        on_common_grid([([0, 10], list(rng.normal(size=2))) for _ in range(runs)])
        for runs in (3, 5)
    ]
    for statistic in (mean, iqm):
        result = band_over_tasks(grids, statistic, name="ppo", seed=0)
        assert result.n.tolist() == [3, 3]
        for place in (0, 1):
            scores = [grid.values[:, place] for grid in grids]
            group = ResampledGroup.of(scores, statistic, name="ppo", seed=0, resamples=2_000)
            assert result.value[place] == group.estimate.value
            assert (result.low[place], result.high[place]) == (
                group.estimate.low,
                group.estimate.high,
            )


def test_a_band_over_tasks_is_empty_where_a_task_has_no_run() -> None:
    whole = on_common_grid([([0, 10, 20], [k, k, k]) for k in range(3)])
    short = on_common_grid([([0, 10], [k, k]) for k in range(2)] + [([0, 20], [2, 2])])
    short.values[2, 1:] = np.nan  # one run at step 0 only
    short = Grid(short.steps, short.values, np.count_nonzero(~np.isnan(short.values), axis=0))
    result = band_over_tasks([whole, short], mean, name="ppo", seed=0)
    assert result.n.tolist() == [3, 2, 0]
    np.testing.assert_array_equal(result.value, [1, 0.75, math.nan])
    assert np.isnan(result.low).tolist() == [False, True, True]


def test_tasks_on_different_steps_make_no_band() -> None:
    grids = [on_common_grid([([0, end], [0, 1])]) for end in (1, 2)]
    with pytest.raises(ValueError, match="different steps"):
        band_over_tasks(grids, mean, name="ppo", seed=0)
    with pytest.raises(ValueError, match="no grids"):
        band_over_tasks([], mean, name="ppo", seed=0)
