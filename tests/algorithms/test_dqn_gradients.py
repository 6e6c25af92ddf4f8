"""What one gradient step of DQN computes: numbers by hand, and the whole against autograd.

DQN does not show its gradients, but its state does: after the first step Adam's running mean is a
tenth of the (clipped) gradient.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from axiomrl.algorithms.dqn import DQN, DQNConfig, dqn_loss, network_spec, q_values
from axiomrl.algorithms.protocol import Progress
from axiomrl.training.normalization import ObservationNormalizer
from axiomrl.training.sampling import PRIORITY_EPSILON

from .building import ENGINES, context_of, rollout
from .off_policy import (
    generator_of,
    gradient_taken,
    gradients_of,
    leaves,
    move_parameters,
    require_close,
    run,
    uniform_places,
)

OBSERVATIONS, ACTIONS, ROWS, BATCH = 3, 4, 40, 24
SPACE = spaces.Box(-np.inf, np.inf, (OBSERVATIONS,))
GAMMA = 0.9


def config(**settings: Any) -> DQNConfig:
    values = {
        "buffer_size": ROWS,
        "batch_size": BATCH,
        "learning_starts": 0,
        "hidden_sizes": (16, 8),
        "gamma": GAMMA,
        "max_grad_norm": 1e9,
        **settings,
    }
    return DQNConfig(**values)


def learner(
    engine: str, *, normalizer: ObservationNormalizer | None = None, **settings: Any
) -> DQN:
    """DQN that takes one gradient step per update, from ROWS transitions that it holds."""
    context = context_of(SPACE, spaces.Discrete(ACTIONS), engine=engine, envs=1)
    values = config(**settings)
    algorithm = DQN(values, replace(context, normalizer=normalizer))
    algorithm.observe(rollout("discrete", ROWS + values.n_step - 1, 1))
    return algorithm


def gradient(algorithm: DQN, **settings: Any) -> dict[str, np.ndarray]:
    """The gradient of the only step taken so far."""
    spec = network_spec(config(**settings), OBSERVATIONS, ACTIONS)
    return gradient_taken(spec, algorithm.state_dict()["optimizer"])


def update(algorithm: DQN, fraction: float = 0.0) -> dict[str, float]:
    return algorithm.update(Progress(ROWS, fraction, True))


# By hand


def test_dueling_adds_the_value_to_the_centred_advantages() -> None:
    # V + A - mean A = 10 + (1, 2, 6) - 3
    for xp in (np.array, torch.tensor):
        outputs = {"value": xp([[10.0], [0.0]]), "advantage": xp([[1.0, 2.0, 6.0], [3.0] * 3])}
        assert q_values(outputs).tolist() == [[8.0, 9.0, 13.0], [0.0, 0.0, 0.0]]


ERRORS = [-3.0, -0.5, 0.0, 0.25, 2.0]


@pytest.mark.parametrize("xp", [np, torch], ids=["numpy", "torch"])
@pytest.mark.parametrize(
    ("loss", "slopes", "losses"),
    [
        ("huber", [-1.0, -0.5, 0.0, 0.25, 1.0], [2.5, 0.125, 0.0, 0.03125, 1.5]),
        ("squared", [-6.0, -1.0, 0.0, 0.5, 4.0], [9.0, 0.25, 0.0, 0.0625, 4.0]),
    ],
)
def test_loss_and_slope_of_each_error(
    loss: str, slopes: list[float], losses: list[float], xp: Any
) -> None:
    hot = xp.eye(2)[[0, 1, 0, 1, 0]]
    target = xp.ones(5)
    q = hot * (1.0 + xp.asarray(ERRORS))[:, None] + (1 - hot) * 77.0
    weights = xp.asarray([1.0, 2.0, 1.0, 4.0, 1.0])
    for weight in (None, weights):
        gradients, error, metrics = dqn_loss(
            xp, {"q": q}, hot, target, weight, loss=loss, wants_report=True
        )
        assert error.tolist() == ERRORS
        scale = np.ones(5) if weight is None else np.asarray(weights)
        expected = np.asarray(hot) * (np.array(slopes) * scale / 5)[:, None]
        np.testing.assert_allclose(np.asarray(gradients["q"]), expected, rtol=1e-6)
        assert metrics["train_loss"] == pytest.approx((np.array(losses) * scale).mean())
        assert metrics["train_td_error"] == pytest.approx(np.abs(ERRORS).mean())
        assert metrics["train_q_mean"] == pytest.approx(1.0 + np.mean(ERRORS))


def test_dueling_shares_the_gradient_between_both_streams() -> None:
    # one row, Q(a1) = V + A1 - (A1 + A2) / 2, slope 1: dV = 1, dA = (1/2, -1/2)
    outputs = {"value": np.array([[5.0]]), "advantage": np.array([[0.0, 0.0]])}
    gradients, _, _ = dqn_loss(
        np,
        outputs,
        np.array([[1.0, 0.0]]),
        np.array([4.5]),
        None,
        loss="squared",
        wants_report=False,
    )
    assert gradients["value"].tolist() == [[1.0]]
    assert gradients["advantage"].tolist() == [[0.5, -0.5]]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("double", "terminated", "expected"),
    [(False, False, 16.0), (True, False, 11.0), (False, True, 1.0), (True, True, 1.0)],
)
def test_targets_by_hand(double: bool, terminated: bool, expected: float, engine: str) -> None:
    # online Q = (1, 5, 3, 0), target Q = (10, 20, 30, 0) everywhere, reward 1, gamma 1/2.
    # 1 + 30/2 = 16; double asks the target for the online network's choice: 1 + 20/2 = 11
    # (van Hasselt et al. 2016, eq. 4); after a termination only the reward is left
    algorithm = learner(engine, double=double, gamma=0.5, hidden_sizes=(4,), loss="squared")
    transitions = rollout("discrete", ROWS, 1)
    transitions.reward[:] = 1.0
    transitions.action[:] = 0
    transitions.terminated[:] = terminated
    transitions.truncated[:] = not terminated  # which makes no difference to a target
    algorithm.observe(transitions)
    state = copy.deepcopy(algorithm.state_dict())
    for network, values in (("network", [1.0, 5.0, 3.0, 0.0]), ("target", [10.0, 20.0, 30.0, 0.0])):
        state[network]["q.1.weight"][...] = 0.0
        state[network]["q.1.bias"][...] = torch.tensor(values)
    algorithm.load_state_dict(state)
    metrics = update(algorithm)
    assert metrics["train_q_mean"] == 1.0
    assert metrics["train_td_error"] == pytest.approx(abs(1.0 - expected))
    assert metrics["train_loss"] == pytest.approx((1.0 - expected) ** 2)


# The whole step against float64 autograd


def q_reference(
    named: dict[str, torch.Tensor], observation: torch.Tensor, activation: str
) -> torch.Tensor:
    """Q [B, A]; of a dueling network, the two streams put together."""
    if "q.0.weight" in named:
        return run(named, "q", observation, activation)
    advantage = run(named, "advantage", observation, activation)
    value = run(named, "value", observation, activation)
    return value + advantage - advantage.mean(dim=1, keepdim=True)


def reference(
    online: dict[str, torch.Tensor],
    target: dict[str, torch.Tensor],
    rows: np.ndarray,
    weights: np.ndarray,
    settings: dict[str, Any],
    normalize: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss and TD errors [B] as the papers give them."""

    def column(name: str) -> torch.Tensor:
        return torch.tensor(rows[name].astype(np.float64))

    seen, following = normalize(column("observation")), normalize(column("next_observation"))
    activation = settings.get("activation", "relu")
    with torch.no_grad():
        chooser = online if settings.get("double") else target
        best = q_reference(chooser, following, activation).argmax(dim=1, keepdim=True)
        value = q_reference(target, following, activation).gather(1, best)[:, 0]
        wanted = column("reward") + column("discount") * value
    chosen = torch.tensor(rows["action"].astype(np.int64))[:, None]
    q_taken = q_reference(online, seen, activation).gather(1, chosen)[:, 0]
    kind = torch.nn.functional.mse_loss
    if settings.get("loss", "huber") == "huber":
        kind = torch.nn.functional.smooth_l1_loss
    each = kind(q_taken, wanted, reduction="none")
    return (torch.tensor(weights) * each).mean(), (q_taken - wanted).detach()


