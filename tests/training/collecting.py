"""Transitions of several blocks in one piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from axiomrl.config.schema import EnvironmentConfig
from axiomrl.training.environments import Environments, Episode

from . import custom_environments
from .plain_loop import Script

SEED = 5
FIELDS = ("observation", "action", "reward", "terminated", "truncated", "next_observation")
custom_environments.register()


def collected(
    env_id: str, actions: np.ndarray, blocks: Sequence[int], **settings: Any
) -> tuple[dict[str, np.ndarray], list[Episode], Environments]:
    """Transitions of consecutive blocks, put together over time."""
    environments = Environments(
        env_id, EnvironmentConfig(**settings), num_envs=actions.shape[1], seed=SEED
    )
    act, parts, episodes = Script(actions), [], []
    for steps in blocks:
        transitions, ended = environments.collect(act, steps)
        parts.append({name: np.array(getattr(transitions, name)) for name in FIELDS})
        episodes += ended
    whole = {name: np.concatenate([part[name] for part in parts]) for name in FIELDS}
    environments.close()
    return whole, episodes, environments


def random_choices(count: int, steps: int, envs: int) -> np.ndarray:
    return np.random.default_rng(1).integers(count, size=(steps, envs))
