"""Action distributions of policy-gradient methods, with gradients written out.

Each works on NumPy arrays and torch tensors alike. `evaluate` gives log-probabilities and
entropies together with a pullback: a function from the gradients with respect to those two to the
gradients with respect to the network's outputs. Head name: "policy"; free parameter: "log_std".
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np

from axiomrl.training.buffers import Array
from axiomrl.training.networks import Network
from axiomrl.training.spaces import ActionLayout

HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)

# d loss / d log-probability [B], d loss / d entropy of each row -> gradients by output name
Pullback = Callable[[Any, float], dict[str, Any]]


class Evaluated(NamedTuple):
    """What a distribution says of given actions."""

    log_prob: Any  # [B]
    entropy: Any  # [B]
    pullback: Pullback


class Distribution(Protocol):
    """How a policy's outputs become actions, and how likely given actions are."""

    outputs: int  # width of the policy head
    free: dict[str, tuple[int, float]]  # free parameters: name -> (size, initial value)
    features_of: str | None  # the head whose last hidden activations `evaluate` needs, too

    def encode(self, action: Array) -> Array:
        """Actions [B, *shape] in the form `evaluate` takes, float32 [B, E]."""

    def evaluate(self, xp: Any, outputs: Mapping[str, Any], encoded: Any) -> Evaluated:
        """Log-probability and entropy per row, with their pullback."""

    def sampler(
        self, network: Network, rows: int, steps: int, generator: np.random.Generator
    ) -> Callable[[Array], Array]:
        """A function that acts at random for `steps` calls; all noise is drawn now."""

    def stream(
        self, network: Network, rows: int, generator: np.random.Generator
    ) -> Callable[[Array], Array]:
        """A function that acts at random for any number of calls, drawing as it goes."""

    def mode(self, network: Network, rows: int) -> Callable[[Array], Array]:
        """A function that gives the most likely action."""


class Categorical:
    """Independent choices: one (discrete) or several (multi-discrete) softmax groups."""

    features_of: str | None = None

    def __init__(self, sizes: tuple[int, ...], *, is_single: bool) -> None:
        self.outputs = sum(sizes)
        self.free: dict[str, tuple[int, float]] = {}
        self._is_single = is_single
        starts = np.cumsum([0, *sizes])
        self._groups = [slice(int(a), int(b)) for a, b in pairwise(starts)]
        self._starts = starts[:-1]

    def encode(self, action: Array) -> Array:
        """One-hot rows [B, sum of sizes]."""
        columns = action.reshape(len(action), -1) + self._starts
        hot = np.zeros((len(action), self.outputs), dtype=np.float32)
        np.put_along_axis(hot, columns, 1.0, axis=1)
        return hot

    def evaluate(self, xp: Any, outputs: Mapping[str, Any], encoded: Any) -> Evaluated:
        """See Distribution.evaluate."""
        logits = outputs["policy"]
        parts = [_softmax_group(xp, logits[:, group]) for group in self._groups]
        log_prob = entropy = 0.0
        for (_, log_probs, group_entropy), group in zip(parts, self._groups, strict=True):
            log_prob = log_prob + (log_probs * encoded[:, group]).sum(-1)
            entropy = entropy + group_entropy

        def pullback(log_prob_gradient: Any, entropy_gradient: float) -> dict[str, Any]:
            pieces = []
            for (probs, log_probs, group_entropy), group in zip(parts, self._groups, strict=True):
                piece = (encoded[:, group] - probs) * log_prob_gradient[:, None]
                if entropy_gradient:
                    slope = probs * (log_probs + group_entropy[:, None])
                    piece = piece - entropy_gradient * slope
                pieces.append(piece)
            whole = pieces[0] if len(pieces) == 1 else xp.concatenate(pieces, axis=1)
            return {"policy": whole}

        return Evaluated(log_prob, entropy, pullback)

    def sampler(
        self, network: Network, rows: int, steps: int, generator: np.random.Generator
    ) -> Callable[[Array], Array]:
        """Sample by the Gumbel-max trick, noise for the whole block drawn at once."""
        noise = _gumbel(generator, (steps, rows, self.outputs))
        return self._act(network, rows, iter(noise))

    def stream(
        self, network: Network, rows: int, generator: np.random.Generator
    ) -> Callable[[Array], Array]:
        """See Distribution.stream."""
        noise = (_gumbel(generator, (rows, self.outputs)) for _ in itertools.count())
        return self._act(network, rows, noise)

    def _act(self, network: Network, rows: int, noise: Iterator[Array]) -> Callable[[Array], Array]:
        infer = network.row_inference("policy", rows)
        groups = self._groups
        if self._is_single:

            def choose(observation: Array) -> Array:
                logits = infer(observation)
                logits += next(noise)
                choice: Array = logits.argmax(1)
                return choice

            return choose

        def act(observation: Array) -> Array:
            perturbed = infer(observation) + next(noise)
            return np.stack([perturbed[:, group].argmax(1) for group in groups], axis=1)

        return act

    def mode(self, network: Network, rows: int) -> Callable[[Array], Array]:
        """See Distribution.mode."""
        infer = network.row_inference("policy", rows)
        groups = self._groups
        if self._is_single:
            return lambda observation: infer(observation).argmax(1)

        def act(observation: Array) -> Array:
            logits = infer(observation)
            return np.stack([logits[:, group].argmax(1) for group in groups], axis=1)

        return act


