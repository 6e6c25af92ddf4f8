"""What the tests of off-policy algorithms share: stepping, float64 networks, draws to come."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from axiomrl.algorithms.protocol import Progress
from axiomrl.training import checkpoints
from axiomrl.training.environments import Environments
from axiomrl.training.network_layout import NetworkSpec, ParameterLayout

from .building import bits

ADAM_SHARE = 0.1  # 1 - beta1: after one step, Adam's mean is this share of the gradient
ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "elu": torch.nn.functional.elu}


class Learner:
    """An algorithm with its environments, stepped as the training loop steps it."""

    def __init__(self, algorithm: Any, environments: Environments) -> None:
        self.algorithm = algorithm
        self.environments = environments
        self.env_steps = 0

    def blocks(self, count: int, *, total: int = 1000, will_log: bool = True) -> list[Any]:
        """What happened in so many blocks: transitions as bytes, and metrics."""
        algorithm, steps, happened = self.algorithm, self.algorithm.steps_per_update, []
        for _ in range(count):
            fraction = min(self.env_steps / total, 1.0)
            act = algorithm.explorer(steps, Progress(self.env_steps, fraction, False))
            transitions, _ = self.environments.collect(act, steps)
            self.env_steps += steps * self.environments.num_envs
            algorithm.observe(transitions)
            metrics = algorithm.update(Progress(self.env_steps, fraction, will_log))
            seen = (transitions.observation, transitions.action, transitions.reward)
            happened.append((bits(seen), metrics))
        return happened

    def train(self, env_steps: int) -> None:
        """A whole training of so many env steps."""
        while self.env_steps < env_steps:
            self.blocks(1, total=env_steps, will_log=False)

    def state(self) -> dict[str, Any]:
        replay = self.algorithm.replay
        return {
            "algorithm": self.algorithm.state_dict(),
            "environments": self.environments.state_dict(),
            "rows": replay.between(replay.count - replay.size, replay.count).tobytes(),
        }

    def continue_from(self, other: Learner, path: Path) -> None:
        """Take over another learner's state through a checkpoint file, its rows in memory."""
        mine, kept = self.algorithm.replay, other.algorithm.replay
        rest = dict.fromkeys(("algo", "env_id", "counters", "positions"))
        checkpoints.save(path, {**rest, **other.state(), "rows": None})
        loaded = checkpoints.load(path)
        self.env_steps = other.env_steps
        self.algorithm.load_state_dict(loaded["algorithm"])
        self.environments.load_state_dict(loaded["environments"])
        start = kept.count - kept.size
        mine.restore(start, kept.between(start, kept.count))


def move_parameters(algorithm: Any, names: Sequence[str], *, seed: int, distance: float) -> None:
    """Add noise to every parameter of some networks, by way of the saved state."""
    generator = np.random.default_rng(seed)
    state = copy.deepcopy(algorithm.state_dict())
    for network in names:
        state[network] = {
            name: np.asarray(value)
            + generator.normal(0.0, distance, tuple(value.shape)).astype(np.float32)
            for name, value in state[network].items()
        }
    algorithm.load_state_dict(state)


def generator_of(state: Any) -> np.random.Generator:
    """A generator that will draw what the saved one will draw."""
    generator = np.random.default_rng()
    generator.bit_generator.state = copy.deepcopy(state)
    return generator


def uniform_places(algorithm: Any, rows: int) -> np.ndarray:
    """The places of the next batch of an algorithm that samples uniformly."""
    generator = generator_of(algorithm.state_dict()["sampler"]["generator"])
    places: np.ndarray = generator.integers(algorithm.replay.size, size=(1, rows))[0]
    return places


# Networks in float64


def leaves(tensors: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The parameters in a saved state as float64 leaves, copied."""
    return {
        name: torch.tensor(np.asarray(value), dtype=torch.float64).requires_grad_()
        for name, value in tensors.items()
    }


def run(
    named: Mapping[str, torch.Tensor], head: str, inputs: torch.Tensor, activation: str = "relu"
) -> torch.Tensor:
    """One head's output; every layer of the trunk is followed by the activation."""
    hidden, index = inputs, 0
    while f"trunk.{index}.weight" in named:
        hidden = hidden @ named[f"trunk.{index}.weight"].T + named[f"trunk.{index}.bias"]
        hidden, index = ACTIVATIONS[activation](hidden), index + 1
    index = 0
    while f"{head}.{index}.weight" in named:
        if index > 0:
            hidden = ACTIVATIONS[activation](hidden)
        hidden = hidden @ named[f"{head}.{index}.weight"].T + named[f"{head}.{index}.bias"]
        index += 1
    return hidden


def gradients_of(loss: torch.Tensor, named: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    found = torch.autograd.grad(loss, list(named.values()))
    return {name: value.numpy() for name, value in zip(named, found, strict=True)}


def gradient_taken(spec: NetworkSpec, optimizer: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The gradient of the only step that an optimizer has taken, by parameter."""
    assert optimizer["step"] == 1
    named = ParameterLayout(spec).tensors(np.asarray(optimizer["mean"]))
    return {name: value.astype(np.float64) / ADAM_SHARE for name, value in named.items()}


def require_close(
    actual: Mapping[str, np.ndarray], expected: Mapping[str, Any], *, relative: float = 1e-5
) -> None:
    """Equal by parameter, up to a share of the largest number of all."""
    assert set(actual) == set(expected)
    largest = max(float(np.abs(value).max()) for value in expected.values())
    assert largest > 0.0
    for name, value in expected.items():
        np.testing.assert_allclose(
            actual[name], value, rtol=2 * relative, atol=relative * largest, err_msg=name
        )