def draw(algorithm: DQN, settings: dict[str, Any], beta: float) -> tuple[np.ndarray, np.ndarray]:
    """Places and weights of the next batch, by a plain running sum of the priorities."""
    if not settings.get("prioritized"):
        return uniform_places(algorithm, BATCH), np.ones(BATCH)
    sampler = algorithm.state_dict()["sampler"]
    priorities = np.asarray(sampler["priorities"])
    offsets = generator_of(sampler["generator"]).random((1, BATCH))[0]
    masses = (np.arange(BATCH) + offsets) / BATCH * priorities.sum()
    places = np.searchsorted(np.cumsum(priorities), masses, side="right")
    weights = (len(priorities) * priorities[places] / priorities.sum()) ** -beta
    return places, weights / weights.max()


def set_priorities(algorithm: DQN) -> None:
    state = copy.deepcopy(algorithm.state_dict())
    state["sampler"]["priorities"] = np.random.default_rng(5).uniform(0.1, 3.0, ROWS)
    algorithm.load_state_dict(state)


def same(observation: torch.Tensor) -> torch.Tensor:
    return observation


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("double", [False, True], ids=["single", "double"])
@pytest.mark.parametrize("dueling", [False, True], ids=["one_stream", "dueling"])
@pytest.mark.parametrize("prioritized", [False, True], ids=["uniform", "prioritized"])
@pytest.mark.parametrize("loss", ["huber", "squared"])
@pytest.mark.parametrize("n_step", [1, 3], ids=["one_step", "three_steps"])
def test_gradient_equals_float64_autograd(
    n_step: int, loss: str, prioritized: bool, dueling: bool, double: bool, engine: str
) -> None:
    settings: dict[str, Any] = {
        "double": double,
        "dueling": dueling,
        "prioritized": prioritized,
        "loss": loss,
    }
    check(learner(engine, n_step=n_step, **settings), settings)


