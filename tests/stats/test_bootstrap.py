"""Resampling: what is drawn, on what it depends, and the intervals."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axiomrl.statistics import (
    STATISTICS,
    ResampledGroup,
    Statistic,
    bootstrap,
    interval,
    iqm,
    mean,
    median,
    resample,
    resamples_for,
)
from axiomrl.statistics.scores import Array

from .scores import TASKS

every_statistic = pytest.mark.parametrize("statistic", STATISTICS.values(), ids=STATISTICS)
UNEQUAL = [[0.1, 0.7, 0.4], [5.0, 2.0, 2.5, 9.0, 1.0], [3.0]]


def drawn(tasks: list[list[float]], statistic: Statistic = mean, resamples: int = 64) -> Array:
    return resample(tasks, statistic, seed=7, name="ppo", resamples=resamples)


def test_twenty_thousand_resamples_up_to_a_hundred_groups() -> None:
    assert [resamples_for(n) for n in (1, 100, 101, 1_000)] == [20_000, 20_000, 2_000, 2_000]


@given(tasks=TASKS, seed=st.integers())
@settings(max_examples=30)
def test_the_order_of_tasks_and_runs_changes_no_resample(
    tasks: list[list[float]], seed: int
) -> None:
    generator = random.Random(seed)
    shuffled = [generator.sample(scores, len(scores)) for scores in tasks]
    generator.shuffle(shuffled)
    for statistic in STATISTICS.values():
        assert np.array_equal(drawn(shuffled, statistic), drawn(tasks, statistic))


def test_draws_depend_on_the_seed_and_the_name() -> None:
    tasks = [[0.0, 1.0, 4.0, 9.0]]
    seeds_and_names = [(0, "ppo"), (1, "ppo"), (0, "dqn"), (0, "ppo"), (10, "ppo")]
    first, *others = (
        resample(tasks, mean, seed=seed, name=name, resamples=200) for seed, name in seeds_and_names
    )
    assert [np.array_equal(first, each) for each in others] == [False, False, True, False]
    assert abs(np.corrcoef(first, others[0])[0, 1]) < 0.2


def test_what_was_drawn_once_is_drawn_for_ever() -> None:
    options: dict[str, Any] = {"seed": 0, "name": "ppo", "resamples": 8}
    medians = [2.0, 2.5, 6.5, 2.5, 2.5, 4.0, 6.5, 9.0]
    assert resample([[0, 1, 4, 9]], median, **options).tolist() == medians
    means = [4.75, 4.75, 6.5, 2.25, 4.75, 4.25, 4.75, 6.5]
    assert resample([[0, 1, 4, 9]], mean, **options).tolist() == means


ONE_TASK = [[0.5 * number**2 for number in range(11)]]  # is drawn as 3 times 3 and 2 together


def test_means_of_one_task_are_as_likely_as_the_ways_to_draw_them() -> None:
    scores = [0.0, 1.0, 4.0, 9.0]
    ways = sorted(sum(drawn) / 4 for drawn in itertools.product(scores, repeat=4))
    means = np.sort(drawn([scores], mean, resamples=20_000))
    expected = np.searchsorted(ways, ways, side="right") / len(ways)
    seen = np.searchsorted(means, ways, side="right") / len(means)
    assert seen == pytest.approx(expected, abs=0.015)


def test_means_of_a_task_drawn_in_pieces_have_the_right_mean_and_spread() -> None:
    means = drawn(ONE_TASK, mean, resamples=20_000)
    assert means.mean() == pytest.approx(np.mean(ONE_TASK), rel=0.01)
    assert means.var() == pytest.approx(np.var(ONE_TASK) / 11, rel=0.03)
    assert means.min() >= min(ONE_TASK[0])
    assert means.max() <= max(ONE_TASK[0])


def test_pieces_of_one_task_are_drawn_in_the_same_way_however_they_are_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_once = drawn(ONE_TASK, mean, resamples=501)
    assert np.array_equal(drawn(ONE_TASK, mean, resamples=100), at_once[:100])
    monkeypatch.setattr(bootstrap, "BLOCK", 30)
    assert np.array_equal(drawn(ONE_TASK, mean, resamples=501), at_once)


@given(scores=st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=60))
@settings(max_examples=50)
def test_ends_of_intervals_are_numpys_quantiles(scores: list[float]) -> None:
    expected = np.quantile(scores, [0.025, 0.975])
    assert bootstrap.interval(np.array(scores)) == pytest.approx(tuple(expected), rel=1e-12)


@every_statistic
def test_more_resamples_begin_with_the_same_ones(statistic: Statistic) -> None:
    many = drawn(UNEQUAL, statistic, resamples=1_001)
    assert np.array_equal(drawn(UNEQUAL, statistic, resamples=333), many[:333])


@pytest.mark.parametrize("block", [1, 30, 100])
def test_cutting_into_blocks_changes_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = drawn(UNEQUAL, iqm, resamples=501)
    monkeypatch.setattr(bootstrap, "BLOCK", block)
    assert np.array_equal(drawn(UNEQUAL, iqm, resamples=501), at_once)


def test_every_run_of_a_task_is_drawn_equally_often_and_none_of_another() -> None:
    blocks = bootstrap.draws([3, 5, 1], seed=0, name="ppo", resamples=20_000)
    positions = np.concatenate(list(blocks))
    assert positions.shape == (20_000, 9)
    for first, last, columns in [(0, 3, (0, 1, 2)), (3, 8, (3, 4, 5, 6, 7)), (8, 9, (8,))]:
        for column in columns:
            shares = np.bincount(positions[:, column], minlength=9) / 20_000
            expected = [1 / (last - first) if first <= run < last else 0 for run in range(9)]
            assert shares == pytest.approx(expected, abs=0.015)


def test_draws_of_a_resample_are_independent() -> None:
    (positions,) = bootstrap.draws([2, 2], seed=0, name="ppo", resamples=20_000)
    for one, other in itertools.combinations(positions.T, 2):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.03


def test_resamples_of_all_tasks_average_to_the_mean() -> None:
    assert drawn(UNEQUAL, mean, resamples=20_000).mean() == pytest.approx(mean(UNEQUAL), abs=0.02)


def test_interval_ends_are_interpolated_percentiles() -> None:
    assert interval(np.arange(41.0)) == pytest.approx((1.0, 39.0))
    assert interval(np.arange(11.0)) == pytest.approx((0.25, 9.75))


def test_interval_of_three_runs_reaches_from_the_worst_to_the_best() -> None:
    # the worst alone is drawn in 1 of 27 resamples, more often than in 2.5 of 100
    group = resampled([[3.0, 1.0, 8.0]])
    assert (group.estimate.low, group.estimate.high) == (1.0, 8.0)


def resampled(tasks: list[list[float]], n_seeds: int | None = None) -> ResampledGroup:
    return ResampledGroup.of(tasks, mean, name="ppo", seed=0, resamples=2_000, n_seeds=n_seeds)


@pytest.mark.parametrize(
    ("runs", "has_interval", "is_undercovered"),
    [(1, False, False), (2, False, False), (3, True, True), (4, True, True), (5, True, False)],
)
def test_few_seeds_have_no_interval_or_are_marked(
    runs: int, has_interval: bool, is_undercovered: bool
) -> None:
    estimate = resampled([list(range(runs))]).estimate
    assert (estimate.has_interval, estimate.is_undercovered) == (has_interval, is_undercovered)
    assert (estimate.value, estimate.n_runs, estimate.n_seeds) == ((runs - 1) / 2, runs, runs)
    assert estimate.method == ("stratified percentile bootstrap" if has_interval else None)
    assert estimate.resamples == (2_000 if has_interval else None)
    assert (estimate.high is not None) == has_interval


def test_seeds_count_not_runs() -> None:
    estimate = resampled([[1.0, 2.0, 3.0, 4.0]], n_seeds=2).estimate
    assert (estimate.n_runs, estimate.n_seeds, estimate.has_interval) == (4, 2, False)


def test_the_task_with_fewest_runs_says_how_many_seeds_there_are() -> None:
    assert resampled([[1.0, 2.0, 3.0], [1.0, 2.0]]).estimate.n_seeds == 2


@every_statistic
def test_constant_scores_have_an_interval_without_width(statistic: Statistic) -> None:
    tasks = [[0.1] * 5, [0.7] * 3]
    group = ResampledGroup.of(tasks, statistic, name="ppo", seed=0, resamples=500)
    if statistic is not iqm:  # of all scores together: the tasks still differ
        assert group.estimate.low == group.estimate.value == group.estimate.high
    assert group.estimate.value == statistic(tasks)
