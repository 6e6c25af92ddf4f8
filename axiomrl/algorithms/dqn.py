"""Deep Q-learning (Mnih et al. 2015, doi:10.1038/nature14236), with its usual extensions.

`double` (van Hasselt et al. 2016, arXiv:1509.06461), `dueling` (Wang et al. 2016,
arXiv:1511.06581), `n_step` returns and `prioritized` replay (Schaul et al. 2016,
arXiv:1511.05952) are settings of this one file, and can be combined.

Departures from the 2015 paper: Adam instead of RMSProp; a true Huber or squared loss and a
clipped gradient norm instead of clipped errors; optional Polyak updates of the target network;
a truncated episode bootstraps from its final observation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from axiomrl.algorithms.protocol import Act, AlgorithmContext, Metrics, Progress, StateDict
from axiomrl.config.schema import Schedulable, Schedule, setting
from axiomrl.training.buffers import Array
from axiomrl.training.environments import Transitions
from axiomrl.training.network_layout import NetworkSpec
from axiomrl.training.networks import build_network
from axiomrl.training.optimizers import Adam, clip_gradient_norm
from axiomrl.training.replay import NStep, Replay, require_consistent_replay
from axiomrl.training.sampling import Batch, Prioritized, Uniform
from axiomrl.training.schedules import value_at
from axiomrl.training.seeding import generator


@dataclass(frozen=True, kw_only=True)
class DQNConfig:
    """Settings of DQN; the defaults are Stable-Baselines3's."""

    learning_rate: Schedulable = setting("Adam's step size", 1e-4, low=0)
    buffer_size: int = setting("transitions that replay holds", 1_000_000, low=1)
    learning_starts: int = setting("env steps of random actions before learning", 100, low=0)
    batch_size: int = setting("transitions per gradient step", 32, low=1)
    gamma: float = setting("discount per step", 0.99, low=0, high=1)
    train_every: int = setting("env steps between updates, over all environments", 4, low=1)
    gradient_steps: int = setting(
        "gradient steps per update; -1: as many as env steps since the last", 1, low=-1
    )
    target_update_every: int = setting("env steps between updates of the target", 10_000, low=1)
    tau: float = setting(
        "how far the target moves towards the network; 1: a copy", 1.0, above=0, high=1
    )
    epsilon: Schedulable = setting(
        "probability of a random action", Schedule(start=1.0, end=0.05, until=0.1), low=0, high=1
    )
    loss: str = setting("loss of the TD error", "huber", choices=("huber", "squared"))
    double: bool = setting("choose the next action by the online network", False)
    dueling: bool = setting("separate streams for value and advantage", False)
    n_step: int = setting("steps of reward before bootstrapping", 1, low=1)
    prioritized: bool = setting("sample by TD error", False)
    prioritized_alpha: float = setting("how much priorities count", 0.6, low=0, high=1)
    prioritized_beta: Schedulable = setting(
        "how far importance weights correct for it", Schedule(start=0.4, end=1.0), low=0, high=1
    )
    max_grad_norm: float = setting("L2 norm that gradients are clipped to", 10.0, above=0)
    hidden_sizes: tuple[int, ...] = setting("widths of the hidden layers", (64, 64), low=1)
    activation: str = setting(
        "activation of the hidden layers", "relu", choices=("tanh", "relu", "elu")
    )
    adam_epsilon: float = setting("Adam's epsilon", 1e-8, above=0)

    def __post_init__(self) -> None:
        require_consistent_replay(self.buffer_size, self.batch_size, self.gradient_steps)


