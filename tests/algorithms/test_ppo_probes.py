"""PPO learns what there is to learn where the answer is known exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from axiomrl.algorithms.ppo import PPO, PPOConfig
from axiomrl.algorithms.protocol import Progress
from axiomrl.config.schema import EnvironmentConfig
from axiomrl.training.environments import Environments

from . import ppo_reference, probe_environments
from .building import context_for, tensors_of

probe_environments.register()
GAMMA = 0.5
QUICK = {
    "n_steps": 32,
    "batch_size": 64,
    "n_epochs": 4,
    "learning_rate": 0.01,
    "gamma": GAMMA,
    "hidden_sizes": (16,),
}


def trained(
    env_id: str,
    updates: int,
    *,
    engine: str = "mlp",
    environment: dict[str, Any] | None = None,
    **settings: Any,
) -> PPO:
    environments = Environments(
        env_id, EnvironmentConfig(**(environment or {})), num_envs=4, seed=0
    )
    algorithm = PPO(
        PPOConfig(**{**QUICK, **settings}), context_for(environments, engine=engine, seed=0)
    )
    steps = algorithm.steps_per_update
    for number in range(updates):
        progress = Progress(number * steps * 4, number / updates, False)
        transitions, _ = environments.collect(algorithm.explorer(steps, progress), steps)
        algorithm.observe(transitions)
        algorithm.update(progress)
    return algorithm


def values(algorithm: PPO, *observations: float) -> list[float]:
    """What the value network says, computed from the saved parameters."""
    import torch

    agent = ppo_reference.Agent(tensors_of(algorithm.state_dict()), ppo_reference.Settings())
    seen = torch.tensor(observations, dtype=torch.float64)[:, None]
    estimated: list[float] = agent.value(seen).flatten().tolist()
    return estimated


def actions(algorithm: PPO, *observations: float) -> np.ndarray:
    """The deterministic policy's answers."""
    act = algorithm.policy(
        len(observations), deterministic=True, generator=np.random.default_rng(0)
    )
    return np.array(act(np.array(observations, dtype=np.float32)[:, None]))


@pytest.mark.parametrize("engine", ["mlp", "torch"])
def test_the_value_of_a_constant_reward_is_learned(engine: str) -> None:
    assert values(trained("ConstantReward-v0", 30, engine=engine), 0.0) == pytest.approx(
        [1.0], abs=0.03
    )


def test_the_value_depends_on_the_observation() -> None:
    algorithm = trained("RewardOfObservation-v0", 40)
    assert values(algorithm, -1.0, 1.0) == pytest.approx([-1.0, 1.0], abs=0.1)


def test_a_later_reward_is_discounted() -> None:
    algorithm = trained("DelayedReward-v0", 50)
    assert values(algorithm, 0.0, 1.0) == pytest.approx([GAMMA, 1.0], abs=0.1)


@pytest.mark.parametrize("engine", ["mlp", "torch"])
def test_the_better_action_is_chosen(engine: str) -> None:
    algorithm = trained("BetterAction-v0", 30, engine=engine)
    assert actions(algorithm, 0.0).tolist() == [1]
    act = algorithm.policy(500, deterministic=False, generator=np.random.default_rng(1))
    assert act(np.zeros((500, 1), dtype=np.float32)).mean() > 0.9


def test_the_action_depends_on_the_observation() -> None:
    algorithm = trained("MatchingAction-v0", 40)
    assert actions(algorithm, -1.0, 1.0).tolist() == [0, 1]
    assert values(algorithm, -1.0, 1.0) == pytest.approx([1.0, 1.0], abs=0.2)


def test_several_choices_are_learned_at_once() -> None:
    algorithm = trained("MatchingActions-v0", 40)
    assert actions(algorithm, -1.0, 1.0).tolist() == [[0, 2], [1, 0]]


@pytest.mark.parametrize("engine", ["mlp", "torch"])
def test_a_continuous_action_moves_to_the_best_number(engine: str) -> None:
    algorithm = trained("MatchingTarget-v0", 60, engine=engine, log_std_init=-1.0)
    found = actions(algorithm, -1.0, 1.0)
    np.testing.assert_allclose(found, [[-0.5], [0.5]], atol=0.15)


TRUNCATED = {"max_episode_steps": 5}
TERMINATED = {"kwargs": {"length": 5}}


@pytest.mark.parametrize("gae_lambda", [0.0, 0.95])
def test_a_truncated_episode_goes_on_in_its_value(gae_lambda: float) -> None:
    # reward 1 for ever: 1 / (1 - 0.8) = 5, however often the episode is cut off
    algorithm = trained(
        "EndlessReward-v0", 60, environment=TRUNCATED, gamma=0.8, gae_lambda=gae_lambda
    )
    assert values(algorithm, 0.0) == pytest.approx([5.0], abs=0.25)


def test_a_terminated_episode_does_not_go_on_in_its_value() -> None:
    # every fifth step ends the episode and all look alike: V = 1 + 0.8 * 4/5 * V, so V = 1 / 0.36
    algorithm = trained("EndlessReward-v0", 60, environment=TERMINATED, gamma=0.8, gae_lambda=0.0)
    assert values(algorithm, 0.0) == pytest.approx([1.0 / 0.36], abs=0.15)
