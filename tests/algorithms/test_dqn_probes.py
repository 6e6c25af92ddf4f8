"""DQN learns what there is to learn where the answer is known exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from axiomrl.algorithms.dqn import DQN, DQNConfig
from axiomrl.config.schema import EnvironmentConfig, Schedule
from axiomrl.training.environments import Environments

from . import probe_environments
from .building import context_for
from .off_policy import Learner, leaves, run

probe_environments.register()
GAMMA = 0.5
QUICK: dict[str, Any] = {
    "buffer_size": 2000,
    "batch_size": 32,
    "learning_starts": 50,
    "train_every": 4,
    "gradient_steps": 2,
    "target_update_every": 40,
    "learning_rate": 5e-3,
    "gamma": GAMMA,
    "epsilon": Schedule(start=1.0, end=0.1, until=0.5),
    "hidden_sizes": (16, 16),
}


def trained(
    env_id: str,
    env_steps: int,
    *,
    engine: str = "mlp",
    environment: dict[str, Any] | None = None,
    **settings: Any,
) -> DQN:
    environments = Environments(
        env_id, EnvironmentConfig(**(environment or {})), num_envs=2, seed=0
    )
    context = context_for(environments, engine=engine, seed=0)
    algorithm = DQN(DQNConfig(**{**QUICK, **settings}), context)
    Learner(algorithm, environments).train(env_steps)
    return algorithm


def values(algorithm: DQN, *observations: float) -> np.ndarray:
    """Q [observations, actions], computed from the saved parameters."""
    named = leaves(algorithm.state_dict()["network"])
    seen = torch.tensor(observations, dtype=torch.float64)[:, None]
    if "q.0.weight" in named:
        return run(named, "q", seen).detach().numpy()
    advantage = run(named, "advantage", seen)
    q = run(named, "value", seen) + advantage - advantage.mean(dim=1, keepdim=True)
    return q.detach().numpy()


def actions(algorithm: DQN, *observations: float) -> list[int]:
    act = algorithm.policy(
        len(observations), deterministic=True, generator=np.random.default_rng(0)
    )
    chosen: list[int] = act(np.array(observations, dtype=np.float32)[:, None]).tolist()
    return chosen


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "squared": {"loss": "squared"},
    "polyak": {"target_update_every": 1, "tau": 0.05},
    "everything": {"double": True, "dueling": True, "n_step": 3, "prioritized": True},
}
every_variant = pytest.mark.parametrize("settings", VARIANTS.values(), ids=list(VARIANTS))


@every_variant
@pytest.mark.parametrize("engine", ["mlp", "torch"])
def test_the_action_depends_on_the_observation(engine: str, settings: dict[str, Any]) -> None:
    algorithm = trained("MatchingAction-v0", 600, engine=engine, **settings)
    assert actions(algorithm, -1.0, 1.0) == [0, 1]
    np.testing.assert_allclose(values(algorithm, -1.0, 1.0), [[1, -1], [-1, 1]], atol=0.1)


@every_variant
def test_a_later_reward_is_discounted(settings: dict[str, Any]) -> None:
    # 1 for the second step of two
    algorithm = trained("DelayedReward-v0", 2000, **settings)
    expected = [[GAMMA] * 2, [1.0] * 2]
    np.testing.assert_allclose(values(algorithm, 0.0, 1.0), expected, atol=0.1)


@every_variant
def test_a_truncated_episode_goes_on_in_its_value(settings: dict[str, Any]) -> None:
    # reward 1 for ever: 1 / (1 - 0.5) = 2, however often the episode is cut off
    algorithm = trained("EndlessReward-v0", 1500, environment={"max_episode_steps": 3}, **settings)
    np.testing.assert_allclose(values(algorithm, 0.0), [[2.0] * 2], atol=0.1)


@pytest.mark.parametrize(("n_step", "value"), [(1, 3 / 2), (3, 17 / 12)])
def test_a_terminated_episode_does_not_go_on_in_its_value(n_step: int, value: float) -> None:
    # episodes of three steps that all look alike. One step: V = 1 + 2/3 * V/2, so V = 3/2.
    # Three: starts 1, 2 and 3 all reach the end, with 1.75, 1.5 and 1: on average 17/12
    algorithm = trained(
        "EndlessReward-v0",
        2500,
        environment={"kwargs": {"length": 3}},
        n_step=n_step,
        loss="squared",
        learning_rate=Schedule(start=5e-3, end=1e-4),
    )
    np.testing.assert_allclose(values(algorithm, 0.0), [[value] * 2], atol=0.03)