def check(algorithm: DQN, settings: dict[str, Any], normalize: Any = same) -> None:
    """One gradient step, its report and the new priorities equal the reference's."""
    move_parameters(algorithm, ["network"], seed=1, distance=0.3)
    move_parameters(algorithm, ["target"], seed=2, distance=0.3)
    if settings.get("prioritized"):
        set_priorities(algorithm)
    state = copy.deepcopy(algorithm.state_dict())
    places, weights = draw(algorithm, settings, beta=0.7)
    online, target = leaves(state["network"]), leaves(state["target"])
    rows = algorithm.replay.rows[places]
    total, error = reference(online, target, rows, weights, settings, normalize)
    assert 0.0 < (error.abs() > 1.0).double().mean() < 1.0  # both parts of Huber's loss

    metrics = update(algorithm, fraction=0.5)  # beta halfway from 0.4 to 1

    after = algorithm.state_dict()
    require_close(gradient(algorithm, **settings), gradients_of(total, online))
    assert metrics["train_loss"] == pytest.approx(total.item(), rel=1e-5)
    assert metrics["train_td_error"] == pytest.approx(error.abs().mean().item(), rel=1e-5)
    if settings.get("prioritized"):
        expected = state["sampler"]["priorities"].copy()
        expected[places] = (error.abs().numpy() + PRIORITY_EPSILON) ** 0.6
        np.testing.assert_allclose(after["sampler"]["priorities"], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("activation", ["tanh", "elu"])
def test_the_activation_is_the_one_asked_for(activation: str, engine: str) -> None:
    settings: dict[str, Any] = {"activation": activation, "dueling": True}
    check(learner(engine, **settings), settings)


@pytest.mark.parametrize("engine", ENGINES)
def test_replayed_observations_are_normalised_when_they_are_sampled(engine: str) -> None:
    # by the statistics of that moment, not of the moment they were put into replay
    normalizer = ObservationNormalizer(OBSERVATIONS)
    algorithm = learner(engine, normalizer=normalizer, double=True)
    generator = np.random.default_rng(0)
    normalizer.update(generator.normal([3.0, -1.0, 0.0], [0.5, 2.0, 1.0], (50, OBSERVATIONS)))
    moments = normalizer.state_dict()

    def normalize(observation: torch.Tensor) -> torch.Tensor:
        spread = torch.sqrt(torch.tensor(moments["variance"]) + 1e-8)
        return ((observation - torch.tensor(moments["mean"])) / spread).clamp(-10.0, 10.0)

    check(algorithm, {"double": True}, normalize)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_gradients_norm_is_clipped(engine: str) -> None:
    whole, clipped = learner(engine), learner(engine, max_grad_norm=0.01)
    update(whole)
    update(clipped)
    unclipped = gradient(whole)
    norm = np.sqrt(sum((value**2).sum() for value in unclipped.values()))
    assert norm > 0.1
    expected = {name: value * 0.01 / norm for name, value in unclipped.items()}
    require_close(gradient(clipped), expected, relative=1e-4)
