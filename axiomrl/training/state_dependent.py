"""Generalized state-dependent exploration (Raffin et al. 2021, arXiv:2005.05719): gSDE.

The noise of an action is a linear function of the policy's last hidden features z [B, H]:
noise = z @ (sigma ∘ epsilon), epsilon [H, A] standard normal and kept for several steps, so that
exploration is smooth and consistent where white noise would cancel itself out. Over epsilon the
action is Gaussian with variance z² @ sigma², which is what log-probabilities are made of.

`log sigma` is a free parameter of H · A numbers. epsilon is drawn anew at the start of every block
of steps and, if `every` is not 0, after so many steps within it; no epsilon outlives a block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from axiomrl.errors import ConfigError
from axiomrl.training.buffers import Array
from axiomrl.training.distributions import HALF_LOG_TWO_PI, Evaluated
from axiomrl.training.networks import Network
from axiomrl.training.spaces import ActionLayout
from axiomrl.training.squashed import Act, Drawn, squashing

VARIANCE_FLOOR = 1e-6  # added to the variance, as in Stable-Baselines3
MEAN_LIMIT = 2.0  # means beyond ±2 are clipped before squashing, as in Stable-Baselines3
NOISE_LOG_STD = "noise_log_std"  # the free parameter


class _StateDependentNoise:
    """What both policies share: the parameter, the variance, and acting with kept noise.

    `features` is the width of the policy's last hidden layer. Raises ConfigError for actions that
    are not continuous.
    """

    features_of: str | None = "policy"

    def __init__(
        self, actions: ActionLayout, features: int, *, log_std_init: float, every: int
    ) -> None:
        if actions.kind != "box":
            raise ConfigError(
                "hyperparameters.gsde: state-dependent exploration is for continuous actions",
                hint="set it to false",
            )
        size = actions.sizes[0]
        self._size = size
        self._features = features
        self._every = every
        self.outputs = size
        self.free = {NOISE_LOG_STD: (features * size, log_std_init)}

    def _sigma(self, xp: Any, log_std: Any) -> Any:
        """Sigma [H, A]."""
        return xp.exp(log_std).reshape(self._features, self._size)

    def _acting(
        self,
        network: Network,
        rows: int,
        generator: np.random.Generator,
        every: int,
        finish: Callable[[Array, Array], Array],
    ) -> Act:
        """Actions finish(mean, noise); each row has an epsilon of its own, kept `every` steps."""
        infer = network.row_inference_with_features("policy", rows)
        sigma = self._sigma(np, network.free_parameter(NOISE_LOG_STD))
        shape = (rows, self._features, self._size)
        taken = 0
        kept: Array = np.zeros(0)

        def act(observation: Array) -> Array:
            nonlocal taken, kept
            if taken == 0 or (every > 0 and taken % every == 0):
                kept = sigma * generator.standard_normal(shape, dtype=np.float32)
            taken += 1
            mean, features = infer(observation)
            return finish(mean, np.matmul(features[:, None, :], kept)[:, 0, :])

        return act


class StateDependentGaussian(_StateDependentNoise):
    """A Distribution for policy-gradient methods; the noise does not teach the features."""

    def encode(self, action: Array) -> Array:
        """The actions themselves."""
        return action.astype(np.float32, copy=False)

    def evaluate(self, xp: Any, outputs: Mapping[str, Any], encoded: Any) -> Evaluated:
        """See Distribution.evaluate; densities are those of the unclipped action."""
        mean, features = outputs["policy"], outputs["features"]
        sigma = self._sigma(xp, outputs[NOISE_LOG_STD])
        squares = features * features
        variance = squares @ (sigma * sigma) + VARIANCE_FLOOR  # [B, A]
        error = encoded - mean
        log_std = 0.5 * xp.log(variance)
        log_prob = (-0.5 * error * error / variance - log_std - HALF_LOG_TWO_PI).sum(1)
        entropy = (log_std + (0.5 + HALF_LOG_TWO_PI)).sum(1)

        def pullback(log_prob_gradient: Any, entropy_gradient: float) -> dict[str, Any]:
            per_row = log_prob_gradient[:, None]
            by_variance = 0.5 * (error * error / variance - 1.0) / variance * per_row
            by_variance = by_variance + 0.5 * entropy_gradient / variance
            return {
                "policy": error / variance * per_row,
                NOISE_LOG_STD: (2.0 * sigma * sigma * (squares.T @ by_variance)).reshape(-1),
            }

        return Evaluated(log_prob, entropy, pullback)

    def sampler(
        self, network: Network, rows: int, steps: int, generator: np.random.Generator
    ) -> Act:
        """See Distribution.sampler; the last noise is drawn within the block."""
        return self._acting(network, rows, generator, self._every, np.add)

    def stream(self, network: Network, rows: int, generator: np.random.Generator) -> Act:
        """See Distribution.stream; new noise at every step, which no order of rows can disturb."""
        return self._acting(network, rows, generator, 1, np.add)

    def mode(self, network: Network, rows: int) -> Act:
        """The mean; a copy, since inference reuses its buffer."""
        infer = network.row_inference("policy", rows)
        return lambda observation: infer(observation).copy()


class SquashedStateDependent(_StateDependentNoise):
    """A SquashedPolicy; here the features learn from the noise, too.

    A clipped mean still learns in the direction that leads back within the limit. With no gradient
    at all, as clipping has it, a policy whose means are beyond it in every state could never leave.
    """

    def noise(self, generator: np.random.Generator, rows: int) -> tuple[Array, Array]:
        """One epsilon [H, A] for the whole batch, at s and at s' (as Stable-Baselines3 has it)."""
        epsilon = generator.standard_normal((self._features, self._size), dtype=np.float32)
        return epsilon, epsilon

    def draw(self, xp: Any, outputs: dict[str, Any], noise: Any) -> Drawn:
        """Actions tanh(u), u = clipped mean + z @ (sigma ∘ epsilon)."""
        raw, features = outputs["policy"], outputs["features"]
        mean = raw.clip(-MEAN_LIMIT, MEAN_LIMIT)
        sigma = self._sigma(xp, outputs[NOISE_LOG_STD])
        matrix = sigma * noise
        squares = features * features
        variance = squares @ (sigma * sigma) + VARIANCE_FLOOR  # [B, A]
        shift = features @ matrix
        u = mean + shift
        gaussian = -0.5 * shift * shift / variance - 0.5 * xp.log(variance) - HALF_LOG_TWO_PI
        is_free = raw == mean
        action = xp.tanh(u)
        rows = len(action)

        def pullback(q_gradient: Any, alpha: float) -> dict[str, Any]:
            share = alpha / rows
            through_u = (2.0 * alpha * action - q_gradient * (1.0 - action * action)) / rows
            leads_back = raw * through_u > 0.0  # for a step against the gradient
            by_shift = through_u - share * shift / variance
            by_variance = 0.5 * share * (shift * shift / variance - 1.0) / variance
            by_sigma = noise * (features.T @ by_shift) + 2.0 * sigma * (squares.T @ by_variance)
            by_features = by_shift @ matrix.T + 2.0 * features * (by_variance @ (sigma * sigma).T)
            return {
                "policy": through_u * (is_free | leads_back),
                "features": by_features,
                NOISE_LOG_STD: (sigma * by_sigma).reshape(-1),
            }

        return Drawn(action, (gaussian - squashing(xp, u)).sum(1), pullback)

    def explorer(
        self, network: Network, rows: int, steps: int, generator: np.random.Generator
    ) -> Act:
        """See SquashedPolicy.explorer."""
        return self._acting(network, rows, generator, self._every, _squashed_sum)

    def stream(self, network: Network, rows: int, generator: np.random.Generator) -> Act:
        """See SquashedPolicy.stream; new noise at every step."""
        return self._acting(network, rows, generator, 1, _squashed_sum)

    def mode(self, network: Network, rows: int) -> Act:
        """See SquashedPolicy.mode."""
        infer = network.row_inference("policy", rows)
        return lambda observation: _squashed_sum(infer(observation), np.float32(0.0))


def _squashed_sum(mean: Array, noise: Any) -> Array:
    action: Array = np.tanh(np.minimum(np.maximum(mean, -MEAN_LIMIT), MEAN_LIMIT) + noise)
    return action
