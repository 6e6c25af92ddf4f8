"""Normalised observations and scaled rewards, and the statistics behind them."""

from __future__ import annotations

import numpy as np
import pytest

from axiomrl.config.schema import EnvironmentConfig
from axiomrl.training.environments import Environments, Episode

from .collecting import SEED, collected, random_choices
from .plain_loop import Script


def test_the_policy_sees_the_observations_that_are_stored() -> None:
    environments = Environments(
        "CartPole-v1", EnvironmentConfig(normalize_observation=True), num_envs=2, seed=SEED
    )
    for _ in range(3):
        given: list[np.ndarray] = []

        def act(observation: np.ndarray, given: list[np.ndarray] = given) -> np.ndarray:
            given.append(observation.copy())
            return np.zeros(2, dtype=np.int64)

        transitions, _ = environments.collect(act, 15)
        np.testing.assert_array_equal(transitions.observation, np.stack(given))


@pytest.mark.parametrize("normalize", [True, False])
def test_episode_returns_are_of_unscaled_rewards(normalize: bool) -> None:
    # rewards 10 + a, 20 + a, 30 + a, 40 + a over blocks that cut the episodes
    actions = random_choices(3, 16, 2)
    transitions, episodes, _ = collected(
        "Counting-v0", actions, [3, 3, 10], normalize_reward=normalize
    )
    expected = [
        Episode(100.0 + float(actions[start : start + 4, env].sum()), 4, env)
        for start in range(0, 16, 4)
        for env in range(2)
    ]
    assert episodes == expected
    raw = np.tile([10.0, 20.0, 30.0, 40.0], 4)[:, None] + actions
    assert np.array_equal(transitions["reward"], raw.astype(np.float32)) is not normalize


def test_reward_scale_is_that_of_the_discounted_return() -> None:
    environments = Environments(
        "Counting-v0",
        EnvironmentConfig(normalize_reward=True),
        num_envs=1,
        seed=SEED,
        reward_gamma=0.5,
    )
    act = Script(np.zeros((8, 1), dtype=np.int64))
    transitions, _ = environments.collect(act, 8)
    # returns 10, 10/2 + 20 = 25, 25/2 + 30 = 42.5, 42.5/2 + 40 = 61.25, and again
    spread = np.std([10.0, 25.0, 42.5, 61.25])
    expected = np.tile([10.0, 20.0, 30.0, 40.0], 2) / spread
    np.testing.assert_allclose(transitions.reward[:, 0], expected, rtol=1e-3)


def test_observation_statistics_change_between_blocks_only() -> None:
    actions = random_choices(2, 60, 2)
    raw, _, _ = collected("CartPole-v1", actions, [60])
    environments = Environments(
        "CartPole-v1", EnvironmentConfig(normalize_observation=True), num_envs=2, seed=SEED
    )
    act = Script(actions)
    mean, deviation = np.zeros(4), np.ones(4)
    for start in (0, 20, 40):
        transitions, _ = environments.collect(act, 20)
        block = slice(start, start + 20)
        for name in ("observation", "next_observation"):
            np.testing.assert_allclose(
                getattr(transitions, name),
                np.clip((raw[name][block] - mean) / deviation, -10.0, 10.0),
                rtol=2e-3,
                atol=2e-3,
                err_msg=name,
            )
        seen = raw["observation"][: start + 20].reshape(-1, 4).astype(np.float64)
        mean, deviation = seen.mean(0), seen.std(0)


def test_raw_observations_are_those_before_normalisation() -> None:
    actions = random_choices(2, 60, 2)
    plain, _, _ = collected("CartPole-v1", actions, [25, 35])
    environments = Environments(
        "CartPole-v1", EnvironmentConfig(normalize_observation=True), num_envs=2, seed=SEED
    )
    act = Script(actions)
    for block in (slice(0, 25), slice(25, 60)):
        transitions, _ = environments.collect(act, block.stop - block.start)
        np.testing.assert_array_equal(transitions.raw_observation, plain["observation"][block])
        np.testing.assert_array_equal(
            transitions.raw_next_observation, plain["next_observation"][block]
        )


def test_normalisation_statistics_are_those_of_every_observation_acted_on() -> None:
    actions = random_choices(2, 90, 3)
    raw, _, _ = collected("CartPole-v1", actions, [90])
    _, _, environments = collected("CartPole-v1", actions, [30, 10, 50], normalize_observation=True)
    assert environments.normalizer is not None
    state = environments.normalizer.state_dict()
    seen = raw["observation"].reshape(-1, 4).astype(np.float64)
    np.testing.assert_allclose(state["mean"], seen.mean(0), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(state["variance"], seen.var(0), rtol=1e-4)
    assert state["count"] == pytest.approx(270.0, abs=1e-3)
