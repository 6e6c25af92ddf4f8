"""The whole gradient of a minibatch against an independent float64 implementation.

PPO does not show its gradients, but its state does: after the first step Adam's running mean is a
tenth of the (clipped) gradient.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from axiomrl.algorithms.ppo import PPO
from axiomrl.training.environments import Transitions
from axiomrl.training.network_layout import NetworkSpec, ParameterLayout

from . import ppo_reference
from .building import ACTION_SPACES, ENGINES, OBSERVATION_SIZE, START, ppo, rollout, tensors_of

STEPS, ENVS = 30, 2
ROWS = STEPS * ENVS
SIZES = {"discrete": 4, "multi_discrete": 5, "box": 2}
ADAM_SHARE = 0.1  # 1 - beta1
HIDDEN = (16, 8)


def acting(kind: str, engine: str, **settings: Any) -> PPO:
    """PPO that takes a single step per update, on the whole rollout, without clipping its norm."""
    whole: dict[str, Any] = {
        "n_steps": STEPS,
        "batch_size": ROWS,
        "n_epochs": 1,
        "max_grad_norm": 1e9,
    }
    algorithm = ppo(kind, engine, envs=ENVS, hidden_sizes=HIDDEN, **whole, **settings)
    move_parameters(algorithm, seed=1, distance=0.3)
    return algorithm


def move_parameters(algorithm: PPO, *, seed: int, distance: float) -> None:
    """Add noise to every parameter, by way of the saved state."""
    generator = np.random.default_rng(seed)
    state = copy.deepcopy(algorithm.state_dict())
    state["network"] = {
        name: np.asarray(value)
        + generator.normal(0.0, distance, tuple(value.shape)).astype(np.float32)
        for name, value in state["network"].items()
    }
    algorithm.load_state_dict(state)


def gradient_taken(algorithm: PPO, kind: str) -> dict[str, np.ndarray]:
    """The gradient of the only step taken so far, by parameter."""
    spec = NetworkSpec(
        observation_size=OBSERVATION_SIZE,
        hidden_sizes=HIDDEN,
        activation="tanh",
        heads={"policy": SIZES[kind], "value": 1},
        head_gains={"policy": 1.0, "value": 1.0},
        free={"log_std": (2, 0.0)} if kind == "box" else {},
    )
    state = algorithm.state_dict()["optimizer"]
    assert state["step"] == 1
    named = ParameterLayout(spec).tensors(np.asarray(state["mean"]))
    return {name: value.astype(np.float64) / ADAM_SHARE for name, value in named.items()}


def reference_settings(kind: str, settings: dict[str, Any]) -> ppo_reference.Settings:
    known = {name: settings[name] for name in settings if name in vars(ppo_reference.Settings())}
    return ppo_reference.Settings(**known, sizes=(3, 2) if kind == "multi_discrete" else ())


def compare(
    kind: str, engine: str, *, distance: float, transitions: Transitions, **settings: Any
) -> dict[str, float]:
    """Gradients and reported losses equal the reference's; returns the reference's report."""
    algorithm = acting(kind, engine, **settings)
    known = reference_settings(kind, settings)
    old = ppo_reference.Agent(tensors_of(algorithm.state_dict()), known)
    thought = ppo_reference.Rollout(old, transitions)
    algorithm.observe(transitions)
    move_parameters(algorithm, seed=2, distance=distance)
    new = ppo_reference.Agent(tensors_of(algorithm.state_dict()), known)

    metrics = algorithm.update(START)

    rows = np.arange(ROWS)
    actual, expected = gradient_taken(algorithm, kind), ppo_reference.gradients(new, thought, rows)
    assert set(actual) == set(expected)
    largest = max(float(value.abs().max()) for value in expected.values())
    for name, value in expected.items():
        np.testing.assert_allclose(actual[name], value, rtol=2e-5, atol=1e-5 * largest)
    report = {
        name: float(part.detach()) for name, part in ppo_reference.loss(new, thought, rows).items()
    }
    for name, number in report.items():
        assert metrics[f"train_{name}"] == pytest.approx(number, rel=1e-5, abs=1e-6), name
    return report


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ACTION_SPACES)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"normalize_advantage": False},
        {"entropy_coef": 0.3},
        {"clip_range_value": 0.2},
        {"clip_range": 0.05, "value_coef": 2.0, "entropy_coef": 0.1, "clip_range_value": 1.0},
        {"gamma": 0.9, "gae_lambda": 0.5, "value_coef": 0.0},
    ],
    ids=["defaults", "raw_advantage", "entropy", "clipped_value", "everything", "discount"],
)
def test_gradient_equals_float64_autograd(settings: dict[str, Any], kind: str, engine: str) -> None:
    report = compare(kind, engine, distance=0.1, transitions=rollout(kind, STEPS, ENVS), **settings)
    assert 0.05 < report["clip_fraction"] < 0.95  # rows on both sides of the clip


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ACTION_SPACES)
def test_gradient_of_the_policy_that_acted_equals_float64_autograd(kind: str, engine: str) -> None:
    report = compare(kind, engine, distance=0.0, transitions=rollout(kind, STEPS, ENVS))
    assert report["clip_fraction"] == 0.0
    assert report["approx_kl"] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_gradient_with_advantages_of_one_sign_equals_float64_autograd(
    sign: float, engine: str
) -> None:
    transitions = rollout("discrete", STEPS, ENVS)
    transitions.reward[:] = sign * (20.0 + abs(transitions.reward))
    settings = {"normalize_advantage": False, "gamma": 0.0}
    report = compare("discrete", engine, distance=0.1, transitions=transitions, **settings)
    assert report["clip_fraction"] > 0.05


@pytest.mark.parametrize("engine", ENGINES)
def test_ratios_beyond_the_clip_get_no_gradient_where_clipping_wins(engine: str) -> None:
    # every advantage positive and every ratio above the clip, or negative and below:
    # what is left is no policy gradient at all
    algorithm = acting("discrete", engine, normalize_advantage=False, gamma=0.0, value_coef=0.0)
    transitions = rollout("discrete", STEPS, ENVS)
    transitions.action[:] = 0
    transitions.reward[:] = 50.0
    algorithm.observe(transitions)
    state = copy.deepcopy(algorithm.state_dict())
    bias = state["network"]["policy.2.bias"]
    bias[0] += 10.0  # action 0 becomes far likelier everywhere
    algorithm.load_state_dict(state)
    metrics = algorithm.update(START)
    assert metrics["train_clip_fraction"] == 1.0
    for name, value in gradient_taken(algorithm, "discrete").items():
        assert not value.any(), name


@pytest.mark.parametrize("engine", ENGINES)
def test_the_gradients_norm_is_clipped(engine: str) -> None:
    transitions, limit = rollout("box", STEPS, ENVS), 0.01
    clipped = ppo(
        "box",
        engine,
        envs=ENVS,
        hidden_sizes=HIDDEN,
        n_steps=STEPS,
        batch_size=ROWS,
        n_epochs=1,
        max_grad_norm=limit,
    )
    move_parameters(clipped, seed=1, distance=0.3)
    whole = acting("box", engine)
    for algorithm in (clipped, whole):
        algorithm.observe(transitions)
        algorithm.update(START)
    actual, unclipped = gradient_taken(clipped, "box"), gradient_taken(whole, "box")
    norm = np.sqrt(sum((value**2).sum() for value in unclipped.values()))
    assert norm > 10 * limit
    for name, value in unclipped.items():
        np.testing.assert_allclose(actual[name], value * limit / norm, rtol=1e-4, atol=1e-9)


def test_both_engines_take_the_same_gradient() -> None:
    taken = []
    for engine in ENGINES:
        algorithm = acting("multi_discrete", engine, entropy_coef=0.1, clip_range_value=0.3)
        algorithm.observe(rollout("multi_discrete", STEPS, ENVS))
        move_parameters(algorithm, seed=2, distance=0.1)
        algorithm.update(START)
        taken.append(gradient_taken(algorithm, "multi_discrete"))
    for name, value in taken[0].items():
        np.testing.assert_allclose(taken[1][name], value, rtol=1e-4, atol=1e-6)


def test_the_reference_agrees_with_numbers_by_hand() -> None:
    # one row, two equally likely actions, ratio 1: policy loss -A, entropy log 2, value loss 4
    settings = ppo_reference.Settings(normalize_advantage=False, gamma=0.0)
    tensors = {
        "policy.0.weight": torch.zeros(4, 3, dtype=torch.float64),
        "policy.0.bias": torch.zeros(4, dtype=torch.float64),
        "value.0.weight": torch.zeros(1, 3, dtype=torch.float64),
        "value.0.bias": torch.ones(1, dtype=torch.float64),
    }
    agent = ppo_reference.Agent(tensors, settings)
    transitions = rollout("discrete", 1, 1)
    transitions.reward[:] = 3.0
    parts = ppo_reference.loss(agent, ppo_reference.Rollout(agent, transitions), np.arange(1))
    assert parts["policy_loss"].item() == pytest.approx(-2.0)
    assert parts["value_loss"].item() == pytest.approx(4.0)
    assert parts["entropy"].item() == pytest.approx(np.log(4.0))
    assert parts["loss"].item() == pytest.approx(-2.0 + 0.5 * 4.0)
