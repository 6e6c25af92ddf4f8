"""Action distributions against torch.distributions in float64, and their samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from axiomrl.training.distributions import (
    Categorical,
    DiagonalGaussian,
    Distribution,
    action_distribution,
)
from axiomrl.training.network_layout import NetworkSpec
from axiomrl.training.networks import Network, build_network
from axiomrl.training.spaces import action_layout

distributions: Any = torch.distributions  # whose methods are not annotated
ENGINES = ("mlp", "torch")
ROWS = 11
SIZES = (3, 2, 4)  # of the multi-discrete cases


def network_for(distribution: Distribution, engine: str = "mlp") -> Network:
    """A network without hidden layers, observations [B, 2], with outputs far from equal."""
    spec = NetworkSpec(
        observation_size=2,
        hidden_sizes=(),
        activation="tanh",
        heads={"policy": distribution.outputs},
        head_gains={"policy": 1.0},
        free=distribution.free,
    )
    network = build_network(spec, engine, "cpu", np.random.default_rng(5))
    network.load_tensors(
        {
            name: np.random.default_rng(6).normal(0.0, 0.7, tuple(t.shape)).astype(np.float32)
            for name, t in network.tensors().items()
        }
    )
    return network


def logits_of(network: Network, observation: np.ndarray) -> Any:
    output = network.output("policy", network.asarray(observation))
    return torch.as_tensor(np.asarray(output), dtype=torch.float64)


def arrays(engine: str, *values: np.ndarray) -> list[Any]:
    return [torch.from_numpy(value) if engine == "torch" else value for value in values]


class Reference:
    """log-probability, entropy and gradients as torch.distributions and autograd see them."""

    def __init__(self, outputs: dict[str, np.ndarray]) -> None:
        self.leaves: dict[str, Any] = {
            name: torch.tensor(value, dtype=torch.float64, requires_grad=True)
            for name, value in outputs.items()
        }

    def categorical(self, action: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = torch.from_numpy(action)
        if action.ndim == 1:
            whole = distributions.Categorical(logits=self.leaves["policy"])
            return whole.log_prob(chosen), whole.entropy()
        groups = [
            distributions.Categorical(logits=part)
            for part in self.leaves["policy"].split(SIZES, dim=1)
        ]
        log_probs = [group.log_prob(chosen[:, k]) for k, group in enumerate(groups)]
        return torch.stack(log_probs).sum(0), torch.stack([g.entropy() for g in groups]).sum(0)

    def normal(self, action: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        normal = distributions.Normal(self.leaves["policy"], self.leaves["log_std"].exp())
        independent = distributions.Independent(normal, 1)
        return independent.log_prob(torch.from_numpy(action).double()), independent.entropy()


Case = tuple[Distribution, dict[str, np.ndarray], np.ndarray]


def discrete_case(generator: np.random.Generator) -> Case:
    logits = generator.normal(0.0, 3.0, (ROWS, 4)).astype(np.float32)
    return Categorical((4,), is_single=True), {"policy": logits}, generator.integers(4, size=ROWS)


def multi_discrete_case(generator: np.random.Generator) -> Case:
    logits = generator.normal(0.0, 3.0, (ROWS, sum(SIZES))).astype(np.float32)
    action = np.stack([generator.integers(size, size=ROWS) for size in SIZES], axis=1)
    return Categorical(SIZES, is_single=False), {"policy": logits}, action


def box_case(generator: np.random.Generator) -> Case:
    mean = generator.normal(0.0, 1.0, (ROWS, 3)).astype(np.float32)
    log_std = generator.normal(-0.5, 0.5, 3).astype(np.float32)
    action = generator.normal(0.0, 2.0, (ROWS, 3)).astype(np.float32)
    return DiagonalGaussian(3, 0.0), {"policy": mean, "log_std": log_std}, action


CASES = {"discrete": discrete_case, "multi_discrete": multi_discrete_case, "box": box_case}


@pytest.mark.parametrize("entropy_weight", [0.0, -0.3])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_log_prob_entropy_and_gradients_equal_torch_distributions(
    make: Callable[[np.random.Generator], Case], engine: str, entropy_weight: float
) -> None:
    generator = np.random.default_rng(7)
    distribution, outputs, action = make(generator)
    upstream = generator.normal(0.0, 1.0, ROWS).astype(np.float32)
    reference = Reference(outputs)
    how = reference.normal if "log_std" in outputs else reference.categorical
    expected_log_prob, expected_entropy = how(action)
    total = (expected_log_prob * torch.from_numpy(upstream)).sum()
    (total + entropy_weight * expected_entropy.sum()).backward()  # type: ignore[no-untyped-call]

    xp = torch if engine == "torch" else np
    values = dict(zip(outputs, arrays(engine, *outputs.values()), strict=True))
    encoded, weights = arrays(engine, distribution.encode(action), upstream)
    evaluated = distribution.evaluate(xp, values, encoded)
    gradients = evaluated.pullback(weights, entropy_weight)

    assert np.shape(evaluated.log_prob) == np.shape(evaluated.entropy) == (ROWS,)
    np.testing.assert_allclose(evaluated.log_prob, expected_log_prob.detach(), rtol=2e-6, atol=1e-6)
    np.testing.assert_allclose(evaluated.entropy, expected_entropy.detach(), rtol=5e-6, atol=1e-6)
    assert set(gradients) == set(outputs)
    for name, leaf in reference.leaves.items():
        assert leaf.grad is not None
        scale = float(leaf.grad.abs().max())
        np.testing.assert_allclose(np.asarray(gradients[name]), leaf.grad, atol=2e-6 * scale)


@pytest.mark.parametrize("engine", ENGINES)
def test_extreme_logits_stay_finite(engine: str) -> None:
    distribution = Categorical((3,), is_single=True)
    logits = np.array([[1e4, 0.0, -1e4], [-1e4, -1e4, -1e4]], dtype=np.float32)
    values, encoded, ones = arrays(
        engine, logits, distribution.encode(np.array([0, 1])), np.ones(2, dtype=np.float32)
    )
    xp = torch if engine == "torch" else np
    evaluated = distribution.evaluate(xp, {"policy": values}, encoded)
    np.testing.assert_allclose(evaluated.log_prob, [0.0, -math.log(3.0)], atol=1e-6)
    np.testing.assert_allclose(evaluated.entropy, [0.0, math.log(3.0)], atol=1e-6)
    assert np.isfinite(np.asarray(evaluated.pullback(ones, 1.0)["policy"])).all()


def test_the_entropy_of_a_normal_is_the_textbook_one() -> None:
    # 0.5 * log(2 pi e sigma^2) per dimension; sigma = 2 and 0.5 cancel to 2 * 0.5 * log(2 pi e)
    distribution = DiagonalGaussian(2, 0.0)
    outputs = {
        "policy": np.zeros((1, 2), dtype=np.float32),
        "log_std": np.log(np.array([2.0, 0.5], dtype=np.float32)),
    }
    entropy = distribution.evaluate(np, outputs, np.zeros((1, 2), dtype=np.float32)).entropy
    np.testing.assert_allclose(entropy, [math.log(2 * math.pi * math.e)], rtol=1e-6)


def test_encoding_a_choice_is_one_hot() -> None:
    single = Categorical((3,), is_single=True).encode(np.array([2, 0]))
    np.testing.assert_array_equal(single, [[0, 0, 1], [1, 0, 0]])
    several = Categorical((2, 3), is_single=False).encode(np.array([[1, 0], [0, 2]]))
    np.testing.assert_array_equal(several, [[0, 1, 1, 0, 0], [1, 0, 0, 0, 1]])
    assert single.dtype == several.dtype == np.float32


def samples_from(
    distribution: Distribution, network: Network, how: str, observation: np.ndarray, steps: int
) -> np.ndarray:
    rows, generator = len(observation), np.random.default_rng(8)
    if how == "sampler":
        act = distribution.sampler(network, rows, steps, generator)
    else:
        act = distribution.stream(network, rows, generator)
    return np.stack([np.array(act(observation)) for _ in range(steps)])


def assert_frequencies(chosen: np.ndarray, probabilities: np.ndarray) -> None:
    """Pearson's chi-square below its mean plus five standard deviations."""
    counts = np.bincount(chosen, minlength=len(probabilities))
    expected = probabilities * len(chosen)
    statistic = float(((counts - expected) ** 2 / expected).sum())
    freedom = len(probabilities) - 1
    assert statistic < freedom + 5.0 * math.sqrt(2.0 * freedom)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("how", ["sampler", "stream"])
