"""Ranks, against their definition written out plainly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axiomrl.statistics import Estimate, Rank, ResampledGroup, mean, rank_groups, ranking
from axiomrl.statistics.scores import Array


def group(name: str, distribution: Array | None, value: float = 0.0) -> ResampledGroup:
    estimate = Estimate(value, None, None, None, None, 1, 1)  # ranks use the value alone
    resamples = 0 if distribution is None else len(distribution)
    return ResampledGroup(name, (np.array([value]),), 0, resamples, distribution, estimate)


def groups_of(rows: Array) -> list[ResampledGroup]:
    return [group(f"group {index}", row) for index, row in enumerate(rows)]


def scored(name: str, scores: list[float]) -> ResampledGroup:
    return ResampledGroup.of([scores], mean, name=name, seed=0, resamples=2_000)


def plain_ranks(rows: Array) -> list[Rank]:
    """More is better."""
    count = rows.shape[1]
    needed = math.ceil(count * 39 / 40)
    better = rows[:, np.newaxis] > rows  # [i, j] in which resamples i is better than j
    sure = (better.sum(axis=2) >= needed).sum(axis=0)
    places = np.sort(better.sum(axis=0) + 1, axis=1)
    low, high = places[:, count - needed], places[:, needed - 1]
    return [Rank(1 + s, a, b) for s, a, b in np.stack([sure, low, high], axis=1).tolist()]


@st.composite
def distributions(draw: st.DrawFn) -> Array:
    """[G, B] resamples of groups that lie apart, overlap, and tie."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(1, 12)), draw(st.sampled_from([1, 20, 40, 200, 401]))
    spread = draw(st.sampled_from([0.0, 1.0, 3.0, 10.0]))
    width = draw(st.sampled_from([0.0, 0.5, 1.0]))
    rows = generator.normal(size=(count[0], 1)) * spread + generator.normal(size=count) * width
    return np.round(rows, draw(st.sampled_from([0, 1, 5])))


@given(rows=distributions())
def test_ranks_are_what_the_definition_says(rows: Array) -> None:
    assert rank_groups(groups_of(rows), direction="max") == plain_ranks(rows)


@given(rows=distributions())
@settings(max_examples=25)
def test_less_is_better_mirrors_more_is_better(rows: Array) -> None:
    assert rank_groups(groups_of(-rows), direction="min") == plain_ranks(rows)


@given(rows=distributions())
@settings(max_examples=50)
def test_rank_and_range_are_bounded(rows: Array) -> None:
    for rank in rank_groups(groups_of(rows), direction="max"):
        assert 1 <= rank.rank <= len(rows)
        assert 1 <= rank.low <= rank.high <= len(rows)
        # each sure rival fails in at most 1 of 40 resamples; so up to 38 fit below `high`
        assert rank.rank - rank.high <= (rank.rank - 1) // 39


@settings(max_examples=25)
@given(rows=distributions(), seed=st.integers(0, 100))
def test_the_order_of_groups_changes_no_rank(rows: Array, seed: int) -> None:
    groups = groups_of(rows)
    order = np.random.default_rng(seed).permutation(len(groups))
    ranks = rank_groups(groups, direction="max")
    shuffled = rank_groups([groups[index] for index in order], direction="max")
    assert shuffled == [ranks[index] for index in order]


def test_sorting_in_blocks_changes_no_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).normal(size=(5, 100))
    monkeypatch.setattr(ranking, "BLOCK", 33)
    assert rank_groups(groups_of(rows), direction="max") == plain_ranks(rows)


def test_a_rival_that_is_better_just_often_enough_counts() -> None:
    # Always one place apart, but for one resample in 40: the places of both are spread alike.
    steps = np.arange(40.0)
    rival, mine = -steps, -steps - 0.2
    rival[-1], mine[-1] = -100.0, 100.0
    others = np.repeat(-np.arange(42.0)[:, np.newaxis] - 0.5, 40, axis=1)
    rows = np.concatenate([[rival, mine], others])
    assert (rival > mine).sum() == ranking.sure_count(40)
    assert rank_groups(groups_of(rows), direction="max") == plain_ranks(rows)