def _gumbel(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Standard Gumbel noise. One exponential draw in six million is 0: there it is infinite."""
    with np.errstate(divide="ignore"):
        return -np.log(generator.standard_exponential(shape, dtype=np.float32))


def _softmax_group(xp: Any, logits: Any) -> tuple[Any, Any, Any]:
    """Probabilities [B, A], log-probabilities [B, A] and entropy [B] of one group of logits."""
    shifted = logits - xp.amax(logits, 1)[:, None]
    exponentials = xp.exp(shifted)
    total = exponentials.sum(-1)[:, None]
    log_probs = shifted - xp.log(total)
    probs = exponentials / total
    return probs, log_probs, -(probs * log_probs).sum(-1)


class DiagonalGaussian:
    """A normal distribution per action dimension; the deviation does not depend on the state."""

    features_of: str | None = None

    def __init__(self, size: int, log_std_init: float) -> None:
        self.outputs = size
        self.free = {"log_std": (size, log_std_init)}

    def encode(self, action: Array) -> Array:
        """The actions themselves."""
        return action.astype(np.float32, copy=False)

    def evaluate(self, xp: Any, outputs: Mapping[str, Any], encoded: Any) -> Evaluated:
        """See Distribution.evaluate; densities are those of the unclipped action."""
        mean, log_std = outputs["policy"], outputs["log_std"]
        inverse = xp.exp(-log_std)
        z = (encoded - mean) * inverse
        squares = z * z
        constant = log_std.sum() + HALF_LOG_TWO_PI * self.outputs
        log_prob = -0.5 * squares.sum(-1) - constant
        entropy = xp.zeros_like(log_prob) + (constant + 0.5 * self.outputs)

        def pullback(log_prob_gradient: Any, entropy_gradient: float) -> dict[str, Any]:
            per_row = log_prob_gradient[:, None]
            log_std_gradient = ((squares - 1.0) * per_row).sum(0)
            return {
                "policy": z * inverse * per_row,
                "log_std": log_std_gradient + entropy_gradient * len(mean),
            }

        return Evaluated(log_prob, entropy, pullback)

    def sampler(
        self, network: Network, rows: int, steps: int, generator: np.random.Generator
    ) -> Callable[[Array], Array]:
        """Sample mean + deviation times noise, noise for the whole block drawn at once."""
        infer = network.row_inference("policy", rows)
        shape = (steps, rows, self.outputs)
        log_std = network.free_parameter("log_std")
        noise = generator.standard_normal(shape, dtype=np.float32) * np.exp(log_std)
        draws = iter(noise)
        return lambda observation: infer(observation) + next(draws)

    def stream(
        self, network: Network, rows: int, generator: np.random.Generator
    ) -> Callable[[Array], Array]:
        """See Distribution.stream."""
        infer = network.row_inference("policy", rows)
        deviation = np.exp(network.free_parameter("log_std"))
        shape = (rows, self.outputs)

        def act(observation: Array) -> Array:
            noise = generator.standard_normal(shape, dtype=np.float32)
            return infer(observation) + noise * deviation

        return act

    def mode(self, network: Network, rows: int) -> Callable[[Array], Array]:
        """The mean; a copy, since inference reuses its buffer."""
        infer = network.row_inference("policy", rows)
        return lambda observation: infer(observation).copy()


def action_distribution(actions: ActionLayout, *, log_std_init: float) -> Distribution:
    """The distribution that fits an action space."""
    if actions.kind == "box":
        return DiagonalGaussian(actions.sizes[0], log_std_init)
    return Categorical(actions.sizes, is_single=actions.kind == "discrete")
