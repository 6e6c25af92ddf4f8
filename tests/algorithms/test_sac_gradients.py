"""What one gradient step of SAC computes, against float64 autograd that shares no code with it.

SAC does not show its gradients, but its state does: after the first step Adam's running mean is a
tenth of the gradient. The actor learns from critics that have just moved, which the state shows
too.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from gymnasium import spaces

from axiomrl.algorithms.protocol import Progress
from axiomrl.algorithms.sac import SAC, SACConfig, actor_spec, critic_spec, policy_of
from axiomrl.training.normalization import ObservationNormalizer
from axiomrl.training.squashed import LOG_STD_MAX, LOG_STD_MIN, SquashedGaussian

from .building import ENGINES, context_of, rollout
from .off_policy import (
    ACTIVATIONS,
    ADAM_SHARE,
    generator_of,
    gradient_taken,
    gradients_of,
    leaves,
    move_parameters,
    require_close,
    run,
    uniform_places,
)

OBSERVATIONS, ACTIONS, ROWS, BATCH = 3, 2, 40, 24
SPACE = spaces.Box(-np.inf, np.inf, (OBSERVATIONS,))
ACTION_SPACE = spaces.Box(-1.0, 1.0, (ACTIONS,))
HIDDEN = (16, 8)
TAU = 0.1
distributions: Any = torch.distributions


def config(**settings: Any) -> SACConfig:
    values = {
        "buffer_size": ROWS,
        "batch_size": BATCH,
        "learning_starts": 0,
        "hidden_sizes": HIDDEN,
        "gamma": 0.9,
        "tau": TAU,
        "learning_rate": 1e-2,
        **settings,
    }
    return SACConfig(**values)


def learner(
    engine: str,
    *,
    distance: float = 0.3,
    normalizer: ObservationNormalizer | None = None,
    **settings: Any,
) -> SAC:
    """SAC that takes one gradient step per update, from ROWS transitions that it holds."""
    context = context_of(SPACE, ACTION_SPACE, engine=engine, envs=1)
    values = config(**settings)
    algorithm = SAC(values, replace(context, normalizer=normalizer))
    transitions = rollout("box", ROWS + values.n_step - 1, 1)
    transitions.action[:] = np.tanh(transitions.action)
    algorithm.observe(transitions)
    move_parameters(algorithm, ["actor", "critics"], seed=1, distance=distance)
    move_parameters(algorithm, ["target_critics"], seed=2, distance=distance)
    return algorithm


def update(algorithm: SAC) -> dict[str, float]:
    return algorithm.update(Progress(ROWS, 0.0, True))


# The squashed Gaussian


class Reference(NamedTuple):
    """Actions [B, A] and log-probabilities [B]."""

    action: torch.Tensor
    log_prob: torch.Tensor


def squashed(
    named: Mapping[str, torch.Tensor],
    observation: torch.Tensor,
    noise: torch.Tensor,
    activation: str = "relu",
) -> Reference:
    """tanh of a Gaussian sample, by torch's own distributions."""
    outputs = run(named, "policy", observation, activation)
    mean, raw = outputs[:, :ACTIONS], outputs[:, ACTIONS:]
    deviation = raw.clamp(LOG_STD_MIN, LOG_STD_MAX).exp()
    # the cache keeps u, which cannot be had from tanh(u) once that has rounded to 1
    transform = distributions.transforms.TanhTransform(cache_size=1)
    gaussian = distributions.Normal(mean, deviation)
    action = transform(mean + deviation * noise)
    squashed_gaussian = distributions.TransformedDistribution(gaussian, [transform])
    return Reference(action, squashed_gaussian.log_prob(action).sum(dim=1))


@pytest.mark.parametrize("xp", [np, torch], ids=["numpy", "torch"])
@pytest.mark.parametrize("log_std", [-5.0, -1.0, 0.0, 2.0])
@pytest.mark.parametrize("drawn", [-1.5, 0.0, 0.7])
def test_log_probability_stays_exact_where_tanh_saturates(
    drawn: float, log_std: float, xp: Any
) -> None:
    u = np.linspace(-20.0, 20.0, 81)[:, None]
    deviation, noise = math.exp(log_std), np.full_like(u, drawn)
    mean = u - deviation * drawn
    transform = distributions.transforms.TanhTransform(cache_size=1)
    gaussian = distributions.Normal(torch.tensor(mean), deviation)
    action = transform(torch.tensor(u))
    squashed_gaussian = distributions.TransformedDistribution(gaussian, [transform])
    expected = squashed_gaussian.log_prob(action)[:, 0].numpy()
    outputs = np.concatenate([mean, np.full_like(u, log_std)], axis=1)
    # torch's softplus is linear beyond 20, which costs it e^-20 = 2e-9; u itself has a rounding
    # error of up to 2e-6 in float32, and counts twice
    for kind, tolerance in ((np.float64, 1e-8), (np.float32, 1e-5)):
        policy = xp.asarray(outputs.astype(kind))
        drawn_noise = xp.asarray(noise.astype(kind))
        actual = SquashedGaussian(1).draw(xp, {"policy": policy}, drawn_noise)
        log_prob = np.asarray(actual.log_prob)
        assert log_prob.dtype == kind
        np.testing.assert_allclose(log_prob, expected, rtol=0.0, atol=tolerance)
        np.testing.assert_allclose(np.asarray(actual.action), action.numpy(), atol=tolerance)