def test_discrete_samples_are_as_frequent_as_they_are_likely(how: str, engine: str) -> None:
    distribution = Categorical((4,), is_single=True)
    network = network_for(distribution, engine)
    observation = np.array([[1.0, -1.0], [0.5, 2.0]], dtype=np.float32)
    probabilities = logits_of(network, observation).softmax(1).numpy()
    drawn = samples_from(distribution, network, how, observation, 4000)
    assert drawn.shape == (4000, 2)
    for row in range(2):
        assert_frequencies(drawn[:, row], probabilities[row])


@pytest.mark.parametrize("how", ["sampler", "stream"])
def test_multi_discrete_samples_are_as_frequent_as_they_are_likely(how: str) -> None:
    distribution = Categorical(SIZES, is_single=False)
    network = network_for(distribution)
    observation = np.array([[1.0, -1.0], [0.5, 2.0]], dtype=np.float32)
    groups = logits_of(network, observation).split(SIZES, dim=1)
    drawn = samples_from(distribution, network, how, observation, 4000)
    assert drawn.shape == (4000, 2, len(SIZES))
    for row in range(2):
        for dimension, logits in enumerate(groups):
            probabilities = logits[row].softmax(0).numpy()
            assert_frequencies(drawn[:, row, dimension], probabilities)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("how", ["sampler", "stream"])
