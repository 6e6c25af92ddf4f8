"""Soft actor-critic (Haarnoja et al. 2018, arXiv:1812.05905), with automatic temperature.

Departures from the paper: the target uses the smaller of two target critics and the actor the
smaller of the two critics (as the paper's own code does); the temperature is learned through its
logarithm; actions are warmed up uniformly at random; a truncated episode bootstraps from its
final observation; optional state-dependent exploration (`gsde`, Raffin et al. 2021). Order of one
update, as in Stable-Baselines3: temperature, critics, actor, target critics.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from axiomrl.algorithms.protocol import Act, AlgorithmContext, Metrics, Progress, StateDict
from axiomrl.config.schema import Schedulable, setting
from axiomrl.training.buffers import Array
from axiomrl.training.environments import Transitions
from axiomrl.training.network_layout import NetworkSpec
from axiomrl.training.networks import build_network
from axiomrl.training.optimizers import Adam
from axiomrl.training.replay import NStep, Replay, require_consistent_replay
from axiomrl.training.sampling import Batch, Uniform
from axiomrl.training.schedules import value_at
from axiomrl.training.seeding import generator
from axiomrl.training.squashed import Drawn, SquashedGaussian, SquashedPolicy
from axiomrl.training.state_dependent import SquashedStateDependent


@dataclass(frozen=True, kw_only=True)
class SACConfig:
    """Settings of SAC; the defaults are Stable-Baselines3's."""

    learning_rate: Schedulable = setting(
        "Adam's step size, of actor, critics and temperature", 3e-4, low=0
    )
    buffer_size: int = setting("transitions that replay holds", 1_000_000, low=1)
    learning_starts: int = setting("env steps of random actions before learning", 100, low=0)
    batch_size: int = setting("transitions per gradient step", 256, low=1)
    gamma: float = setting("discount per step", 0.99, low=0, high=1)
    train_every: int = setting("env steps between updates, over all environments", 1, low=1)
    gradient_steps: int = setting(
        "gradient steps per update; -1: as many as env steps since the last", 1, low=-1
    )
    target_update_every: int = setting("gradient steps between updates of the targets", 1, low=1)
    tau: float = setting(
        "how far the target critics move towards the critics", 0.005, above=0, high=1
    )
    entropy_coef: float | str = setting(
        "weight of the entropy (temperature); auto: learned", "auto", low=0, choices=("auto",)
    )
    entropy_coef_init: float = setting("first temperature, when it is learned", 1.0, above=0)
    target_entropy: float | str = setting(
        "entropy that the learned temperature aims at, nat; auto: minus the action dimensions",
        "auto",
        choices=("auto",),
    )
    n_step: int = setting("steps of reward before bootstrapping", 1, low=1)
    hidden_sizes: tuple[int, ...] = setting("widths of the hidden layers", (256, 256), low=1)
    activation: str = setting(
        "activation of the hidden layers", "relu", choices=("tanh", "relu", "elu")
    )
    adam_epsilon: float = setting("Adam's epsilon", 1e-8, above=0)
    gsde: bool = setting("explore by noise that depends on the state (gSDE)", False, neutral=False)
    gsde_every: int = setting(
        "steps after which gSDE draws new noise within a block; 0: only when one begins",
        0,
        low=0,
        neutral=0,
    )
    gsde_log_std_init: float = setting(
        "initial log standard deviation of gSDE's noise, per feature", -3.0, neutral=-3.0
    )

    def __post_init__(self) -> None:
        require_consistent_replay(self.buffer_size, self.batch_size, self.gradient_steps)


