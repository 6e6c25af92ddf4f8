"""Building what training consists of from a configuration, before any file is written."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from axiomrl.algorithms import algorithm_class
from axiomrl.algorithms.protocol import Algorithm, AlgorithmContext
from axiomrl.config.schema import TrainConfig
from axiomrl.errors import ConfigError, UnusableEnvironmentError, did_you_mean
from axiomrl.metrics import METRICS, direction_of
from axiomrl.training.environments import Environments
from axiomrl.training.evaluation import Evaluator
from axiomrl.training.factory import evaluation_settings
from axiomrl.training.replay_files import ReplayFiles
from axiomrl.training.seeding import Stream, seed_global_generators


@dataclass
class Parts:
    """What training consists of."""

    config: TrainConfig
    engine: str
    device: str
    environments: Environments
    algorithm: Algorithm
    evaluator: Evaluator | None

    def restore(self, state: dict[str, Any], folder: Path) -> None:
        """Bring algorithm, replay and environments to the state of a checkpoint in `folder`.

        Raises CheckpointError when replay rows are missing or damaged, and ResumeMismatchError
        when an environment does not replay to its state.
        """
        self.algorithm.load_state_dict(state["algorithm"])
        if self.algorithm.replay is not None:
            files = ReplayFiles(folder, self.algorithm.replay)
            files.restore(state["replay"], folder, in_place=False)
        self.environments.load_state_dict(state["environments"])

    def close(self) -> None:
        """Close every environment."""
        self.environments.close()
        if self.evaluator is not None:
            self.evaluator.close()


def build(config: TrainConfig, *, scoring: bool = False) -> Parts:
    """Environments, algorithm and evaluator; every input error is raised here."""
    threadpool_limits(limits=config.threads)
    engine, device = _engine_and_device(config)
    seed_global_generators(config.seed, deterministic=config.deterministic and engine == "torch")
    _require_usable_best_metric(config)
    kind = algorithm_class(config.algo)
    environments = Environments(
        config.env_id,
        config.environment,
        num_envs=1 if scoring else config.num_envs,
        seed=config.seed,
        reward_gamma=getattr(config.hyperparameters, "gamma", 0.99),
        action_transform=kind.action_transform,
    )
    if environments.actions.kind not in kind.action_kinds:
        raise UnusableEnvironmentError(
            f"env_id: {config.env_id} has {_KIND_WORDS[environments.actions.kind]} actions, "
            f"{config.algo} needs {' or '.join(_KIND_WORDS[k] for k in kind.action_kinds)} ones"
        )
    context = AlgorithmContext(
        observations=environments.observations,
        actions=environments.actions,
        num_envs=config.num_envs,
        normalizer=environments.normalizer,
        engine=engine,
        device=device,
        seed=config.seed,
        is_training=not scoring,
    )
    starts = getattr(config.hyperparameters, "learning_starts", 0)
    if starts >= config.total_timesteps and not scoring:
        warnings.warn(
            f"hyperparameters.learning_starts {starts} is not below total_timesteps "
            f"{config.total_timesteps}: nothing will be learned",
            stacklevel=2,
        )
    algorithm = kind(config.hyperparameters, context)
    evaluator = None
    if config.evaluation.every > 0 and not scoring:
        evaluator = make_evaluator(
            config,
            episodes=config.evaluation.episodes,
            deterministic=config.evaluation.deterministic,
            stream=Stream.EVALUATION,
        )
        evaluator.require_like(
            environments.observations.size, environments.actions.kind, environments.actions.sizes
        )
    return Parts(config, engine, device, environments, algorithm, evaluator)


def make_evaluator(
    config: TrainConfig,
    *,
    episodes: int,
    deterministic: bool,
    stream: Stream,
    before_episode: Callable[[], None] | None = None,
) -> Evaluator:
    """Environments for scoring: training's settings with `environment.evaluation` put in.

    Raises ConfigError for overrides that cannot be scored with.
    """
    settings = evaluation_settings(config.environment)
    if settings.normalize_observation and not config.environment.normalize_observation:
        raise ConfigError(
            "environment.evaluation.normalize_observation is true, but training gathers no "
            "statistics to normalise by",
            hint="set environment.normalize_observation: true as well",
        )
    if config.environment.evaluation.get("normalize_reward"):
        raise ConfigError(
            "environment.evaluation.normalize_reward is true, but scores are never scaled",
            hint="leave it out",
        )
    return Evaluator(
        config.env_id,
        settings,
        episodes=episodes,
        deterministic=deterministic,
        seed=config.seed,
        action_transform=algorithm_class(config.algo).action_transform,
        stream=stream,
        before_episode=before_episode,
    )


_KIND_WORDS = {
    "discrete": "discrete",
    "multi_discrete": "multi-discrete",
    "box": "continuous",
}


def _engine_and_device(config: TrainConfig) -> tuple[str, str]:
    """Which engine computes the networks, and where.

    `auto` is the hand-written engine on the CPU: it is the fastest for vectors. Asking for cuda
    asks for torch; torch on `auto` takes a GPU if there is one.
    """
    if config.device == "cuda" and config.engine == "mlp":
        raise ConfigError(
            "engine: mlp runs on the CPU only", hint="use engine: torch with device: cuda"
        )
    engine = config.engine
    if engine == "auto":
        engine = "torch" if config.device == "cuda" else "mlp"
    if engine == "mlp":
        return engine, "cpu"
    import torch

    torch.set_num_threads(config.threads)
    has_cuda = torch.cuda.is_available()
    if config.device == "cuda" and not has_cuda:
        raise ConfigError("device: cuda is not available here", hint="use device: auto or cpu")
    return engine, "cuda" if has_cuda and config.device != "cpu" else "cpu"


def _require_usable_best_metric(config: TrainConfig) -> None:
    """Raise unless evaluations give the metric, and which way is better is known."""
    metric = config.benchmark.best_metric
    if metric is None:
        return
    given = [name for name in METRICS if name.startswith("eval_")]
    if metric not in given:
        raise ConfigError(
            f"benchmark.best_metric: {metric!r} is not something that evaluations measure",
            hint=did_you_mean(metric, given) or f"use one of {', '.join(given)}",
        )
    if config.benchmark.best_metric_mode is None and direction_of(metric) is None:
        raise ConfigError(
            f"benchmark.best_metric: whether more or less of {metric!r} is better is not known",
            hint="set benchmark.best_metric_mode to max or min",
        )
