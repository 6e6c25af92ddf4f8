"""Proximal Policy Optimization (Schulman et al. 2017, arXiv:1707.06347), clipped objective.

Departures from the paper, all of them common practice: separate networks for policy and value;
orthogonal initialisation with a small last policy layer; advantages normalised per minibatch;
gradient norm clipped; optional clipped value loss, entropy bonus and early stop at a target KL;
the discount at a time limit bootstraps from the final observation instead of ending the return.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from axiomrl.algorithms.protocol import Act, AlgorithmContext, Metrics, Progress, StateDict
from axiomrl.config.schema import Schedulable, setting
from axiomrl.training.buffers import Array
from axiomrl.training.distributions import Distribution, action_distribution
from axiomrl.training.environments import Transitions
from axiomrl.training.network_layout import NetworkSpec
from axiomrl.training.networks import build_network
from axiomrl.training.optimizers import Adam, clip_gradient_norm
from axiomrl.training.replay import Replay
from axiomrl.training.schedules import value_at
from axiomrl.training.seeding import generator
from axiomrl.training.state_dependent import StateDependentGaussian
from axiomrl.training.targets import gae, normalize_per_batch


@dataclass(frozen=True, kw_only=True)
class PPOConfig:
    """Settings of PPO; the defaults are Stable-Baselines3's."""

    n_steps: int = setting("steps of each environment per update", 2048, low=1)
    batch_size: int = setting("transitions per gradient step", 64, low=1)
    n_epochs: int = setting("passes over each rollout", 10, low=1)
    learning_rate: Schedulable = setting("Adam's step size", 3e-4, low=0)
    gamma: float = setting("discount per step", 0.99, low=0, high=1)
    gae_lambda: float = setting("decay of the advantage trace", 0.95, low=0, high=1)
    clip_range: Schedulable = setting("how far the probability ratio may leave 1", 0.2, above=0)
    clip_range_value: Schedulable | None = setting(
        "how far a value may move from its old one within an update; null: any distance",
        None,
        above=0,
    )
    entropy_coef: Schedulable = setting("weight of the entropy bonus", 0.0, low=0)
    value_coef: float = setting("weight of the value loss", 0.5, low=0)
    max_grad_norm: float = setting("L2 norm that gradients are clipped to", 0.5, above=0)
    target_kl: float | None = setting(
        "stop an update once the policy has moved 1.5 times this far (KL); null: never",
        None,
        above=0,
    )
    normalize_advantage: bool = setting("zero mean and unit deviation in each minibatch", True)
    hidden_sizes: tuple[int, ...] = setting("widths of the hidden layers", (64, 64), low=1)
    activation: str = setting(
        "activation of the hidden layers", "tanh", choices=("tanh", "relu", "elu")
    )
    orthogonal_init: bool = setting("orthogonal initial weights; else torch's default", True)
    log_std_init: float = setting(
        "initial log standard deviation of continuous actions (gSDE: per feature)", 0.0
    )
    adam_epsilon: float = setting("Adam's epsilon", 1e-5, above=0)
    gsde: bool = setting(
        "explore continuous actions by noise that depends on the state (gSDE)", False, neutral=False
    )
    gsde_every: int = setting(
        "steps after which gSDE draws new noise within a rollout; 0: only when one begins",
        0,
        low=0,
        neutral=0,
    )


@dataclass(slots=True)
class _Rollout:
    """One rollout, flattened to B = T·N rows, in the form minibatches are cut from."""

    observation: Any  # [B, D]
    encoded: Any  # [B, E], actions as the distribution takes them
    log_prob: Any  # [B], under the policy that acted
    value: Any  # [B]
    advantage: Any  # [B]
    target: Any  # [B], what the value should be