class SAC:
    """Learns a stochastic policy that gathers reward and keeps its entropy."""

    config_class: ClassVar[type] = SACConfig
    action_kinds: ClassVar[tuple[str, ...]] = ("box",)
    action_transform: ClassVar[str] = "scale"

    def __init__(self, settings: SACConfig, context: AlgorithmContext) -> None:
        self._settings = settings
        self._normalizer = context.normalizer
        self._num_envs = context.num_envs
        self.steps_per_update = -(-settings.train_every // context.num_envs)
        self.gradient_steps = 0
        size, actions = context.observations.size, context.actions.sizes[0]
        self._actions = actions
        self._policy = policy_of(settings, context)

        def network(spec: NetworkSpec, purpose: int) -> Any:
            return build_network(
                spec, context.engine, context.device, generator(context.seed, purpose)
            )

        self._actor = network(actor_spec(settings, size, self._policy), 0)
        self._critics = network(critic_spec(settings, size + actions), 3)
        self._targets = network(critic_spec(settings, size + actions), 3)
        self._xp = self._actor.xp
        epsilon = settings.adam_epsilon
        self._actor_optimizer = Adam(self._xp, self._actor.parameters, epsilon=epsilon)
        self._critic_optimizer = Adam(self._xp, self._critics.parameters, epsilon=epsilon)
        self._log_alpha = np.zeros(1, dtype=np.float32)
        self._learns_alpha = settings.entropy_coef == "auto"
        if self._learns_alpha:
            self._log_alpha[0] = math.log(settings.entropy_coef_init)
        self._alpha_optimizer = Adam(np, self._log_alpha, epsilon=epsilon)
        self._target_entropy = (
            -float(actions)
            if isinstance(settings.target_entropy, str)
            else float(settings.target_entropy)
        )
        self._noise = generator(context.seed, 1)  # exploration
        self._learning_noise = generator(context.seed, 4)
        self.replay: Replay = Replay(
            settings.buffer_size,
            observation_size=size,
            action_shape=(actions,),
            action_dtype=np.float32,
            will_be_filled=context.is_training,
        )
        self._n_step = NStep(settings.n_step, settings.gamma)
        self._sampler = Uniform(self.replay, generator(context.seed, 2))

    def explorer(self, steps: int, progress: Progress) -> Act:
        """Samples from the present policy; uniformly at random until learning starts."""
        shape = (steps, self._num_envs, self._actions)
        if progress.env_steps < self._settings.learning_starts:
            uniform = iter(self._noise.uniform(-1.0, 1.0, shape).astype(np.float32))
            return lambda observation: next(uniform)
        return self._policy.explorer(self._actor, self._num_envs, steps, self._noise)

    def policy(self, rows: int, *, deterministic: bool, generator: np.random.Generator) -> Act:
        """The squashed mean, or samples."""
        if deterministic:
            return self._policy.mode(self._actor, rows)
        return self._policy.stream(self._actor, rows, generator)

    def observe(self, transitions: Transitions) -> None:
        """Put the transitions that are complete into replay."""
        self.replay.add(*self._n_step.push(transitions))

    def update(self, progress: Progress) -> Metrics:
        """The gradient steps that are due."""
        settings = self._settings
        if progress.env_steps <= settings.learning_starts or self.replay.size == 0:
            return {}
        block = self.steps_per_update * self._num_envs
        count = block if settings.gradient_steps < 0 else settings.gradient_steps
        learning_rate = value_at(settings.learning_rate, progress.fraction)
        metrics: Metrics = {}
        for step, batch in enumerate(self._sampler.draw(count, settings.batch_size, 0.0)):
            noise = self._policy.noise(self._learning_noise, settings.batch_size)
            wants_report = progress.will_log and step == count - 1
            metrics = self._gradient_step(batch, noise, learning_rate, wants_report)
        if metrics:
            metrics["train_learning_rate"] = learning_rate
            metrics["train_replay_size"] = float(self.replay.size)
        return metrics

    def _gradient_step(
        self, batch: Batch, noise: tuple[Array, Array], learning_rate: float, wants_report: bool
    ) -> Metrics:
        """One step of temperature, critics, actor and target critics.

        `noise`: for the actions at s, and for those at s'.
        """
        actor, xp, policy = self._actor, self._xp, self._policy
        following = actor.asarray(self._seen(batch.rows["next_observation"]))
        seen = actor.asarray(self._seen(batch.rows["observation"]))
        drawn_next = policy.draw(xp, actor.forward(following), actor.asarray(noise[1]))
        drawn = policy.draw(xp, actor.forward(seen), actor.asarray(noise[0]))
        alpha, log_prob = self._alpha(), float(drawn.log_prob.mean())
        if self._learns_alpha:
            surplus = log_prob + self._target_entropy
            gradient = np.array([-surplus], dtype=np.float32)
            self._alpha_optimizer.step(gradient, learning_rate)
        target = self._target(batch, following, drawn_next, alpha)
        metrics = self._critic_step(batch, seen, target, learning_rate, wants_report)
        actor_loss = self._actor_step(seen, drawn, alpha, learning_rate, wants_report)
        self.gradient_steps += 1
        if self.gradient_steps % self._settings.target_update_every == 0:
            targets, online = self._targets.parameters, self._critics.parameters
            _lerp(self._xp, targets, online, self._settings.tau, self._critics.gradients)
        if not wants_report:
            return {}
        return {
            **metrics,
            "train_policy_loss": actor_loss,
            "train_entropy": -log_prob,
            "train_entropy_coef": alpha,
        }

    def _target(self, batch: Batch, following: Any, drawn: Drawn, alpha: float) -> Any:
        """R + discount · (min Q_target(s', a') - alpha · log pi(a'|s')), [B]."""
        xp, targets = self._xp, self._targets
        q_next = targets.forward(xp.concatenate([following, drawn.action], axis=1))
        smaller = xp.minimum(q_next["q1"][:, 0], q_next["q2"][:, 0])
        reward = targets.asarray(np.ascontiguousarray(batch.rows["reward"]))
        discount = targets.asarray(np.ascontiguousarray(batch.rows["discount"]))
        return reward + discount * (smaller - alpha * drawn.log_prob)

    def _critic_step(
        self, batch: Batch, seen: Any, target: Any, learning_rate: float, wants_report: bool
    ) -> Metrics:
        critics, rows = self._critics, len(batch.rows)
        taken = critics.asarray(np.ascontiguousarray(batch.rows["action"]))
        outputs = critics.forward(self._xp.concatenate([seen, taken], axis=1))
        errors = {name: outputs[name][:, 0] - target for name in ("q1", "q2")}
        # half the mean squared error of each critic
        critics.backward({name: (error / rows)[:, None] for name, error in errors.items()})
        metrics: Metrics = {}
        if wants_report:
            squares = sum(float((error * error).mean()) for error in errors.values())
            metrics = {
                "train_value_loss": 0.5 * squares,
                "train_q_mean": float(outputs["q1"].mean()),
            }
        self._critic_optimizer.step(critics.gradients, learning_rate)
        return metrics

    def _actor_step(
        self,
        seen: Any,
        drawn: Drawn,
        alpha: float,
        learning_rate: float,
        wants_report: bool,
    ) -> float:
        """One step on mean(alpha · log pi - min Q); the loss, if it is wanted."""
        critics, actor, xp = self._critics, self._actor, self._xp
        outputs = critics.forward(xp.concatenate([seen, drawn.action], axis=1))
        q1, q2 = outputs["q1"], outputs["q2"]
        takes_first = (q1 <= q2) * np.float32(1.0)
        loss = 0.0
        if wants_report:
            loss = float((alpha * drawn.log_prob - xp.minimum(q1, q2)[:, 0]).mean())
        # every row goes through the critic that is the smaller one there
        q_gradient = critics.input_gradient({"q1": takes_first, "q2": 1.0 - takes_first})
        actor.backward(drawn.pullback(q_gradient[:, -self._actions :], alpha))
        self._actor_optimizer.step(actor.gradients, learning_rate)
        return loss

    def _alpha(self) -> float:
        """The temperature in force."""
        if isinstance(self._settings.entropy_coef, str):
            return math.exp(float(self._log_alpha[0]))
        return float(self._settings.entropy_coef)

    def _seen(self, observation: Array) -> Array:
        """Replayed observations as the networks see them, with today's statistics."""
        if self._normalizer is None:
            return np.ascontiguousarray(observation)
        return self._normalizer.normalize(observation)

    def is_finite(self) -> bool:
        """See Algorithm.is_finite."""
        actor, critics = self._actor.parameters, self._critics.parameters
        total = float(self._xp.dot(actor, actor)) + float(self._xp.dot(critics, critics))
        return math.isfinite(total) and math.isfinite(float(self._log_alpha[0]))

    def state_dict(self) -> StateDict:
        """See Algorithm.state_dict; replayed rows are saved apart."""
        return {
            "actor": self._actor.tensors(),
            "critics": self._critics.tensors(),
            "target_critics": self._targets.tensors(),
            "log_alpha": self._log_alpha.copy(),
            "actor_optimizer": self._actor_optimizer.state_dict(),
            "critic_optimizer": self._critic_optimizer.state_dict(),
            "alpha_optimizer": self._alpha_optimizer.state_dict(),
            "gradient_steps": self.gradient_steps,
            "noise": self._noise.bit_generator.state,
            "learning_noise": self._learning_noise.bit_generator.state,
            "n_step": self._n_step.state_dict(),
            "sampler": self._sampler.state_dict(),
            "replay_count": self.replay.count,
        }

    def load_state_dict(self, state: StateDict) -> None:
        """See Algorithm.load_state_dict."""
        self._actor.load_tensors(state["actor"])
        self._critics.load_tensors(state["critics"])
        self._targets.load_tensors(state["target_critics"])
        self._log_alpha[:] = state["log_alpha"]
        self._actor_optimizer.load_state_dict(state["actor_optimizer"])
        self._critic_optimizer.load_state_dict(state["critic_optimizer"])
        self._alpha_optimizer.load_state_dict(state["alpha_optimizer"])
        self.gradient_steps = int(state["gradient_steps"])
        self._noise.bit_generator.state = state["noise"]
        self._learning_noise.bit_generator.state = state["learning_noise"]
        self._n_step.load_state_dict(state["n_step"])
        self.replay.count = int(state["replay_count"])
        self._sampler.load_state_dict(state["sampler"])


def policy_of(settings: SACConfig, context: AlgorithmContext) -> SquashedPolicy:
    """What the actor's outputs mean."""
    if not settings.gsde:
        return SquashedGaussian(context.actions.sizes[0])
    sizes = settings.hidden_sizes
    return SquashedStateDependent(
        context.actions,
        sizes[-1] if sizes else context.observations.size,
        log_std_init=settings.gsde_log_std_init,
        every=settings.gsde_every,
    )


def actor_spec(settings: SACConfig, observation_size: int, policy: SquashedPolicy) -> NetworkSpec:
    """One network with what the policy asks for."""
    return NetworkSpec(
        observation_size=observation_size,
        hidden_sizes=settings.hidden_sizes,
        activation=settings.activation,
        heads={"policy": policy.outputs},
        head_gains={"policy": 1.0},
        free=policy.free,
        is_orthogonal=False,
        features_of=policy.features_of,
    )


def critic_spec(settings: SACConfig, input_size: int) -> NetworkSpec:
    """Two separate Q-networks of observation and action."""
    return NetworkSpec(
        observation_size=input_size,
        hidden_sizes=settings.hidden_sizes,
        activation=settings.activation,
        heads={"q1": 1, "q2": 1},
        head_gains={"q1": 1.0, "q2": 1.0},
        free={},
        is_orthogonal=False,
    )


def _lerp(xp: Any, target: Any, online: Any, tau: float, scratch: Any) -> None:
    """Target += tau (online - target), in place; `scratch` is overwritten."""
    xp.subtract(online, target, out=scratch)
    scratch *= tau
    target += scratch
