"""Point statistics: cases by hand, and what must not change them."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axiomrl.statistics import (
    STATISTICS,
    Statistic,
    iqm,
    mean,
    median,
    optimality_gap,
    optimality_gap_below,
    std,
)

from .scores import TASKS

every_statistic = pytest.mark.parametrize("statistic", STATISTICS.values(), ids=STATISTICS)


def test_mean_weighs_tasks_alike_however_many_runs_they_have() -> None:
    assert mean([[1, 2, 3, 6], [10]]) == (3 + 10) / 2


def test_median_of_one_task_is_that_of_its_runs() -> None:
    assert median([[5, 1, 100]]) == 5
    assert median([[5, 1, 100, 7]]) == 6


def test_median_of_several_tasks_is_that_of_their_means() -> None:
    assert median([[0, 0, 30], [1], [2, 4]]) == 3
    assert median([[0, 0, 30], [2, 4]]) == 6.5


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ([[1, 2, 3, 100]], 2.5),  # one is dropped at each end
        ([[-100, 1, 2, 3, 100, 4, 5, 6]], 3.5),  # two at each end: 1 and 6 go, too
        ([[0, 100], [1, 3]], 2.0),  # all scores in one pool
        ([[1, 2, 30, 4, 5, 6, 7], [-9]], 4.25),  # a task with more runs weighs more
    ],
)
def test_iqm_drops_a_quarter_of_all_scores_at_each_end(
    tasks: list[list[float]], expected: float
) -> None:
    assert iqm(tasks) == expected


def test_iqm_of_fewer_than_four_scores_is_their_mean() -> None:
    assert iqm([[1, 2, 30]]) == 11
    assert iqm([[1], [2]]) == 1.5


def test_optimality_gap_does_not_reward_more_than_gamma() -> None:
    assert optimality_gap([[0.5, 7.0]]) == 0.25
    assert optimality_gap([[2.0], [3.0, 1.0]]) == 0
    assert optimality_gap_below(3.0)([[2.0, 5.0]]) == 0.5


@every_statistic
def test_a_single_run_is_its_own_statistic(statistic: Statistic) -> None:
    assert statistic([[-7.25]]) == (8.25 if statistic is optimality_gap else -7.25)


@every_statistic
def test_all_negative_scores_stay_where_they_are(statistic: Statistic) -> None:
    value = statistic([[-200, -150, -110, -90], [-4, -2]])
    assert value > 0 if statistic is optimality_gap else -200 < value < 0


def test_std_is_that_of_a_sample() -> None:
    assert std([1, 3]) == pytest.approx(math.sqrt(2))
    assert std([3.0]) is None
    assert std([0.1] * 3) == 0.0


@given(tasks=TASKS, seed=st.integers())
@settings(max_examples=50)
def test_the_order_of_tasks_and_runs_changes_nothing(tasks: list[list[float]], seed: int) -> None:
    generator = random.Random(seed)
    shuffled = [generator.sample(scores, len(scores)) for scores in tasks]
    generator.shuffle(shuffled)
    for statistic in STATISTICS.values():
        assert statistic(shuffled) == statistic(tasks)


@given(tasks=TASKS, shift=st.integers(-8, 8))
@settings(max_examples=50)
def test_rescaled_scores_have_the_rescaled_statistic(tasks: list[list[float]], shift: int) -> None:
    rescaled = [[4 * score + shift for score in scores] for scores in tasks]
    for statistic in (mean, median, iqm):
        assert statistic(rescaled) == pytest.approx(4 * statistic(tasks) + shift, abs=1e-12)


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([], "no tasks"),
        ([[1.0], []], r"task 1: .* shape \(0,\)"),
        ([1.0, 2.0], r"task 0: .* shape \(\)"),
        ([[[1.0]]], r"task 0: .* shape \(1, 1\)"),
        ([[1.0], [2.0, math.nan]], "task 1: value 1 is nan"),
        ([[-math.inf, 2.0]], "task 0: value 0 is -inf"),
    ],
)
@every_statistic
def test_what_is_no_score_is_refused_by_name(
    statistic: Statistic, tasks: list[list[float]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        statistic(tasks)
