"""State-dependent exploration against torch.distributions in float64, and its kept noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from axiomrl.errors import ConfigError
from axiomrl.training.network_layout import NetworkSpec
from axiomrl.training.networks import Network, build_network
from axiomrl.training.spaces import action_layout
from axiomrl.training.state_dependent import (
    NOISE_LOG_STD,
    SquashedStateDependent,
    StateDependentGaussian,
)

distributions: Any = torch.distributions  # whose methods are not annotated
ENGINES = ("mlp", "torch")
ROWS, FEATURES, ACTIONS = 12, 5, 2
BOX = action_layout(spaces.Box(-1.0, 1.0, (ACTIONS,)), "Test-v0")
Either = StateDependentGaussian | SquashedStateDependent
KINDS = (StateDependentGaussian, SquashedStateDependent)


def made(kind: type[Any], *, every: int = 0, log_std_init: float = -0.5) -> Any:
    return kind(BOX, FEATURES, log_std_init=log_std_init, every=every)


def network_for(policy: Either, engine: str) -> Network:
    spec = NetworkSpec(
        observation_size=3,
        hidden_sizes=(4, FEATURES),
        activation="tanh",
        heads={"policy": policy.outputs},
        head_gains={"policy": 1.0},
        free=policy.free,
        features_of=policy.features_of,
    )
    return build_network(spec, engine, "cpu", np.random.default_rng(5))


@pytest.mark.parametrize("entropy_weight", [0.0, -0.3])
@pytest.mark.parametrize("engine", ENGINES)
def test_log_prob_entropy_and_gradients_equal_torch_distributions(
    engine: str, entropy_weight: float
) -> None:
    # Raffin et al. 2021, eq. 7: the variance is z^2 @ sigma^2; here the features are constants
    generator = np.random.default_rng(3)
    values = {
        "policy": generator.normal(0.0, 1.0, (ROWS, ACTIONS)),
        "features": generator.normal(0.0, 1.0, (ROWS, FEATURES)),
        NOISE_LOG_STD: generator.normal(-0.5, 0.5, FEATURES * ACTIONS),
    }
    action = generator.normal(0.0, 1.5, (ROWS, ACTIONS)).astype(np.float32)
    upstream = generator.normal(0.0, 1.0, ROWS).astype(np.float32)
    values = {name: value.astype(np.float32) for name, value in values.items()}
    leaves = {
        name: torch.tensor(value, dtype=torch.float64, requires_grad=name != "features")
        for name, value in values.items()
    }
    sigma = leaves[NOISE_LOG_STD].exp().reshape(FEATURES, ACTIONS)
    deviation = torch.sqrt(leaves["features"] ** 2 @ sigma**2 + 1e-6)
    normal = distributions.Independent(distributions.Normal(leaves["policy"], deviation), 1)
    log_prob, entropy = normal.log_prob(torch.from_numpy(action).double()), normal.entropy()
    ((log_prob * torch.from_numpy(upstream)).sum() + entropy_weight * entropy.sum()).backward()

    xp: Any = torch if engine == "torch" else np
    outputs = {name: xp.asarray(value) for name, value in values.items()}
    policy = made(StateDependentGaussian)
    evaluated = policy.evaluate(xp, outputs, xp.asarray(policy.encode(action)))
    gradients = evaluated.pullback(xp.asarray(upstream), entropy_weight)
    np.testing.assert_allclose(evaluated.log_prob, log_prob.detach(), rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(evaluated.entropy, entropy.detach(), rtol=2e-6, atol=2e-6)
    assert set(gradients) == {"policy", NOISE_LOG_STD}
    for name, gradient in gradients.items():
        wanted = leaves[name].grad
        assert wanted is not None
        scale = float(wanted.abs().max())
        np.testing.assert_allclose(np.asarray(gradient), wanted, atol=3e-6 * scale)


def noise_of(policy: Either, network: Network, observation: np.ndarray, steps: int) -> np.ndarray:
    """What acting adds to the mean (before squashing) in `steps` steps, [steps, rows, A]."""
    rows = len(observation)
    if isinstance(policy, StateDependentGaussian):
        act = policy.sampler(network, rows, steps, np.random.default_rng(1))
        mean = policy.mode(network, rows)(observation)
        return np.stack([act(observation) - mean for _ in range(steps)])
    act = policy.explorer(network, rows, steps, np.random.default_rng(1))
    mean = np.arctanh(policy.mode(network, rows)(observation))
    return np.stack([np.arctanh(act(observation)) - mean for _ in range(steps)])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("every", "distinct"), [(0, 1), (3, 3), (1, 7)])
def test_noise_is_kept_for_as_long_as_asked(
    every: int, distinct: int, kind: type[Any], engine: str
) -> None:
    policy = made(kind, every=every, log_std_init=-3.0)
    noise = noise_of(policy, network_for(policy, engine), np.ones((2, 3), np.float32), 7)
    rounded = np.round(noise, 4)
    assert len({step.tobytes() for step in rounded}) == distinct
    kept = every or 7
    for step in range(7):
        np.testing.assert_array_equal(rounded[step], rounded[step // kept * kept])
    assert not np.allclose(noise[0, 0], noise[0, 1])  # every environment has its own


@pytest.mark.parametrize("kind", KINDS)
def test_noise_depends_linearly_on_the_features(kind: type[Any]) -> None:
    policy = made(kind, log_std_init=-3.0)
    network = network_for(policy, "mlp")
    generator = np.random.default_rng(0)
    observations = generator.normal(0.0, 1.0, (40, 3)).astype(np.float32)
    infer = network.row_inference_with_features("policy", 1)
    features = np.stack([infer(row[None])[1][0].copy() for row in observations])
    act = (
        policy.sampler(network, 1, 40, np.random.default_rng(1))
        if isinstance(policy, StateDependentGaussian)
        else policy.explorer(network, 1, 40, np.random.default_rng(1))
    )
    mode = policy.mode(network, 1)
    undo = np.arctanh if kind is SquashedStateDependent else np.asarray
    noise = np.stack([undo(act(row[None]))[0] - undo(mode(row[None]))[0] for row in observations])
    _, residual, rank, _ = np.linalg.lstsq(features, noise, rcond=None)
    assert rank == FEATURES
    assert residual.max() < 1e-8 < noise.var()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_spread_of_actions_is_that_of_the_log_probability(kind: type[Any], engine: str) -> None:
    policy = made(kind, every=1, log_std_init=-1.0)
    network = network_for(policy, engine)
    seen = np.ones((1, 3), dtype=np.float32)
    _, features = network.row_inference_with_features("policy", 1)(seen)
    expected = np.sqrt((features**2).sum() * np.exp(-2.0))
    noise = noise_of(policy, network, seen, 4000)[:, 0]
    np.testing.assert_allclose(noise.std(axis=0), expected, rtol=0.05)
    np.testing.assert_allclose(noise.mean(axis=0), 0.0, atol=0.05 * expected * 2)


@pytest.mark.parametrize("kind", KINDS)
def test_the_mode_is_without_noise(kind: type[Any]) -> None:
    policy = made(kind)
    network = network_for(policy, "mlp")
    observation = np.random.default_rng(0).normal(0.0, 1.0, (ROWS, 3)).astype(np.float32)
    mean = np.asarray(network.output("policy", observation))
    wanted = np.tanh(mean.clip(-2.0, 2.0)) if kind is SquashedStateDependent else mean
    np.testing.assert_allclose(policy.mode(network, ROWS)(observation), wanted, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_discrete_actions_are_refused(kind: type[Any]) -> None:
    layout = action_layout(spaces.Discrete(3), "Test-v0")
    with pytest.raises(ConfigError, match=r"gsde: .* continuous"):
        kind(layout, FEATURES, log_std_init=-3.0, every=0)
