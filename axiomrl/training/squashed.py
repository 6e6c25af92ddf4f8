"""Policies for soft actor-critic: Gaussians squashed by tanh to ±1, with gradients written out.

Each works on NumPy arrays and torch tensors alike. `draw` gives actions and log-probabilities
together with a pullback: a function from dQ/da to the gradients of mean(alpha · log pi - Q) with
respect to the actor's outputs. Head name: "policy".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from axiomrl.training.buffers import Array
from axiomrl.training.networks import Network

HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)
LOG_TWO = math.log(2.0)
LOG_STD_MIN, LOG_STD_MAX = -20.0, 2.0  # bounds of the actor's log standard deviation

Act = Callable[[Array], Array]


class Drawn(NamedTuple):
    """Actions drawn from a squashed policy."""

    action: Any  # [B, A] within ±1
    log_prob: Any  # [B]
    pullback: Callable[[Any, float], dict[str, Any]]  # (dQ/da [B, A], alpha) -> by output name


class SquashedPolicy(Protocol):
    """How an actor's outputs become actions within ±1."""

    outputs: int  # width of the policy head
    free: dict[str, tuple[int, float]]  # free parameters: name -> (size, initial value)
    features_of: str | None  # the head whose features it needs, too

    def noise(self, generator: np.random.Generator, rows: int) -> tuple[Array, Array]:
        """What two draws of `rows` actions need: at s, and at s'."""

    def draw(self, xp: Any, outputs: dict[str, Any], noise: Any) -> Drawn:
        """Actions for a batch, and how likely they are."""

    def explorer(
        self, network: Network, rows: int, steps: int, generator: np.random.Generator
    ) -> Act:
        """A function that acts at random for `steps` calls."""

    def stream(self, network: Network, rows: int, generator: np.random.Generator) -> Act:
        """A function that acts at random for any number of calls."""

    def mode(self, network: Network, rows: int) -> Act:
        """A function that gives the squashed mean."""


class SquashedGaussian:
    """A Gaussian per action dimension; mean and deviation depend on the state.

    The policy head gives means, then log deviations (Haarnoja et al. 2018, appendix C).
    """

    features_of: str | None = None

    def __init__(self, size: int) -> None:
        self._size = size
        self.outputs = 2 * size
        self.free: dict[str, tuple[int, float]] = {}

    def noise(self, generator: np.random.Generator, rows: int) -> tuple[Array, Array]:
        """Standard normal [B, A], twice."""
        pair = generator.standard_normal((2, rows, self._size), dtype=np.float32)
        return pair[0], pair[1]

    def draw(self, xp: Any, outputs: dict[str, Any], noise: Any) -> Drawn:
        """Actions tanh(u), u = mean + deviation · noise, and their log-probabilities."""
        policy, size = outputs["policy"], self._size
        mean, raw = policy[:, :size], policy[:, size:]
        log_std = raw.clip(LOG_STD_MIN, LOG_STD_MAX)
        shift = xp.exp(log_std) * noise
        u = mean + shift
        gaussian = -0.5 * noise * noise - log_std - HALF_LOG_TWO_PI
        is_free = (raw == log_std) * np.float32(1.0)  # 1 where the deviation was not clipped
        action = xp.tanh(u)
        rows = len(action)

        def pullback(q_gradient: Any, alpha: float) -> dict[str, Any]:
            # d log pi / du = 2 tanh(u); through the deviation, the Gaussian part adds -1
            through_u = (2.0 * alpha * action - q_gradient * (1.0 - action * action)) / rows
            through_log_std = (through_u * shift - alpha / rows) * is_free
            return {"policy": xp.concatenate([through_u, through_log_std], axis=1)}

        return Drawn(action, (gaussian - squashing(xp, u)).sum(1), pullback)

    def explorer(
        self, network: Network, rows: int, steps: int, generator: np.random.Generator
    ) -> Act:
        """See SquashedPolicy.explorer; noise for the whole block is drawn at once."""
        noise = generator.standard_normal((steps, rows, self._size), dtype=np.float32)
        return self._sampling(network, rows, iter(noise))

    def stream(self, network: Network, rows: int, generator: np.random.Generator) -> Act:
        """See SquashedPolicy.stream."""
        shape = (rows, self._size)

        def draws() -> Iterator[Array]:
            while True:
                yield generator.standard_normal(shape, dtype=np.float32)

        return self._sampling(network, rows, draws())

    def _sampling(self, network: Network, rows: int, noise: Iterator[Array]) -> Act:
        infer, size = network.row_inference("policy", rows), self._size

        def act(observation: Array) -> Array:
            outputs = infer(observation)
            log_std = np.minimum(np.maximum(outputs[:, size:], LOG_STD_MIN), LOG_STD_MAX)
            action: Array = np.tanh(outputs[:, :size] + np.exp(log_std) * next(noise))
            return action

        return act

    def mode(self, network: Network, rows: int) -> Act:
        """See SquashedPolicy.mode."""
        infer, size = network.row_inference("policy", rows), self._size
        return lambda observation: np.tanh(infer(observation)[:, :size])


def squashing(xp: Any, u: Any) -> Any:
    """log(1 - tanh(u)^2), by which squashing stretches densities (Haarnoja et al. 2018, eq. 26).

    Computed as 2 (log 2 - u - softplus(-2u)), which stays exact where tanh saturates.
    """
    size = abs(u)
    # softplus(-2u) = max(-2u, 0) + log1p(exp(-2|u|)); with the max, -u - softplus(-2u) = -|u| - …
    return 2.0 * (LOG_TWO - size - xp.log1p(xp.exp(-2.0 * size)))
