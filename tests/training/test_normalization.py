from __future__ import annotations

import numpy as np
import pytest

from axiomrl.training.normalization import (
    CLIP,
    ObservationNormalizer,
    RewardNormalizer,
    RunningMoments,
)


def test_moments_equal_those_of_everything_seen() -> None:
    generator = np.random.default_rng(0)
    batches = [generator.normal(5.0, [1.0, 30.0, 0.1], (rows, 3)) for rows in (1, 7, 200, 50)]
    moments = RunningMoments((3,))
    for batch in batches:
        moments.update(batch)
    seen = np.concatenate(batches)
    np.testing.assert_allclose(moments.mean, seen.mean(0), rtol=1e-5)
    # the prior (variance 1, weight 1e-4) shows most in the dimension of variance 0.01
    np.testing.assert_allclose(moments.variance, seen.var(0), rtol=1e-2)
    np.testing.assert_allclose(moments.variance[:2], seen.var(0)[:2], rtol=1e-4)


def test_moments_of_large_offsets_keep_their_precision() -> None:
    batch = (1e4 + np.random.default_rng(0).normal(0.0, 1.0, (5000, 1))).astype(np.float32)
    moments = RunningMoments((1,))
    for part in np.split(batch, 50):
        moments.update(part)
    # the prior's mean 0 adds 1e-4 * (1e4)^2 / 5000 = 2 to the variance, and no more
    assert moments.variance[0] == pytest.approx(batch.astype(np.float64).var() + 2.0, rel=1e-3)


def test_before_the_first_update_observations_pass_within_the_clip() -> None:
    normalizer = ObservationNormalizer(2)
    seen = normalizer.normalize(np.array([[0.5, -3.0], [1e6, -1e6]], dtype=np.float32))
    np.testing.assert_allclose(seen, [[0.5, -3.0], [CLIP, -CLIP]])
    assert seen.dtype == np.float32


def test_normalised_observations_have_mean_zero_and_deviation_one() -> None:
    raw = np.random.default_rng(1).normal([3.0, -50.0], [0.5, 20.0], (4000, 2))
    raw = raw.astype(np.float32)
    normalizer = ObservationNormalizer(2)
    normalizer.update(raw)
    seen = normalizer.normalize(raw)
    np.testing.assert_allclose(seen.mean(0), 0.0, atol=1e-4)
    np.testing.assert_allclose(seen.std(0), 1.0, atol=1e-4)
    expected = (raw[0].astype(np.float64) - raw.mean(0)) / raw.std(0)
    np.testing.assert_allclose(seen[0], expected, rtol=1e-3)


def test_normalising_leaves_its_input_alone_and_fills_out() -> None:
    normalizer = ObservationNormalizer(2)
    normalizer.update(np.random.default_rng(1).normal(5.0, 2.0, (50, 2)))
    raw = np.ones((3, 2), dtype=np.float32)
    out = np.empty_like(raw)
    assert normalizer.normalize(raw, out=out) is out
    np.testing.assert_array_equal(raw, 1.0)
    np.testing.assert_array_equal(out, normalizer.normalize(raw))


def test_a_constant_observation_stays_finite() -> None:
    normalizer = ObservationNormalizer(1)
    normalizer.update(np.full((1000, 1), 7.0, dtype=np.float32))
    assert np.isfinite(normalizer.normalize(np.array([[7.0], [8.0]], dtype=np.float32))).all()


def slow_rewards(blocks: list[tuple[np.ndarray, np.ndarray]], gamma: float) -> list[np.ndarray]:
    """Every discounted return so far, kept in one list; its variance from scratch per block."""
    running = np.zeros(blocks[0][0].shape[1])
    returns: list[float] = []
    scaled = []
    for reward, ended in blocks:
        for step in range(len(reward)):
            running = gamma * running + reward[step]
            returns.extend(running.tolist())
            running[ended[step]] = 0.0
        scaled.append(np.clip(reward / np.sqrt(np.var(returns) + 1e-8), -10.0, 10.0))
    return scaled


def reward_blocks(seed: int, envs: int) -> list[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(seed)
    return [
        (
            generator.normal(1.0, 5.0, (steps, envs)).astype(np.float32),
            generator.random((steps, envs)) < 0.2,
        )
        for steps in (6, 30, 1, 12)
    ]


@pytest.mark.parametrize("envs", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_rewards_are_scaled_as_by_a_slow_reference(seed: int, envs: int) -> None:
    blocks = reward_blocks(seed, envs)
    normalizer = RewardNormalizer(envs, 0.9)
    for (reward, ended), expected in zip(blocks, slow_rewards(blocks, 0.9), strict=True):
        kept = reward.copy()
        np.testing.assert_allclose(normalizer.normalize(reward, ended), expected, rtol=1e-3)
        np.testing.assert_array_equal(reward, kept)


def test_scaled_rewards_keep_their_sign_and_are_clipped() -> None:
    normalizer = RewardNormalizer(1, 0.0)
    reward = np.zeros((2000, 1), dtype=np.float32)
    reward[0], reward[1], reward[2] = 1000.0, -1000.0, 0.5
    scaled = normalizer.normalize(reward, np.zeros((2000, 1), dtype=bool))
    np.testing.assert_array_equal(scaled[:2, 0], [CLIP, -CLIP])
    assert 0.0 < scaled[2, 0] < 0.5
    assert not scaled[3:].any()


def test_a_loaded_reward_normalizer_continues_with_the_same_bits() -> None:
    blocks = reward_blocks(5, 2)
    one, other = RewardNormalizer(2, 0.9), RewardNormalizer(2, 0.9)
    for reward, ended in blocks[:2]:
        one.normalize(reward, ended)
    other.load_state_dict(one.state_dict())
    for reward, ended in blocks[2:]:
        np.testing.assert_array_equal(one.normalize(reward, ended), other.normalize(reward, ended))


def test_a_loaded_observation_normalizer_continues_with_the_same_bits() -> None:
    generator = np.random.default_rng(2)
    batches = generator.normal(3.0, 2.0, (2, 40, 2)).astype(np.float32)
    one, other = ObservationNormalizer(2), ObservationNormalizer(2)
    one.update(batches[0])
    other.load_state_dict(one.state_dict())
    np.testing.assert_array_equal(one.normalize(batches[1]), other.normalize(batches[1]))
    one.update(batches[1])
    other.update(batches[1])
    np.testing.assert_array_equal(one.normalize(batches[1]), other.normalize(batches[1]))


def test_a_state_does_not_follow_later_updates() -> None:
    normalizer = ObservationNormalizer(1)
    normalizer.update(np.ones((5, 1)))
    state = normalizer.state_dict()
    mean = state["mean"].copy()
    normalizer.update(np.full((5, 1), 100.0))
    np.testing.assert_array_equal(state["mean"], mean)
