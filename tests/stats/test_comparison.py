"""Two groups against one another."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axiomrl.statistics import (
    Direction,
    ResampledGroup,
    Statistic,
    difference,
    iqm,
    mean,
    median,
    performance_profile,
    probability_of_improvement,
    ratio,
    seeds_to_separate,
)

from .scores import SCORES


def group(
    name: str, *tasks: list[float], statistic: Statistic = mean, resamples: int = 2_000
) -> ResampledGroup:
    return ResampledGroup.of(tasks, statistic, name=name, seed=0, resamples=resamples)


FIVE = group("five", [5.0, 5.5, 4.5, 6.0, 4.0])
ONE = group("one", [1.0, 1.5, 0.5, 1.25, 0.75])


def test_difference_of_the_values_with_the_interval_of_both() -> None:
    estimate = difference(FIVE, ONE)
    assert estimate.value == 4.0
    assert estimate.low is not None
    assert estimate.high is not None
    assert 3.2 < estimate.low < 3.6
    assert 4.4 < estimate.high < 4.8
    assert (estimate.n_runs, estimate.n_seeds, estimate.resamples) == (10, 5, 2_000)
    opposite = difference(ONE, FIVE)
    assert opposite.value == -4.0
    assert opposite.low == pytest.approx(-estimate.high)


def test_interval_of_a_difference_is_as_wide_as_two_independent_groups_are() -> None:
    x = group("x", list(map(float, range(20))), resamples=20_000)
    y = group("y", list(map(float, range(20))), resamples=20_000)
    width = math.sqrt(2) * 2 * 1.96 * np.std(np.arange(20)) / math.sqrt(20)
    estimate = difference(x, y)
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.high - estimate.low == pytest.approx(width, rel=0.03)


def test_ratio_of_the_values() -> None:
    estimate = ratio(FIVE, ONE)
    assert estimate is not None
    assert estimate.value == 5.0
    assert estimate.low is not None
    assert estimate.low < 5.0
    both_negative = ratio(group("x", [-100.0] * 3), group("y", [-200.0] * 3))
    assert both_negative is not None
    assert (both_negative.value, both_negative.low, both_negative.high) == (0.5, 0.5, 0.5)


def test_ratio_to_what_may_be_zero_has_no_interval() -> None:
    estimate = ratio(FIVE, group("y", [-1.0, 0.0, 4.0]))
    assert estimate is not None
    assert (estimate.value, estimate.low, estimate.high, estimate.method) == (5.0, None, None, None)
    assert ratio(FIVE, group("y", [-1.0, 0.0, 1.0])) is None


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ([2.0, 3.0], [1.0], 1.0),
        ([1.0, 2.0], [1.0, 2.0], 0.5),
        ([1.0, 2.0, 3.0], [2.0], 0.5),
        ([1.0, 2.0, 2.0], [2.0, 0.0], (1 + 1.5 + 1.5) / 6),
        ([0.1], [0.1], 0.5),
    ],
)
def test_probability_of_improvement_counts_pairs_and_half_of_ties(
    x: list[float], y: list[float], expected: float
) -> None:
    assert probability_of_improvement(group("x", x), group("y", y)).value == expected


def test_probability_of_improvement_is_the_mean_over_tasks() -> None:
    x, y = group("x", [2.0, 3.0], [0.0]), group("y", [1.0], [0.0, 1.0, -1.0, -2.0])
    assert probability_of_improvement(x, y).value == (1.0 + 2.5 / 4) / 2


def test_where_less_is_better_the_lower_score_improves() -> None:
    x, y = group("x", [1.0]), group("y", [2.0, 1.0])
    assert probability_of_improvement(x, y, direction="min").value == 0.75


Scores = list[float]
PAIRS_OF_TASKS = st.lists(st.tuples(SCORES, SCORES), min_size=1, max_size=3)


def two_groups(pairs: list[tuple[Scores, Scores]]) -> tuple[ResampledGroup, ResampledGroup]:
    x, y = zip(*pairs, strict=True)
    return group("x", *x, resamples=50), group("y", *y, resamples=50)


@given(pairs=PAIRS_OF_TASKS, direction=st.sampled_from(["max", "min"]))
@settings(max_examples=30)
def test_improvements_of_both_ways_round_add_up_to_one(
    pairs: list[tuple[Scores, Scores]], direction: Direction
) -> None:
    x, y = two_groups(pairs)
    there = probability_of_improvement(x, y, direction=direction)
    back = probability_of_improvement(y, x, direction=direction)
    assert there.value + back.value == pytest.approx(1.0, abs=1e-12)
    if there.low is not None:
        assert back.high is not None
        assert there.low + back.high == pytest.approx(1.0, abs=1e-12)


@given(pairs=PAIRS_OF_TASKS)
@settings(max_examples=30)
def test_the_order_of_tasks_and_runs_changes_no_improvement(
    pairs: list[tuple[Scores, Scores]],
) -> None:
    backwards = [(x[::-1], y[::-1]) for x, y in reversed(pairs)]
    before = probability_of_improvement(*two_groups(pairs))
    assert probability_of_improvement(*two_groups(backwards)) == before


def test_interval_of_an_improvement_is_that_of_resampling_both() -> None:
    x = [3.0, 1.0, 2.0, 5.0], [1.0, 2.0, 3.0, 4.0, 5.0]
    y = [2.0, 0.0, 4.0], [0.5, 2.5, 4.5, 6.5]
    generator = np.random.default_rng(0)

    def resampled_improvement(one: Scores, other: Scores) -> float:
        drawn = generator.choice(one, len(one)), generator.choice(other, len(other))
        return float(np.mean([(a > b) + (a == b) / 2 for a, b in itertools.product(*drawn)]))

    expected = [
        np.mean([resampled_improvement(*pair) for pair in zip(x, y, strict=True)])
        for _ in range(2_000)
    ]
    estimate = probability_of_improvement(
        group("x", *x, resamples=20_000), group("y", *y, resamples=20_000)
    )
    assert estimate.low == pytest.approx(np.quantile(expected, 0.025), abs=0.03)
    assert estimate.high == pytest.approx(np.quantile(expected, 0.975), abs=0.03)


def test_unequal_numbers_of_tasks_are_refused() -> None:
    with pytest.raises(ValueError, match="'x' has 1 tasks, 'y' has 2"):
        probability_of_improvement(group("x", [1.0]), group("y", [1.0], [2.0]))


def test_groups_without_an_interval_have_none_in_comparisons() -> None:
    two = group("two", [1.0, 3.0])
    for estimate in (difference(FIVE, two), ratio(FIVE, two), probability_of_improvement(two, ONE)):
        assert estimate is not None
        assert (estimate.low, estimate.high, estimate.n_seeds) == (None, None, 2)
    assert seeds_to_separate(FIVE, two) is None


def test_a_group_is_not_compared_with_its_namesake() -> None:
    namesake = group("five", [1.0, 2.0, 3.0])
    for compare in (difference, ratio, probability_of_improvement, seeds_to_separate):
        with pytest.raises(ValueError, match="both groups are named 'five'"):
            compare(FIVE, namesake)


def test_unequal_numbers_of_resamples_are_not_compared() -> None:
    with pytest.raises(ValueError, match="2000 and 50 times"):
        difference(FIVE, group("y", [1.0, 2.0, 3.0], resamples=50))


def test_no_more_seeds_are_needed_where_groups_are_apart() -> None:
    assert seeds_to_separate(FIVE, ONE) == 0
    assert seeds_to_separate(ONE, FIVE) == 0
    assert seeds_to_separate(group("x", [0.1] * 3), group("y", [0.2] * 5)) == 0


def test_no_number_of_seeds_separates_equal_values() -> None:
    assert seeds_to_separate(group("x", [1.0, 2.0, 3.0]), group("y", [3.0, 2.0, 1.0])) is None
    assert seeds_to_separate(group("x", [0.1] * 3), group("y", [0.1] * 5)) is None


def test_seeds_to_separate_are_those_of_a_two_sample_test() -> None:
    # standard deviation 1 (ddof 1), difference 0.5: (1.96 + 0.84)^2 * 2 / 0.25 = 62.8 each
    scores = [-1.0, 0.0, 1.0]
    x = group("x", scores, resamples=20_000)
    y = group("y", [score + 0.5 for score in scores], resamples=20_000)
    assert seeds_to_separate(x, y) == pytest.approx(63 - 3, abs=2)
    assert seeds_to_separate(y, x) == seeds_to_separate(x, y)


def test_so_many_seeds_do_separate_in_about_four_of_five_experiments() -> None:
    generator = np.random.default_rng(0)
    x = group("x", list(np.linspace(-1.5, 1.5, 10)))
    y = group("y", list(np.linspace(-1.5, 1.5, 10) + 0.7))
    more = seeds_to_separate(x, y)
    assert more is not None
    spread = float(np.std(np.linspace(-1.5, 1.5, 10), ddof=1))
    apart = 0
    for _ in range(200):
        one, other = (list(generator.normal(m, spread, 10 + more)) for m in (0.0, 0.7))
        apart += seeds_to_separate(group("x", one), group("y", other)) == 0
    assert 140 <= apart <= 180


@pytest.mark.parametrize("statistic", [mean, median, iqm], ids=lambda each: each.name)
def test_comparisons_go_along_with_a_change_of_unit(statistic: Statistic) -> None:
    scores = {"x": [3.0, 1.0, 2.0, 5.0, 2.5], "y": [2.0, 0.5, 4.0]}
    x, y = (group(*each, statistic=statistic) for each in scores.items())
    big_x, big_y = (
        group(name, [8 * score for score in values], statistic=statistic)
        for name, values in scores.items()
    )
    low, big_low = difference(x, y).low, difference(big_x, big_y).low
    assert low is not None
    assert big_low == 8 * low
    assert ratio(x, y) == ratio(big_x, big_y)
    assert probability_of_improvement(x, y) == probability_of_improvement(big_x, big_y)
    assert seeds_to_separate(x, y) == seeds_to_separate(big_x, big_y)


def test_a_profile_is_the_fraction_strictly_above_each_threshold() -> None:
    profile = performance_profile(group("x", [1.0, 2.0], [2.0, 3.0, 4.0]), [0.0, 1.0, 2.0, 4.0])
    assert profile.taus.tolist() == [0.0, 1.0, 2.0, 4.0]
    assert profile.fraction.tolist() == [1.0, 0.8, 0.4, 0.0]
    assert profile.low is profile.high is None  # two seeds


def test_the_band_of_a_profile_holds_its_fractions() -> None:
    profile = performance_profile(group("x", [1.0, 2.0, 3.0], [2.0, 3.0, 4.0, 6.0]), range(8))
    assert profile.low is not None
    assert profile.high is not None
    assert (profile.low <= profile.fraction).all()
    assert (profile.fraction <= profile.high).all()
    assert profile.low[0] == profile.high[0] == 1.0
    assert profile.low[2] < profile.high[2]
    assert profile.low[7] == profile.high[7] == 0.0


def test_thresholds_must_be_numbers() -> None:
    with pytest.raises(ValueError, match="taus: value 1 is nan"):
        performance_profile(FIVE, [0.0, math.nan])
