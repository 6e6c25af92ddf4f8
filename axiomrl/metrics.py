"""Every metric that axiomrl writes: its meaning, unit, and whether more or less of it is better.

Names are flat; the part before the first underscore is the group (TensorBoard shows it as a
folder). Keys that start with `time_` hold wall-clock values, the only ones that may differ
between two runs of one configuration and seed.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Direction = Literal["max", "min"]


class MetricInfo(NamedTuple):
    """What is known of a metric; `direction` is None where neither way is better."""

    meaning: str
    unit: str
    direction: Direction | None


METRICS: dict[str, MetricInfo] = {
    "eval_return_mean": MetricInfo("mean return over an evaluation's episodes", "reward", "max"),
    "eval_return_std": MetricInfo(
        "standard deviation of those returns (over episodes, ddof = 0)", "reward", "min"
    ),
    "eval_length_mean": MetricInfo("mean length of those episodes", "steps", None),
    "eval_episodes": MetricInfo("how many episodes the evaluation played", "episodes", None),
    "best_eval_return_mean": MetricInfo(
        "highest eval_return_mean so far; in metadata.json only", "reward", "max"
    ),
    "test_return_mean": MetricInfo(
        "mean return over the final test's episodes, which are played when training is complete",
        "reward",
        "max",
    ),
    "test_return_std": MetricInfo(
        "standard deviation of those returns (over episodes, ddof = 0)", "reward", "min"
    ),
    "test_length_mean": MetricInfo("mean length of those episodes", "steps", None),
    "test_episodes": MetricInfo("how many episodes the final test played", "episodes", None),
    "rollout_return_mean": MetricInfo(
        "mean return of the last 100 training episodes", "reward", "max"
    ),
    "rollout_length_mean": MetricInfo("mean length of those episodes", "steps", None),
    "rollout_episodes": MetricInfo("training episodes finished so far", "episodes", None),
    "train_policy_loss": MetricInfo(
        "policy loss, mean over the update's last epoch (SAC: last minibatch)", "1", None
    ),
    "train_value_loss": MetricInfo(
        "value loss, mean over the update's last epoch (SAC: both critics, last minibatch)",
        "reward²",
        "min",
    ),
    "train_entropy": MetricInfo(
        "entropy of the policy, mean over the last epoch (SAC: minibatch)", "nat", None
    ),
    "train_loss": MetricInfo(
        "the loss that is minimised, mean over the last epoch (DQN: minibatch)", "1", None
    ),
    "train_approx_kl": MetricInfo(
        "estimate of the KL divergence from the old policy, mean of (r - 1) - log r", "nat", None
    ),
    "train_clip_fraction": MetricInfo("share of rows whose ratio was clipped", "fraction", None),
    "train_clip_range": MetricInfo("the clip range in force", "1", None),
    "train_explained_variance": MetricInfo(
        "1 - Var[target - value] / Var[target] over the rollout, before the update", "1", "max"
    ),
    "train_learning_rate": MetricInfo("the learning rate in force", "1", None),
    "train_minibatches": MetricInfo("minibatches used by the update", "minibatches", None),
    "train_action_std": MetricInfo(
        "mean standard deviation of continuous actions, before squashing or clipping", "1", None
    ),
    "train_q_mean": MetricInfo("mean Q-value of the actions in the last minibatch", "reward", None),
    "train_td_error": MetricInfo("mean absolute TD error of the last minibatch", "reward", "min"),
    "train_epsilon": MetricInfo("probability of a random action", "fraction", None),
    "train_entropy_coef": MetricInfo("weight of the entropy (SAC's temperature)", "1", None),
    "train_replay_size": MetricInfo("transitions held in replay", "transitions", None),
    "time_s": MetricInfo("training time so far, resumed parts added up", "s", None),
    "time_env_steps_per_s": MetricInfo(
        "env steps per second since the last row, evaluation left out", "1/s", None
    ),
    "time_eval_s": MetricInfo("duration of the evaluation", "s", None),
}


def direction_of(metric: str) -> Direction | None:
    """Whether more ("max") or less ("min") is better, or None where that is not known."""
    known = METRICS.get(metric)
    return known.direction if known is not None else None