def test_log_probability_by_hand() -> None:
    # Haarnoja et al. 2018, eq. 26: log N(u) - sum log(1 - tanh(u)^2), with tanh(1)^2 = 0.5800257
    half_log_two_pi = 0.9189385
    outputs = np.array([[0.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, math.log(2.0)]])
    drawn = SquashedGaussian(2).draw(np, {"policy": outputs}, np.zeros((2, 2)))
    correction = math.log(1.0 - 0.5800257)
    expected = [
        -2 * half_log_two_pi - correction,
        -2 * half_log_two_pi - math.log(2.0) - 2 * correction,
    ]
    np.testing.assert_allclose(drawn.log_prob, expected, atol=1e-6)


class ClippedMean(torch.autograd.Function):
    """Clamped to ±2; where clamped, only gradients whose descent leads back pass."""

    @staticmethod
    def forward(ctx: Any, raw: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(raw)
        return raw.clamp(-2.0, 2.0)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        (raw,) = ctx.saved_tensors
        (gradient,) = gradients
        leads_back = raw.sign() == gradient.sign()
        return torch.where((raw.abs() <= 2.0) | leads_back, gradient, 0.0)


def squashed_by_gsde(
    named: Mapping[str, torch.Tensor],
    observation: torch.Tensor,
    epsilon: torch.Tensor,
    activation: str = "relu",
) -> Reference:
    """Raffin et al. 2021, eq. 6 to 9: noise linear in the last hidden features, then tanh."""
    hidden, layer = observation, 0
    while f"policy.{layer + 1}.weight" in named:
        hidden = hidden @ named[f"policy.{layer}.weight"].T + named[f"policy.{layer}.bias"]
        hidden, layer = ACTIVATIONS[activation](hidden), layer + 1
    mean: Any = ClippedMean.apply(run(named, "policy", observation, activation))
    sigma = named["noise_log_std"].exp().reshape(hidden.shape[1], ACTIONS)
    deviation = torch.sqrt((hidden**2) @ (sigma**2) + 1e-6)
    transform = distributions.transforms.TanhTransform(cache_size=1)
    action = transform(mean + hidden @ (sigma * epsilon))
    gaussian = distributions.Normal(mean, deviation)
    squashed_gaussian = distributions.TransformedDistribution(gaussian, [transform])
    return Reference(action, squashed_gaussian.log_prob(action).sum(dim=1))


# The whole step


def q_values(
    named: Mapping[str, torch.Tensor], seen: torch.Tensor, action: torch.Tensor, activation: str
) -> torch.Tensor:
    """Both critics' values [B, 2]."""
    inputs = torch.cat([seen, action], dim=1)
    return torch.cat([run(named, head, inputs, activation) for head in ("q1", "q2")], dim=1)


class Step:
    """A gradient step of SAC in float64, on the batch that the algorithm will draw."""

    def __init__(self, algorithm: SAC, settings: Mapping[str, Any], normalize: Any) -> None:
        state = copy.deepcopy(algorithm.state_dict())
        self.activation = settings.get("activation", "relu")
        self.actor, self.critics = leaves(state["actor"]), leaves(state["critics"])
        self.targets = leaves(state["target_critics"])
        rows = algorithm.replay.rows[uniform_places(algorithm, BATCH)]
        noises = generator_of(state["learning_noise"])
        if settings.get("gsde"):  # one for all rows, at s and at s'
            self.squashed: Any = squashed_by_gsde
            epsilon = noises.standard_normal((HIDDEN[-1], ACTIONS), dtype=np.float32)
            noise = np.stack([epsilon, epsilon])
        else:
            self.squashed = squashed
            noise = noises.standard_normal((2, BATCH, ACTIONS), dtype=np.float32)
        self.rows = {
            name: torch.tensor(rows[name].astype(np.float64)) for name in rows.dtype.names or ()
        }
        self.seen = normalize(self.rows["observation"])
        self.following = normalize(self.rows["next_observation"])
        self.noise = torch.tensor(noise, dtype=torch.float64)
        coefficient = settings.get("entropy_coef", "auto")
        log_alpha = float(np.asarray(state["log_alpha"])[0])
        self.alpha = math.exp(log_alpha) if coefficient == "auto" else float(coefficient)

    def critic_loss(self) -> torch.Tensor:
        """Half the squared errors of both critics (Haarnoja et al. 2018, eq. 5 and 6)."""
        with torch.no_grad():
            drawn = self.squashed(self.actor, self.following, self.noise[1], self.activation)
            q_next = q_values(self.targets, self.following, drawn.action, self.activation)
            soft = q_next.min(dim=1).values - self.alpha * drawn.log_prob
            wanted = self.rows["reward"] + self.rows["discount"] * soft
        q = q_values(self.critics, self.seen, self.rows["action"], self.activation)
        return 0.5 * ((q - wanted[:, None]) ** 2).mean(dim=0).sum()

    def drawn(self) -> Reference:
        drawn: Reference = self.squashed(self.actor, self.seen, self.noise[0], self.activation)
        return drawn

    def actor_loss(self, critics: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Eq. 9, with critics that have been updated."""
        drawn = self.drawn()
        q = q_values(critics, self.seen, drawn.action, self.activation)
        self.share_of_first_critic = (q[:, 0] <= q[:, 1]).double().mean().item()
        return (self.alpha * drawn.log_prob - q.min(dim=1).values).mean()


def same(observation: torch.Tensor) -> torch.Tensor:
    return observation


def check(algorithm: SAC, settings: Mapping[str, Any], normalize: Any = same) -> Step:
    """One step's gradients, report and target equal the reference's."""
    step = Step(algorithm, settings, normalize)
    critic_loss, drawn = step.critic_loss(), step.drawn()
    metrics = update(algorithm)
    after = algorithm.state_dict()

    spec = critic_spec(config(**settings), OBSERVATIONS + ACTIONS)
    taken = gradient_taken(spec, after["critic_optimizer"])
    require_close(taken, gradients_of(critic_loss, step.critics))
    moved = leaves(after["critics"])
    actor_loss = step.actor_loss(moved)
    policy = policy_of(config(**settings), context_of(SPACE, ACTION_SPACE, engine="mlp", envs=1))
    spec = actor_spec(config(**settings), OBSERVATIONS, policy)
    taken = gradient_taken(spec, after["actor_optimizer"])
    require_close(taken, gradients_of(actor_loss, step.actor), relative=2e-5)
    for name, target in step.targets.items():
        expected = (target + TAU * (moved[name] - target)).detach().numpy()
        actual = np.asarray(after["target_critics"][name])
        np.testing.assert_allclose(actual, expected, rtol=0.0, atol=1e-6)
    assert metrics["train_value_loss"] == pytest.approx(critic_loss.item(), rel=1e-5)
    assert metrics["train_policy_loss"] == pytest.approx(actor_loss.item(), rel=1e-5)
    assert metrics["train_entropy"] == pytest.approx(-drawn.log_prob.mean().item(), rel=1e-5)
    assert metrics["train_entropy_coef"] == pytest.approx(step.alpha, rel=1e-6)
    return step


SETTINGS: dict[str, dict[str, Any]] = {
    "learned_temperature": {},
    "first_temperature": {"entropy_coef_init": 0.1},
    "fixed_temperature": {"entropy_coef": 0.2},
    "no_entropy": {"entropy_coef": 0.0},
    "three_steps": {"n_step": 3},
    "tanh": {"activation": "tanh"},
    "elu": {"activation": "elu"},
    "gsde_elu": {"gsde": True, "gsde_log_std_init": -1.0, "activation": "elu"},
    "gsde_tanh": {"gsde": True, "gsde_log_std_init": 0.0, "activation": "tanh"},
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=list(SETTINGS))
def test_gradients_equal_float64_autograd(settings: dict[str, Any], engine: str) -> None:
    step = check(learner(engine, **settings), settings)
    assert 0.0 < step.share_of_first_critic < 1.0  # each is the smaller one somewhere


@pytest.mark.parametrize("engine", ENGINES)
def test_clipped_deviations_get_no_gradient(engine: str) -> None:
    algorithm = learner(engine)
    state = copy.deepcopy(algorithm.state_dict())
    bias = state["actor"]["policy.2.bias"]
    bias[ACTIONS], bias[ACTIONS + 1] = LOG_STD_MAX, LOG_STD_MIN - 1.0  # some rows; all rows
    algorithm.load_state_dict(state)
    step = check(algorithm, {})
    raw = run(step.actor, "policy", step.seen)[:, ACTIONS:]
    assert 0.1 < (raw[:, 0] > LOG_STD_MAX).double().mean() < 0.9
    assert (raw[:, 1] < LOG_STD_MIN).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_gradients_of_saturated_actions_equal_float64_autograd(engine: str) -> None:
    algorithm = learner(engine)
    state = copy.deepcopy(algorithm.state_dict())
    state["actor"]["policy.2.bias"][:ACTIONS] = torch.tensor([15.0, -15.0])
    algorithm.load_state_dict(state)
    step = check(algorithm, {})
    assert (step.drawn().action.abs() > 0.99999).double().mean() > 0.5


@pytest.mark.parametrize("engine", ENGINES)
def test_replayed_observations_are_normalised_when_they_are_sampled(engine: str) -> None:
    normalizer = ObservationNormalizer(OBSERVATIONS)
    algorithm = learner(engine, normalizer=normalizer)
    generator = np.random.default_rng(0)
    normalizer.update(generator.normal([3.0, -1.0, 0.0], [0.5, 2.0, 1.0], (50, OBSERVATIONS)))
    moments = normalizer.state_dict()

    def normalize(observation: torch.Tensor) -> torch.Tensor:
        spread = torch.sqrt(torch.tensor(moments["variance"]) + 1e-8)
        return ((observation - torch.tensor(moments["mean"])) / spread).clamp(-10.0, 10.0)

    check(algorithm, {}, normalize)


@pytest.mark.parametrize("engine", ENGINES)
def test_clipped_means_of_gsde_learn_only_towards_their_limit(engine: str) -> None:
    settings = {"gsde": True, "gsde_log_std_init": -1.0}
    algorithm = learner(engine, **settings)
    state = copy.deepcopy(algorithm.state_dict())
    state["actor"]["policy.2.bias"][:] = torch.tensor([2.0, -5.0])  # some rows; nearly all
    algorithm.load_state_dict(state)
    step = check(algorithm, settings)
    mean = run(step.actor, "policy", step.seen)
    assert 0.1 < (mean[:, 0] > 2.0).double().mean() < 0.9
    assert (mean[:, 1] < -2.0).double().mean() > 0.9


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_gsde_policy_beyond_its_limit_everywhere_finds_back(engine: str, side: float) -> None:
    # entropy alone pulls means inwards: with no gradient beyond the limit they would stay there
    algorithm = learner(engine, gsde=True, gsde_log_std_init=-3.0, entropy_coef=50.0)
    state = copy.deepcopy(algorithm.state_dict())
    state["actor"]["policy.2.bias"][:] = 5.0 * side
    algorithm.load_state_dict(state)
    update(algorithm)
    moved = np.asarray(algorithm.state_dict()["actor"]["policy.2.bias"]) - 5.0 * side
    assert (moved * side < 0.0).all()


# The temperature


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("target_entropy", "target"), [("auto", -ACTIONS), (1.5, 1.5), (-9, -9)])
def test_the_temperatures_gradient_is_the_entropy_above_its_target(
    target_entropy: Any, target: float, engine: str
) -> None:
    # Haarnoja et al. 2018, eq. 18, by the temperature's logarithm:
    # d/dlog(alpha) of -log(alpha) * (log pi + target) = entropy - target
    algorithm = learner(engine, target_entropy=target_entropy)
    entropy = -Step(algorithm, {}, same).drawn().log_prob.mean().item()
    update(algorithm)
    state = algorithm.state_dict()
    gradient = float(state["alpha_optimizer"]["mean"][0]) / ADAM_SHARE
    assert gradient == pytest.approx(entropy - target, rel=1e-5)
    # Adam's first step is as long as the learning rate
    expected = -math.copysign(1e-2, gradient)
    assert float(state["log_alpha"][0]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_temperature_in_force_is_that_before_its_step(engine: str) -> None:
    algorithm = learner(engine, entropy_coef_init=0.5)
    assert update(algorithm)["train_entropy_coef"] == pytest.approx(0.5)
    later = math.exp(float(algorithm.state_dict()["log_alpha"][0]))
    assert later != pytest.approx(0.5, rel=1e-3)
    assert update(algorithm)["train_entropy_coef"] == pytest.approx(later)


def test_a_fixed_temperature_stays() -> None:
    algorithm = learner("mlp", entropy_coef=0.3)
    for _ in range(5):
        assert update(algorithm)["train_entropy_coef"] == 0.3
    assert algorithm.state_dict()["alpha_optimizer"]["step"] == 0
