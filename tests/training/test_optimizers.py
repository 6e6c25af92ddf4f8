from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from axiomrl.training.optimizers import Adam, clip_gradient_norm

ENGINES = ("numpy", "torch")


def array_of(engine: str, value: np.ndarray) -> Any:
    copied = value.astype(np.float32)
    return torch.from_numpy(copied) if engine == "torch" else copied


def namespace(engine: str) -> Any:
    return torch if engine == "torch" else np


def gradients_for(steps: int, size: int = 40) -> np.ndarray:
    """Of sizes from 1e-6 to 1e3, some of them always zero."""
    generator = np.random.default_rng(1)
    scales = 10.0 ** np.linspace(-6, 3, size)
    scales[::10] = 0.0
    return (generator.normal(0.3, 1.0, (steps, size)) * scales).astype(np.float32)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("epsilon", [1e-8, 1e-5])
def test_fifty_steps_equal_torchs_adam(epsilon: float, engine: str) -> None:
    start = np.random.default_rng(0).normal(size=40)
    gradients, rates = gradients_for(50), np.linspace(1e-2, 1e-4, 50)
    expected = torch.nn.Parameter(torch.tensor(start, dtype=torch.float64))
    reference = torch.optim.Adam([expected], lr=1.0, eps=epsilon)
    parameters = array_of(engine, start)
    adam = Adam(namespace(engine), parameters, epsilon=epsilon)
    for gradient, rate in zip(gradients, rates, strict=True):
        reference.param_groups[0]["lr"] = rate
        expected.grad = torch.tensor(gradient, dtype=torch.float64)
        reference.step()
        adam.step(array_of(engine, gradient), rate)
    np.testing.assert_allclose(np.asarray(parameters), expected.detach(), rtol=2e-5, atol=2e-6)
    assert abs(expected.detach().numpy() - start).max() > 0.1


def test_both_namespaces_take_the_same_steps() -> None:
    start, gradients = np.random.default_rng(0).normal(size=40), gradients_for(20)
    results = []
    for engine in ENGINES:
        parameters = array_of(engine, start)
        adam = Adam(namespace(engine), parameters)
        for gradient in gradients:
            adam.step(array_of(engine, gradient), 1e-3)
        results.append(np.asarray(parameters))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_first_step_has_the_size_of_the_learning_rate(engine: str) -> None:
    # bias correction makes it lr * g / (|g| + eps), whatever the gradient's size
    parameters = array_of(engine, np.zeros(3))
    Adam(namespace(engine), parameters).step(array_of(engine, np.array([1e-3, -5.0, 0.0])), 0.1)
    np.testing.assert_allclose(np.asarray(parameters), [-0.1, 0.1, 0.0], rtol=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_loaded_state_continues_with_the_same_bits(engine: str) -> None:
    gradients = gradients_for(12)
    parameters = array_of(engine, np.ones(40))
    adam = Adam(namespace(engine), parameters)
    for gradient in gradients[:6]:
        adam.step(array_of(engine, gradient), 1e-3)
    state = {name: np.asarray(value).copy() for name, value in adam.state_dict().items()}
    copied = array_of(engine, np.asarray(parameters))
    other = Adam(namespace(engine), copied)
    other.load_state_dict(state)
    for gradient in gradients[6:]:
        adam.step(array_of(engine, gradient), 1e-3)
        other.step(array_of(engine, gradient), 1e-3)
    np.testing.assert_array_equal(np.asarray(copied), np.asarray(parameters))


@pytest.mark.parametrize("limit", [0.01, 0.5, 1e3])
@pytest.mark.parametrize("engine", ENGINES)
def test_clipping_equals_torchs(engine: str, limit: float) -> None:
    gradient = np.random.default_rng(3).normal(size=100)
    expected = torch.nn.Parameter(torch.zeros(100, dtype=torch.float64))
    expected.grad = torch.tensor(gradient)
    norm = torch.nn.utils.clip_grad_norm_([expected], limit)
    clipped = array_of(engine, gradient)
    assert clip_gradient_norm(namespace(engine), clipped, limit) == pytest.approx(
        float(norm), rel=1e-6
    )
    np.testing.assert_allclose(np.asarray(clipped), expected.grad, rtol=2e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_gradients_within_the_limit_stay_as_they_are(engine: str) -> None:
    gradient = array_of(engine, np.array([0.3, 0.4]))
    assert clip_gradient_norm(namespace(engine), gradient, 0.5 + 1e-6) == pytest.approx(0.5)
    np.testing.assert_array_equal(np.asarray(gradient), np.array([0.3, 0.4], dtype=np.float32))
