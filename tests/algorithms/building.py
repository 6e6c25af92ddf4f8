"""Algorithms without a run around them, and the numbers inside their saved states."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from axiomrl.algorithms.ppo import PPO, PPOConfig
from axiomrl.algorithms.protocol import AlgorithmContext, Progress
from axiomrl.training.environments import Environments, Transitions
from axiomrl.training.spaces import action_layout, observation_layout

ENGINES = ("mlp", "torch")
START = Progress(env_steps=0, fraction=0.0, will_log=True)


def context_of(
    observation_space: Any, action_space: Any, *, engine: str, envs: int, seed: int = 0
) -> AlgorithmContext:
    return AlgorithmContext(
        observations=observation_layout(observation_space, "Test-v0"),
        actions=action_layout(action_space, "Test-v0"),
        num_envs=envs,
        normalizer=None,
        engine=engine,
        device="cpu",
        seed=seed,
    )


def context_for(environments: Environments, *, engine: str, seed: int) -> AlgorithmContext:
    return AlgorithmContext(
        observations=environments.observations,
        actions=environments.actions,
        num_envs=environments.num_envs,
        normalizer=environments.normalizer,
        engine=engine,
        device="cpu",
        seed=seed,
    )


OBSERVATION_SIZE = 3
ACTION_SPACES: dict[str, Any] = {
    "discrete": spaces.Discrete(4),
    "multi_discrete": spaces.MultiDiscrete([3, 2]),
    "box": spaces.Box(-1.0, 1.0, (2,)),
}


def ppo(kind: str, engine: str, *, envs: int = 2, seed: int = 0, **settings: Any) -> PPO:
    """PPO for three observed numbers and one of the action spaces above."""
    observation_space = spaces.Box(-np.inf, np.inf, (OBSERVATION_SIZE,))
    context = context_of(
        observation_space, ACTION_SPACES[kind], engine=engine, envs=envs, seed=seed
    )
    return PPO(PPOConfig(**settings), context)


def rollout(kind: str, steps: int, envs: int = 2, seed: int = 0) -> Transitions:
    """Random transitions that keep what holds of real ones: each step starts where the last led."""
    generator = np.random.default_rng(seed)
    terminated = generator.random((steps, envs)) < 0.1
    truncated = (generator.random((steps, envs)) < 0.1) & ~terminated
    shape = (steps, envs, OBSERVATION_SIZE)
    observation, elsewhere = generator.normal(0.0, 1.0, (2, *shape)).astype(np.float32)
    following = elsewhere.copy()
    following[:-1] = observation[1:]
    ended = terminated | truncated
    following[ended] = elsewhere[ended]
    action: np.ndarray
    if kind == "box":
        action = generator.normal(0.0, 1.0, (steps, envs, 2)).astype(np.float32)
    elif kind == "discrete":
        action = generator.integers(4, size=(steps, envs))
    else:
        action = generator.integers([3, 2], size=(steps, envs, 2))
    return Transitions(
        observation=observation,
        action=action,
        reward=generator.normal(0.0, 2.0, (steps, envs)).astype(np.float32),
        terminated=terminated,
        truncated=truncated,
        next_observation=following,
        raw_observation=observation,
        raw_next_observation=following,
    )


def tensors_of(state: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The network's parameters in a saved state, as float64 copies by name."""
    return {
        name: torch.as_tensor(np.asarray(value), dtype=torch.float64).clone()
        for name, value in state["network"].items()
    }


def bits(value: Any) -> Any:
    """A state with every array and tensor as its bytes."""
    if isinstance(value, dict):
        return {key: bits(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [bits(item) for item in value]
    return np.asarray(value).tobytes() if hasattr(value, "shape") else value