def test_continuous_samples_have_the_policys_mean_and_deviation(how: str, engine: str) -> None:
    distribution = DiagonalGaussian(3, 0.0)
    network = network_for(distribution, engine)
    observation = np.array([[1.0, -1.0], [0.5, 2.0]], dtype=np.float32)
    mean = logits_of(network, observation).numpy()
    deviation = np.exp(network.free_parameter("log_std"))
    drawn = samples_from(distribution, network, how, observation, 4000).astype(np.float64)
    error = deviation / math.sqrt(4000)
    assert (abs(drawn.mean(0) - mean) < 5.0 * error).all()
    assert (abs(drawn.std(0) / deviation - 1.0) < 5.0 / math.sqrt(2 * 4000)).all()


def distribution_named(kind: str) -> Distribution:
    if kind == "box":
        return DiagonalGaussian(2, 0.0)
    return (
        Categorical((4,), is_single=True)
        if kind == "discrete"
        else Categorical(SIZES, is_single=False)
    )


@pytest.mark.parametrize("kind", CASES)
def test_sampler_draws_the_noise_of_its_block_at_once(kind: str) -> None:
    distribution, generator = distribution_named(kind), np.random.default_rng(8)
    network = network_for(distribution)
    act = distribution.sampler(network, 2, 3, generator)
    drawn = generator.bit_generator.state
    observation = np.ones((2, 2), dtype=np.float32)
    for _ in range(3):
        act(observation)
    assert generator.bit_generator.state == drawn
    with pytest.raises(StopIteration):
        act(observation)


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("rows", [1, 3])
def test_stream_acts_any_number_of_times_with_fresh_noise(rows: int, kind: str) -> None:
    distribution, generator = distribution_named(kind), np.random.default_rng(8)
    act = distribution.stream(network_for(distribution), rows, generator)
    actions = [np.array(act(np.zeros((rows, 2), dtype=np.float32))) for _ in range(50)]
    assert len({action.tobytes() for action in actions}) > 1


@pytest.mark.parametrize("kind", CASES)
def test_mode_is_the_likeliest_action(kind: str) -> None:
    distribution = distribution_named(kind)
    network = network_for(distribution)
    observation = np.random.default_rng(9).normal(size=(5, 2)).astype(np.float32)
    outputs = logits_of(network, observation)
    action = np.array(distribution.mode(network, 5)(observation))
    if kind == "box":
        np.testing.assert_array_equal(action, outputs.numpy().astype(np.float32))
    elif kind == "discrete":
        np.testing.assert_array_equal(action, outputs.argmax(1).numpy())
    else:
        groups = outputs.split(SIZES, dim=1)
        np.testing.assert_array_equal(action, torch.stack([g.argmax(1) for g in groups], 1))


@pytest.mark.parametrize("kind", CASES)
def test_actions_stay_what_they_were_when_the_policy_acts_again(kind: str) -> None:
    distribution = distribution_named(kind)
    act = distribution.mode(network_for(distribution), 2)
    first = act(np.full((2, 2), 3.0, dtype=np.float32))
    kept = first.copy()
    act(np.full((2, 2), -3.0, dtype=np.float32))
    np.testing.assert_array_equal(first, kept)


def test_a_draw_of_exactly_zero_decides_without_a_warning() -> None:
    # float32 exponentials are 0 once in about six million draws; -log(0) is the largest Gumbel
    class Zero:
        def standard_exponential(self, shape: tuple[int, ...], dtype: type) -> np.ndarray:
            drawn: np.ndarray = np.ones(shape, dtype=dtype)
            drawn[..., 2] = 0.0
            return drawn

    generator: Any = Zero()
    distribution = Categorical((4,), is_single=True)
    network = network_for(distribution)
    observation = np.zeros((1, 2), dtype=np.float32)
    assert distribution.sampler(network, 1, 1, generator)(observation) == [2]
    assert distribution.stream(network, 1, generator)(observation) == [2]


def test_the_distribution_fits_the_action_space() -> None:
    discrete = action_distribution(action_layout(spaces.Discrete(5), "x"), log_std_init=0.0)
    several = action_distribution(
        action_layout(spaces.MultiDiscrete([3, 2]), "x"), log_std_init=0.0
    )
    box = action_distribution(action_layout(spaces.Box(-1.0, 1.0, (4,)), "x"), log_std_init=-0.7)
    assert (discrete.outputs, several.outputs, box.outputs) == (5, 5, 4)
    assert discrete.free == several.free == {}
    assert box.free == {"log_std": (4, -0.7)}