class PPO:
    """Learns from each rollout for a few epochs, never letting the policy move far."""

    config_class: ClassVar[type] = PPOConfig
    action_kinds: ClassVar[tuple[str, ...]] = ("discrete", "multi_discrete", "box")
    action_transform: ClassVar[str] = "clip"
    replay: Replay | None = None

    def __init__(self, settings: PPOConfig, context: AlgorithmContext) -> None:
        self._settings = settings
        self.steps_per_update = settings.n_steps
        self.gradient_steps = 0
        self._rows = settings.n_steps * context.num_envs
        self._batch_size = min(settings.batch_size, self._rows)
        if settings.batch_size > self._rows:
            warnings.warn(
                f"hyperparameters.batch_size {settings.batch_size} is larger than the rollout "
                f"({settings.n_steps} steps of {context.num_envs} environments): "
                f"each update uses one full batch of {self._rows}",
                stacklevel=2,
            )
        self._num_envs = context.num_envs
        self._distribution = distribution_of(settings, context)
        self._network = build_network(
            network_spec(settings, context.observations.size, self._distribution),
            context.engine,
            context.device,
            generator(context.seed, 0),
        )
        self._optimizer = Adam(
            self._network.xp, self._network.parameters, epsilon=settings.adam_epsilon
        )
        self._noise = generator(context.seed, 1)  # actions
        self._shuffle = generator(context.seed, 2)  # minibatches
        self._rollout: _Rollout | None = None

    def explorer(self, steps: int, progress: Progress) -> Act:
        """Samples from the present policy."""
        return self._distribution.sampler(self._network, self._num_envs, steps, self._noise)

    def policy(self, rows: int, *, deterministic: bool, generator: np.random.Generator) -> Act:
        """The policy's mode, or samples from it."""
        if deterministic:
            return self._distribution.mode(self._network, rows)
        return self._distribution.stream(self._network, rows, generator)

    def observe(self, transitions: Transitions) -> None:
        """Value the rollout and estimate its advantages, all in one batch."""
        network, settings = self._network, self._settings
        steps, envs, size = transitions.observation.shape
        rows = steps * envs
        observation = network.asarray(transitions.observation.reshape(rows, size))
        encoded = network.asarray(
            self._distribution.encode(
                transitions.action.reshape(rows, *transitions.action.shape[2:])
            )
        )
        outputs = network.forward(observation)
        log_prob = self._distribution.evaluate(network.xp, outputs, encoded).log_prob
        value = np.array(_numpy(outputs["value"]).reshape(steps, envs))
        advantage = gae(
            transitions.reward,
            value,
            self._next_values(transitions, value),
            transitions.terminated,
            transitions.truncated,
            gamma=settings.gamma,
            gae_lambda=settings.gae_lambda,
        )
        self._rollout = _Rollout(
            observation=observation,
            encoded=encoded,
            log_prob=log_prob,
            value=network.asarray(value.reshape(rows)),
            advantage=network.asarray(np.ascontiguousarray(advantage).reshape(rows)),
            target=network.asarray((advantage + value).reshape(rows)),
        )

    def _next_values(self, transitions: Transitions, value: Array) -> Array:
        """Values of next observations; only truncated and last rows are not in `value` yet."""
        next_value = np.empty_like(value)
        next_value[:-1] = value[1:]
        anew = transitions.truncated.copy()
        anew[-1] = True
        observation = self._network.asarray(transitions.next_observation[anew])
        next_value[anew] = _numpy(self._network.output("value", observation)).reshape(-1)
        return next_value

    def update(self, progress: Progress) -> Metrics:
        """`n_epochs` passes over the rollout in shuffled minibatches.

        Loss metrics are means over the last epoch: a report costs half as much as a loss.
        """
        settings, rollout = self._settings, self._rollout
        assert rollout is not None, "update before observe"
        learning_rate = value_at(settings.learning_rate, progress.fraction)
        loss = _PPOLoss(self._distribution, self._network.xp, settings, progress.fraction)
        reports: list[Metrics] = []  # of the epoch at hand
        minibatches = 0
        for epoch in range(settings.n_epochs):
            reports.clear()
            wants_report = progress.will_log and epoch == settings.n_epochs - 1
            packed = self._shuffled(rollout)
            for start in range(0, self._rows, self._batch_size):
                batch = _slice(packed, start, start + self._batch_size)
                reports.append(self._gradient_step(loss, batch, learning_rate, wants_report))
                minibatches += 1
                if self._is_too_far(reports[-1]):
                    break
            if self._is_too_far(reports[-1]):
                break
        if not progress.will_log:
            return {}
        metrics = {
            f"train_{name}": sum(report[name] for report in reports) / len(reports)
            for name in reports[-1]
        }
        metrics["train_learning_rate"] = learning_rate
        metrics["train_clip_range"] = loss.clip_range
        metrics.update(_explained_variance(rollout))
        metrics["train_minibatches"] = float(minibatches)
        if "log_std" in self._distribution.free:
            metrics["train_action_std"] = float(
                np.exp(self._network.free_parameter("log_std")).mean()
            )
        return metrics

    def _gradient_step(
        self,
        loss: _PPOLoss,
        batch: _Rollout,
        learning_rate: float,
        wants_report: bool,
    ) -> Metrics:
        """One Adam step, unless the KL is beyond its target; what the loss consists of."""
        network, settings = self._network, self._settings
        outputs = network.forward(batch.observation)
        needs_report = wants_report or settings.target_kl is not None
        gradients, report = loss(outputs, batch, needs_report)
        if self._is_too_far(report):
            return report
        network.backward(gradients)
        clip_gradient_norm(network.xp, network.gradients, settings.max_grad_norm)
        self._optimizer.step(network.gradients, learning_rate)
        self.gradient_steps += 1
        return report

    def _is_too_far(self, report: Metrics) -> bool:
        """Whether the policy has moved so far that the update ends."""
        target = self._settings.target_kl
        return target is not None and report["approx_kl"] > 1.5 * target

    def _shuffled(self, rollout: _Rollout) -> _Rollout:
        """The rollout in random order, advantages normalised per minibatch."""
        order = self._network.asarray(self._shuffle.permutation(self._rows))
        advantage = rollout.advantage[order]
        if self._settings.normalize_advantage:
            advantage = normalize_per_batch(self._network.xp, advantage, self._batch_size)
        return _Rollout(
            observation=rollout.observation[order],
            encoded=rollout.encoded[order],
            log_prob=rollout.log_prob[order],
            value=rollout.value[order],
            advantage=advantage,
            target=rollout.target[order],
        )

    def is_finite(self) -> bool:
        """See Algorithm.is_finite."""
        parameters = self._network.parameters
        return math.isfinite(float(self._network.xp.dot(parameters, parameters)))

    def state_dict(self) -> StateDict:
        """See Algorithm.state_dict."""
        return {
            "network": self._network.tensors(),
            "optimizer": self._optimizer.state_dict(),
            "gradient_steps": self.gradient_steps,
            "noise": self._noise.bit_generator.state,
            "shuffle": self._shuffle.bit_generator.state,
        }

    def load_state_dict(self, state: StateDict) -> None:
        """See Algorithm.load_state_dict."""
        self._network.load_tensors(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.gradient_steps = int(state["gradient_steps"])
        self._noise.bit_generator.state = state["noise"]
        self._shuffle.bit_generator.state = state["shuffle"]


def distribution_of(settings: PPOConfig, context: AlgorithmContext) -> Distribution:
    """What the policy's outputs mean."""
    if not settings.gsde:
        return action_distribution(context.actions, log_std_init=settings.log_std_init)
    sizes = settings.hidden_sizes
    return StateDependentGaussian(
        context.actions,
        sizes[-1] if sizes else context.observations.size,
        log_std_init=settings.log_std_init,
        every=settings.gsde_every,
    )


def network_spec(
    settings: PPOConfig, observation_size: int, distribution: Distribution
) -> NetworkSpec:
    """Two separate networks: the policy (small initial outputs) and the value."""
    return NetworkSpec(
        observation_size=observation_size,
        hidden_sizes=settings.hidden_sizes,
        activation=settings.activation,
        heads={"policy": distribution.outputs, "value": 1},
        head_gains={"policy": 0.01, "value": 1.0},
        free=distribution.free,
        is_orthogonal=settings.orthogonal_init,
        features_of=distribution.features_of,
    )


class _PPOLoss:
    """The loss of one minibatch as gradients with respect to the network's outputs.

    loss = policy loss + value_coef * value loss - entropy_coef * entropy, each a mean over rows
    (Schulman et al. 2017, eq. 7 and 9).
    """

    def __init__(
        self, distribution: Distribution, xp: Any, settings: PPOConfig, fraction: float
    ) -> None:
        self._distribution = distribution
        self._xp = xp
        self.clip_range = value_at(settings.clip_range, fraction)
        self._entropy_coef = value_at(settings.entropy_coef, fraction)
        self._value_coef = settings.value_coef
        self._clip_range_value = (
            None
            if settings.clip_range_value is None
            else value_at(settings.clip_range_value, fraction)
        )

    def __call__(
        self, outputs: dict[str, Any], batch: _Rollout, needs_report: bool
    ) -> tuple[dict[str, Any], Metrics]:
        """Gradients by output name, and (if asked for) what the loss consists of."""
        xp, clip = self._xp, self.clip_range
        rows = len(batch.advantage)
        log_prob, entropy, pullback = self._distribution.evaluate(xp, outputs, batch.encoded)
        log_ratio = log_prob - batch.log_prob
        ratio = xp.exp(log_ratio)
        gain = ratio * batch.advantage
        clipped_gain = ratio.clip(1.0 - clip, 1.0 + clip) * batch.advantage
        # min(gain, clipped gain): where clipping wins, the ratio gets no gradient
        policy_gradient = gain * (gain <= clipped_gain) * (-1.0 / rows)
        gradients = pullback(policy_gradient, -self._entropy_coef / rows)
        value = outputs["value"][:, 0]
        error = value - batch.target
        value_gradient, value_loss = self._value_part(value, error, batch)
        gradients["value"] = (value_gradient * (2.0 * self._value_coef / rows))[:, None]
        if not needs_report:
            return gradients, {}
        policy_loss = -float(xp.minimum(gain, clipped_gain).mean())
        mean_entropy = float(entropy.mean())
        mean_value_loss = float(value_loss.mean())
        return gradients, {
            "policy_loss": policy_loss,
            "value_loss": mean_value_loss,
            "entropy": mean_entropy,
            "loss": policy_loss
            + self._value_coef * mean_value_loss
            - self._entropy_coef * mean_entropy,
            "approx_kl": float((ratio - 1.0 - log_ratio).mean()),
            "clip_fraction": float((abs(ratio - 1.0) > clip).sum()) / rows,
        }

    def _value_part(self, value: Any, error: Any, batch: _Rollout) -> tuple[Any, Any]:
        """Half the derivative of the squared error per row, and the squared error itself."""
        if self._clip_range_value is None:
            return error, error * error
        limit = self._clip_range_value
        moved = (value - batch.value).clip(-limit, limit)
        clipped_error = batch.value + moved - batch.target
        is_inside = moved == value - batch.value
        takes_plain = error * error >= clipped_error * clipped_error
        worse = self._xp.where(takes_plain, error, clipped_error)
        return self._xp.where(takes_plain | is_inside, worse, 0.0 * worse), worse * worse


def _slice(rollout: _Rollout, start: int, end: int) -> _Rollout:
    return _Rollout(
        observation=rollout.observation[start:end],
        encoded=rollout.encoded[start:end],
        log_prob=rollout.log_prob[start:end],
        value=rollout.value[start:end],
        advantage=rollout.advantage[start:end],
        target=rollout.target[start:end],
    )


def _explained_variance(rollout: _Rollout) -> Metrics:
    """1 - Var[target - value] / Var[target]; nothing when the targets do not vary."""
    target, value = _numpy(rollout.target), _numpy(rollout.value)
    spread = float(target.var())
    if spread == 0.0:
        return {}
    return {"train_explained_variance": 1.0 - float((target - value).var()) / spread}


def _numpy(value: Any) -> Array:
    if isinstance(value, np.ndarray):
        return value
    array: Array = value.cpu().numpy()
    return array