def test_a_rival_that_is_better_just_too_seldom_does_not_count() -> None:
    # Three exceptions where two are allowed: twice the rival is poor, once the group is good.
    rival, mine = np.ones(80), np.zeros(80)
    rival[:2], mine[2] = -5.0, 5.0
    rows = np.stack([rival, mine, np.full(80, 0.5), np.full(80, 0.6)])
    assert (rival > mine).sum() == ranking.sure_count(80) - 1
    assert rank_groups(groups_of(rows), direction="max") == plain_ranks(rows)


def test_a_rank_may_lie_below_its_range() -> None:
    rivals = np.random.default_rng(0).normal(size=(40, 2_000))
    groups = [group("last", np.full(2_000, -1.5)), *groups_of(rivals)]
    last, *_ = rank_groups(groups, direction="max")  # each of 40 is better with 93 %
    assert last.rank == 1
    assert last.low > 30


def test_groups_that_are_not_told_apart_share_a_rank() -> None:
    scores: dict[str, list[float]] = {
        "a": [9, 10, 11, 10, 9],
        "b": [9, 10, 11, 9, 10.5],
        "c": [1, 2, 1, 2, 1],
    }
    groups = [scored(name, values) for name, values in scores.items()]
    ranks = rank_groups(groups, direction="max")
    assert ranks == [Rank(1, 1, 2), Rank(1, 1, 2), Rank(3, 3, 3)]


def test_equal_scores_tie_although_their_sums_are_rounded_differently() -> None:
    groups = [scored(f"{runs} runs", [0.1] * runs) for runs in (3, 4, 5, 7, 10, 11)]
    assert len({each.estimate.value for each in groups}) > 1  # else this would show nothing
    assert rank_groups(groups, direction="max") == [Rank(1, 1, 1)] * 6


@pytest.mark.parametrize("factor", [2.0**-20, 3.0, 1e9])
def test_ranks_do_not_depend_on_the_unit(factor: float) -> None:
    rows = np.random.default_rng(0).normal(size=(6, 400)).round(1) + np.arange(6)[:, np.newaxis]
    assert rank_groups(groups_of(factor * rows), direction="max") == plain_ranks(rows)


def test_without_intervals_nothing_is_told_apart() -> None:
    groups = [group(str(value), None, value) for value in (1.0, 5.0, 3.0)]
    assert rank_groups(groups, direction="max") == [Rank(1, 1, 3)] * 3
    assert rank_groups([], direction="max") == []


def test_a_group_without_an_interval_may_belong_anywhere() -> None:
    good, poor = np.linspace(9, 11, 400), np.linspace(1, 2, 400)
    groups = [group("good", good), group("?", None, 5.0), group("poor", poor)]
    assert rank_groups(groups, direction="max") == [
        Rank(1, 1, 2),  # the unknown one could be better
        Rank(2, 1, 3),  # `good` surely exceeds its value
        Rank(2, 2, 3),  # the unknown one is not surely better
    ]
    assert rank_groups(groups, direction="min")[1:] == [Rank(2, 1, 3), Rank(1, 1, 2)]


@pytest.mark.parametrize(("share", "rank"), [(0.975, 2), (0.9725, 1)])
def test_a_value_is_surely_exceeded_in_39_of_40_resamples(share: float, rank: int) -> None:
    known = np.where(np.arange(400) < 400 * share, 2.0, 0.0)
    groups = [group("known", known), group("?", None, 1.0)]
    assert rank_groups(groups, direction="max")[1].rank == rank


def test_a_value_that_is_only_equalled_is_not_exceeded() -> None:
    groups = [group("known", np.ones(40)), group("?", None, 1.0)]
    assert rank_groups(groups, direction="max")[1].rank == 1


def test_two_groups_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two groups are named 'a'"):
        rank_groups([scored("b", [1]), scored("a", [1]), scored("a", [2])], direction="max")


def test_unequal_numbers_of_resamples_are_refused() -> None:
    groups = [group("a", np.zeros(20)), group("b", np.zeros(40))]
    with pytest.raises(ValueError, match=r"unequally often: \[20, 40\]"):
        rank_groups(groups, direction="max")
