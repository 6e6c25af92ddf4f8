"""SAC learns what there is to learn where the answer is known exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from axiomrl.algorithms.sac import SAC, SACConfig
from axiomrl.config.schema import EnvironmentConfig
from axiomrl.training.environments import Environments

from . import probe_environments
from .building import ENGINES, context_for
from .off_policy import Learner

probe_environments.register()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("settings", [{}, {"entropy_coef": 0.01, "n_step": 3}])
def test_a_continuous_action_moves_to_the_best_number(
    settings: dict[str, Any], engine: str
) -> None:
    environments = Environments(
        "MatchingTarget-v0",
        EnvironmentConfig(),
        num_envs=2,
        seed=0,
        action_transform=SAC.action_transform,
    )
    values = {
        "buffer_size": 500,
        "batch_size": 64,
        "learning_rate": 1e-2,
        "learning_starts": 60,
        "train_every": 2,
        "gradient_steps": 1,
        "tau": 0.05,
        "hidden_sizes": (24, 24),
        "entropy_coef_init": 0.1,
        **settings,
    }
    algorithm = SAC(SACConfig(**values), context_for(environments, engine=engine, seed=0))
    Learner(algorithm, environments).train(1200)
    act = algorithm.policy(2, deterministic=True, generator=np.random.default_rng(0))
    found = act(np.array([[-1.0], [1.0]], dtype=np.float32))
    np.testing.assert_allclose(found, [[-0.5], [0.5]], atol=0.15)