class DQN:
    """Learns Q-values from replayed transitions and acts greedily on them, most of the time."""

    config_class: ClassVar[type] = DQNConfig
    action_kinds: ClassVar[tuple[str, ...]] = ("discrete",)
    action_transform: ClassVar[str] = "clip"

    def __init__(self, settings: DQNConfig, context: AlgorithmContext) -> None:
        self._settings = settings
        self._normalizer = context.normalizer
        self._num_envs = context.num_envs
        self.steps_per_update = -(-settings.train_every // context.num_envs)
        self.gradient_steps = 0
        self._actions = context.actions.sizes[0]
        self._head = "advantage" if settings.dueling else "q"
        spec = network_spec(settings, context.observations.size, self._actions)
        self._online = build_network(
            spec, context.engine, context.device, generator(context.seed, 0)
        )
        self._target = build_network(
            spec, context.engine, context.device, generator(context.seed, 0)
        )
        self._optimizer = Adam(
            self._online.xp, self._online.parameters, epsilon=settings.adam_epsilon
        )
        self._noise = generator(context.seed, 1)
        self.replay: Replay = Replay(
            settings.buffer_size,
            observation_size=context.observations.size,
            action_shape=(),
            action_dtype=np.int32,
            will_be_filled=context.is_training,
        )
        self._n_step = NStep(settings.n_step, settings.gamma)
        sampling = generator(context.seed, 2)
        self._sampler: Uniform | Prioritized = (
            Prioritized(self.replay, sampling, alpha=settings.prioritized_alpha)
            if settings.prioritized
            else Uniform(self.replay, sampling)
        )
        self._hot = np.eye(self._actions, dtype=np.float32)

    def explorer(self, steps: int, progress: Progress) -> Act:
        """Epsilon-greedy; at random until learning starts."""
        shape = (steps, self._num_envs)
        epsilon = value_at(self._settings.epsilon, progress.fraction)
        if progress.env_steps < self._settings.learning_starts:
            epsilon = 1.0
        is_random = self._noise.random(shape, dtype=np.float32) < epsilon
        choices = iter(self._noise.integers(self._actions, size=shape))
        greedy = self._online.row_inference(self._head, self._num_envs)
        if self._num_envs == 1:
            alone = iter(is_random[:, 0].tolist())

            def act_alone(observation: Array) -> Array:
                choice: Array = next(choices)
                return choice if next(alone) else greedy(observation).argmax(1)

            return act_alone

        flags = iter(is_random)
        return lambda observation: np.where(
            next(flags), next(choices), greedy(observation).argmax(1)
        )

    def policy(self, rows: int, *, deterministic: bool, generator: np.random.Generator) -> Act:
        """Greedy; otherwise epsilon-greedy with the last epsilon of the schedule."""
        greedy = self._online.row_inference(self._head, rows)
        if deterministic:
            return lambda observation: greedy(observation).argmax(1)
        epsilon = value_at(self._settings.epsilon, 1.0)

        def act(observation: Array) -> Array:
            choices = generator.integers(self._actions, size=rows)
            return np.where(
                generator.random(rows) < epsilon, choices, greedy(observation).argmax(1)
            )

        return act

    def observe(self, transitions: Transitions) -> None:
        """Put the transitions that are complete into replay."""
        places = self.replay.add(*self._n_step.push(transitions))
        self._sampler.added(places)

    def update(self, progress: Progress) -> Metrics:
        """The gradient steps that are due, then the target network if it is due."""
        settings = self._settings
        metrics: Metrics = {}
        block = self.steps_per_update * self._num_envs
        if progress.env_steps > settings.learning_starts and self.replay.size > 0:
            metrics = self._learn(progress, block)
        before = progress.env_steps - block
        every = settings.target_update_every
        if progress.env_steps // every > before // every:
            _move(self._target.parameters, self._online.parameters, settings.tau)
        if not progress.will_log:
            return {}
        metrics["train_epsilon"] = value_at(settings.epsilon, progress.fraction)
        metrics["train_replay_size"] = float(self.replay.size)
        return metrics

    def _learn(self, progress: Progress, block: int) -> Metrics:
        settings = self._settings
        count = block if settings.gradient_steps < 0 else settings.gradient_steps
        learning_rate = value_at(settings.learning_rate, progress.fraction)
        beta = value_at(settings.prioritized_beta, progress.fraction)
        metrics: Metrics = {}
        for step, batch in enumerate(self._sampler.draw(count, settings.batch_size, beta)):
            wants_report = progress.will_log and step == count - 1
            metrics = self._gradient_step(batch, learning_rate, wants_report)
        if metrics:
            metrics["train_learning_rate"] = learning_rate
        return metrics

    def _gradient_step(self, batch: Batch, learning_rate: float, wants_report: bool) -> Metrics:
        online, xp = self._online, self._online.xp
        target = self._targets(batch)
        outputs = online.forward(online.asarray(self._seen(batch.rows["observation"])))
        hot = online.asarray(self._hot[batch.rows["action"]])
        weights = None if batch.weights is None else online.asarray(batch.weights)
        gradients, error, metrics = dqn_loss(
            xp, outputs, hot, target, weights, loss=self._settings.loss, wants_report=wants_report
        )
        online.backward(gradients)
        clip_gradient_norm(xp, online.gradients, self._settings.max_grad_norm)
        self._optimizer.step(online.gradients, learning_rate)
        self.gradient_steps += 1
        self._sampler.learned(batch, error)
        return metrics

    def _targets(self, batch: Batch) -> Any:
        """R + discount · Q_target(s', a*), [B]; a* by the online network if `double`."""
        online, target = self._online, self._target
        following = online.asarray(self._seen(batch.rows["next_observation"]))
        q_next = q_values(target.forward(following))
        if self._settings.double:
            best = online.asarray(self._hot)[q_values(online.forward(following)).argmax(1)]
            value = (q_next * best).sum(1)
        else:
            value = online.xp.amax(q_next, 1)
        reward = online.asarray(np.ascontiguousarray(batch.rows["reward"]))
        discount = online.asarray(np.ascontiguousarray(batch.rows["discount"]))
        return reward + discount * value

    def _seen(self, observation: Array) -> Array:
        """Replayed observations as the network sees them, with today's statistics."""
        if self._normalizer is None:
            return np.ascontiguousarray(observation)
        return self._normalizer.normalize(observation)

    def is_finite(self) -> bool:
        """See Algorithm.is_finite."""
        parameters = self._online.parameters
        return math.isfinite(float(self._online.xp.dot(parameters, parameters)))

    def state_dict(self) -> StateDict:
        """See Algorithm.state_dict; replayed rows are saved apart."""
        return {
            "network": self._online.tensors(),
            "target": self._target.tensors(),
            "optimizer": self._optimizer.state_dict(),
            "gradient_steps": self.gradient_steps,
            "noise": self._noise.bit_generator.state,
            "n_step": self._n_step.state_dict(),
            "sampler": self._sampler.state_dict(),
            "replay_count": self.replay.count,
        }

    def load_state_dict(self, state: StateDict) -> None:
        """See Algorithm.load_state_dict."""
        self._online.load_tensors(state["network"])
        self._target.load_tensors(state["target"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.gradient_steps = int(state["gradient_steps"])
        self._noise.bit_generator.state = state["noise"]
        self._n_step.load_state_dict(state["n_step"])
        self.replay.count = int(state["replay_count"])
        self._sampler.load_state_dict(state["sampler"])


def network_spec(settings: DQNConfig, observation_size: int, actions: int) -> NetworkSpec:
    """Q-values by one MLP; dueling: shared layers, then a stream of one layer for each part."""
    sizes = settings.hidden_sizes
    shared = sizes[:-1] if settings.dueling else ()
    heads = {"advantage": actions, "value": 1} if settings.dueling else {"q": actions}
    return NetworkSpec(
        observation_size=observation_size,
        trunk_sizes=shared,
        hidden_sizes=sizes[len(shared) :],
        activation=settings.activation,
        heads=heads,
        head_gains=dict.fromkeys(heads, 1.0),
        free={},
        is_orthogonal=False,
    )


def q_values(outputs: dict[str, Any]) -> Any:
    """Q [B, A] from a network's outputs; dueling: V + A - mean A (Wang et al. 2016, eq. 9)."""
    if "q" in outputs:
        return outputs["q"]
    advantage = outputs["advantage"]
    return outputs["value"] + advantage - advantage.mean(1)[:, None]


def dqn_loss(
    xp: Any,
    outputs: dict[str, Any],
    hot: Any,
    target: Any,
    weights: Any | None,
    *,
    loss: str,
    wants_report: bool,
) -> tuple[dict[str, Any], Any, Metrics]:
    """Mean (weighted) loss of Q(s, a) against its target, as gradients by output name.

    `hot` are the actions taken, one-hot [B, A]; `target` and `weights` are [B]. Also returns the
    TD errors [B]. Huber's loss is squared within ±1 (halved) and linear beyond.
    """
    rows = len(target)
    q_taken = (q_values(outputs) * hot).sum(1)
    error = q_taken - target
    slope = error.clip(-1.0, 1.0) if loss == "huber" else 2.0 * error
    weighted = slope if weights is None else slope * weights
    q_gradient = hot * (weighted / rows)[:, None]
    gradients = {"q": q_gradient}
    if "q" not in outputs:
        summed = q_gradient.sum(1)[:, None]
        gradients = {"value": summed, "advantage": q_gradient - summed / hot.shape[1]}
    if not wants_report:
        return gradients, error, {}
    size = abs(error)
    each = xp.where(size < 1.0, 0.5 * error * error, size - 0.5) if loss == "huber" else error**2
    each = each if weights is None else each * weights
    return (
        gradients,
        error,
        {
            "train_loss": float(each.mean()),
            "train_q_mean": float(q_taken.mean()),
            "train_td_error": float(size.mean()),
        },
    )


def _move(target: Any, online: Any, tau: float) -> None:
    """Move the target's flat parameters a fraction tau towards the online ones, in place."""
    if tau == 1.0:
        target[:] = online
    else:
        target += tau * (online - target)
