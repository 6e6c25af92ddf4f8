"""Which transitions are drawn: the sum tree, prioritised and uniform sampling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from axiomrl.training.replay import Replay, SumTree
from axiomrl.training.sampling import PRIORITY_EPSILON, Batch, Prioritized, Uniform

# The sum tree, against a plain list of priorities

sets_of = st.lists(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 5)), min_size=1, max_size=12),
    max_size=10,
)


def filled(capacity: int, sets: list[list[tuple[int, int]]]) -> tuple[SumTree, np.ndarray]:
    """A tree after some calls of `set`, and the priorities that it must hold; small integers,
    so that every sum is exact.
    """
    tree, priorities = SumTree(capacity), np.zeros(capacity)
    for each in sets:
        places = np.array([place % capacity for place, _ in each])
        values = np.array([value for _, value in each], dtype=float)
        tree.set(places, values)
        for place, value in zip(places, values, strict=True):
            priorities[place] = value
    return tree, priorities


@given(st.integers(1, 70), sets_of)
@settings(deadline=None, max_examples=100)
def test_every_mass_is_found_where_the_running_sum_exceeds_it(
    capacity: int, sets: list[list[tuple[int, int]]]
) -> None:
    tree, priorities = filled(capacity, sets)
    np.testing.assert_array_equal(tree.priorities, priorities)
    assert tree.total == priorities.sum()
    masses = np.arange(0.0, tree.total, 0.5)
    if len(masses):
        expected = np.searchsorted(np.cumsum(priorities), masses, side="right")
        np.testing.assert_array_equal(tree.find(masses), expected)


@given(st.integers(1, 70), sets_of)
@settings(deadline=None, max_examples=50)
def test_a_loaded_tree_equals_one_that_was_filled_bit_by_bit(
    capacity: int, sets: list[list[tuple[int, int]]]
) -> None:
    sets = [[(place, value + 1) for place, value in each] for each in sets]
    tree, _ = filled(capacity, sets)
    tree.set(np.arange(capacity), np.sqrt(tree.priorities))  # no longer exact
    loaded = SumTree(capacity)
    loaded.load(tree.priorities)
    assert loaded.total == tree.total
    masses = np.linspace(0.0, 0.999, 200) * tree.total
    if tree.total > 0.0:
        np.testing.assert_array_equal(loaded.find(masses), tree.find(masses))


@given(st.lists(st.floats(0.0, 1e12, allow_subnormal=False), min_size=1, max_size=40))
@settings(deadline=None, max_examples=100)
def test_a_place_without_priority_is_never_found(priorities: list[float]) -> None:
    tree = SumTree(len(priorities))
    tree.set(np.arange(len(priorities)), np.array(priorities))
    if tree.total == 0.0:
        return
    # up to and including the total, which rounding can reach
    places = tree.find(np.append(np.linspace(0.0, 1.0, 50) * tree.total, tree.total))
    assert (tree.priorities[places] > 0.0).all()


def test_of_a_place_set_twice_the_last_priority_counts() -> None:
    tree = SumTree(3)
    tree.set(np.array([1, 1, 2, 1]), np.array([5.0, 7.0, 1.0, 3.0]))
    assert tree.priorities.tolist() == [0.0, 3.0, 1.0]
    assert tree.total == 4.0


def test_finding_leaves_the_masses_alone() -> None:
    tree = SumTree(4)
    tree.set(np.arange(4), np.ones(4))
    masses = np.array([0.5, 3.5])
    assert tree.find(masses).tolist() == [0, 3]
    assert masses.tolist() == [0.5, 3.5]


# Samplers


def replay_of(capacity: int, rows: int) -> Replay:
    """A buffer whose rows hold their number as the reward."""
    replay = Replay(capacity, observation_size=1, action_shape=(), action_dtype=np.int32)
    add(replay, rows)
    return replay


def add(replay: Replay, rows: int) -> np.ndarray:
    numbers = np.arange(replay.count, replay.count + rows, dtype=np.float32)
    zeros = np.zeros((rows, 1))
    return replay.add(zeros, zeros, zeros[:, 0], numbers, zeros[:, 0])


def memory(
    capacity: int, rows: int, *, alpha: float = 1.0, seed: int = 0
) -> tuple[Prioritized, Replay]:
    replay = replay_of(capacity, 0)
    sampler = Prioritized(replay, np.random.default_rng(seed), alpha=alpha)
    sampler.added(add(replay, rows))
    return sampler, replay


def prioritized(capacity: int, rows: int, *, alpha: float = 1.0) -> Prioritized:
    return memory(capacity, rows, alpha=alpha)[0]


def learn(sampler: Prioritized, places: list[int], errors: Any) -> None:
    """Tell the sampler the TD errors of some places."""
    sampler.learned(Batch(np.zeros(len(places)), np.array(places), None), np.asarray(errors))


def priorities(sampler: Prioritized) -> np.ndarray:
    """All priorities, to the power alpha."""
    held: np.ndarray = sampler.state_dict()["priorities"]
    return held


def shares(sampler: Prioritized, rows: int, *, draws: int = 2000, size: int = 10) -> np.ndarray:
    """How often each of `rows` places was drawn."""
    places = [batch.places for batch in sampler.draw(draws, size, 0.4)]
    return np.bincount(np.concatenate(places), minlength=rows) / (draws * size)


def test_priorities_are_errors_to_the_power_alpha() -> None:
    sampler = prioritized(4, 4, alpha=0.5)
    learn(sampler, [0, 1, 2, 3], [4.0, -9.0, 0.25, 0.0])
    expected = np.sqrt(np.array([4.0, 9.0, 0.25, 0.0]) + PRIORITY_EPSILON)
    np.testing.assert_allclose(priorities(sampler), expected, rtol=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
def test_transitions_are_drawn_in_proportion_to_their_priority(alpha: float) -> None:
    # Schaul et al. 2016, eq. 1: P(i) = p_i^alpha / sum p^alpha
    sampler, errors = prioritized(5, 5, alpha=alpha), np.array([1.0, 2.0, 3.0, 4.0, 0.1])
    learn(sampler, [0, 1, 2, 3, 4], errors)
    expected = errors**alpha / (errors**alpha).sum()
    np.testing.assert_allclose(shares(sampler, 5), expected, atol=0.01)


@pytest.mark.parametrize(
    ("beta", "expected"),
    [(1.0, [1.0, 1 / 2, 1 / 3, 1 / 4]), (0.5, [1.0, 2**-0.5, 3**-0.5, 0.5]), (0.0, [1.0] * 4)],
)
def test_importance_weights_by_hand(beta: float, expected: list[float]) -> None:
    # P = 0.1, 0.2, 0.3, 0.4; (4 P)^-beta over its largest, that of the first, is (P / 0.1)^-beta
    sampler = prioritized(4, 4)
    learn(sampler, [0, 1, 2, 3], [1.0, 2.0, 3.0, 4.0])
    (batch,) = sampler.draw(1, 100, beta)
    assert set(batch.places) == {0, 1, 2, 3}
    assert batch.weights is not None
    assert batch.weights.dtype == np.float32
    np.testing.assert_allclose(batch.weights, np.array(expected)[batch.places], rtol=1e-5)


def test_the_largest_weight_of_a_batch_is_one() -> None:
    sampler = prioritized(8, 8, alpha=0.7)
    learn(sampler, list(range(8)), np.arange(8.0) ** 2 + 0.5)
    for batch in sampler.draw(50, 3, 0.4):
        assert batch.weights is not None
        assert batch.weights.max() == 1.0
        assert (batch.weights > 0.0).all()


def test_a_batch_draws_once_from_each_equal_part_of_the_total() -> None:
    sampler = prioritized(6, 6)
    for batch in sampler.draw(20, 6, 1.0):
        assert sorted(batch.places) == [0, 1, 2, 3, 4, 5]
    learn(sampler, [0], [5.0])  # half of the total of 10
    for batch in sampler.draw(20, 10, 1.0):
        assert np.bincount(batch.places).tolist() == [5, 1, 1, 1, 1, 1]


def test_new_transitions_have_the_highest_priority_there_has_been() -> None:
    sampler, replay = memory(10, 3)
    assert priorities(sampler).tolist() == [1.0, 1.0, 1.0]
    learn(sampler, [0, 1, 2], [7.0, 2.0, 1.0])
    learn(sampler, [0], [0.5])
    sampler.added(add(replay, 2))
    np.testing.assert_allclose(priorities(sampler), [0.5, 2.0, 1.0, 7.0, 7.0], rtol=1e-5)


def test_a_transition_in_an_old_ones_place_is_new() -> None:
    sampler, replay = memory(3, 3)
    learn(sampler, [0, 1, 2], [7.0, 0.0, 0.0])
    sampler.added(add(replay, 2))  # into places 0 and 1
    np.testing.assert_allclose(priorities(sampler), [7.0, 7.0, 0.0], atol=1e-5)


def test_errors_may_be_a_tensor() -> None:
    sampler, other = prioritized(3, 3), prioritized(3, 3)
    errors = np.array([1.5, -2.5, 0.5], dtype=np.float32)
    batch = Batch(np.zeros(3), np.arange(3), None)
    sampler.learned(batch, torch.from_numpy(errors))
    other.learned(batch, errors)
    np.testing.assert_array_equal(priorities(sampler), priorities(other))


def test_nothing_added_changes_nothing() -> None:
    sampler = prioritized(3, 2)
    sampler.added(np.array([], dtype=np.int64))
    assert priorities(sampler).tolist() == [1.0, 1.0]


def test_later_batches_see_what_was_learned_from_earlier_ones() -> None:
    sampler = prioritized(4, 4)
    batches = sampler.draw(2, 50, 1.0)
    assert set(next(batches).places) == {0, 1, 2, 3}
    learn(sampler, [0, 1, 2, 3], [1e6, 0.0, 0.0, 0.0])
    assert set(next(batches).places) == {0}


def test_batches_hold_the_rows_of_their_places() -> None:
    replay = replay_of(5, 12)
    for sampler in (
        Uniform(replay, np.random.default_rng(0)),
        Prioritized(replay, np.random.default_rng(0), alpha=0.6),
    ):
        sampler.added(np.arange(5))
        for batch in sampler.draw(3, 20, 1.0):
            newest = (batch.places - 12) % 5  # 0: the oldest held, row number 7
            np.testing.assert_array_equal(batch.rows["reward"], 7 + newest)


def test_a_restored_sampler_draws_on_with_the_same_bits() -> None:
    original, kept = memory(7, 5, alpha=0.6)
    restored, copy = memory(7, 5, alpha=0.6, seed=9)
    learn(original, [0, 3, 3], [2.0, 0.3, 5.0])
    list(original.draw(2, 3, 0.5))
    restored.load_state_dict(original.state_dict())
    for sampler, replay in ((original, kept), (restored, copy)):
        sampler.added(add(replay, 4))
    for one, other in zip(original.draw(5, 4, 0.7), restored.draw(5, 4, 0.7), strict=True):
        assert one.places.tolist() == other.places.tolist()
        assert one.weights is not None
        assert other.weights is not None
        assert one.weights.tobytes() == other.weights.tobytes()
        for sampler in (original, restored):
            learn(sampler, one.places.tolist(), one.rows["reward"])


# Uniform


def test_uniform_draws_every_row_held_equally_often() -> None:
    sampler = Uniform(replay_of(10, 4), np.random.default_rng(0))
    places = np.concatenate([batch.places for batch in sampler.draw(500, 32, 0.0)])
    np.testing.assert_allclose(np.bincount(places) / len(places), [0.25] * 4, atol=0.02)


def test_uniform_batches_have_no_weights() -> None:
    sampler = Uniform(replay_of(4, 1), np.random.default_rng(0))
    (batch,) = sampler.draw(1, 6, 0.0)
    assert batch.weights is None
    assert batch.places.tolist() == [0] * 6  # with replacement


def test_a_restored_uniform_sampler_draws_on() -> None:
    original = Uniform(replay_of(9, 9), np.random.default_rng(0))
    restored = Uniform(replay_of(9, 9), np.random.default_rng(5))
    list(original.draw(3, 4, 0.0))
    restored.load_state_dict(original.state_dict())
    for one, other in zip(original.draw(5, 4, 0.0), restored.draw(5, 4, 0.0), strict=True):
        assert one.places.tolist() == other.places.tolist()
