"""Small configurations on which exact resume is shown; a new algorithm adds its own to `SMALL`.

`SMALL` holds, for every registered algorithm, settings under which a few thousand steps contain
many updates. The cases of one algorithm differ in what resume has to bring back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from axiomrl.algorithms import algorithm_class

SMALL: dict[str, dict[str, Any]] = {
    "dqn": {
        "learning_starts": 150,
        "buffer_size": 1000,  # it wraps around
        "batch_size": 32,
        "train_every": 8,
        "gradient_steps": 2,
        "target_update_every": 250,
        "learning_rate": 1e-3,
        "epsilon": {"schedule": "linear", "start": 1.0, "end": 0.1, "until": 0.5},
        "hidden_sizes": [32, 32],
    },
    "ppo": {"n_steps": 64, "batch_size": 64, "n_epochs": 3, "learning_rate": 1e-3},
    "sac": {
        "learning_starts": 150,
        "buffer_size": 1000,
        "batch_size": 32,
        "train_every": 4,
        "learning_rate": 1e-3,
        "hidden_sizes": [32, 32],
    },
}

# What is tried together with schedules and eight environments, by algorithm.
SCHEDULES: dict[str, dict[str, Any]] = {
    "dqn": {
        **SMALL["dqn"],
        "learning_rate": {"schedule": "cosine", "start": 3e-3, "end": 0.0},
        "double": True,
        "dueling": True,
        "n_step": 3,
        "prioritized": True,
        "tau": 0.5,
    },
    "ppo": {
        "n_steps": 16,
        "learning_rate": {"schedule": "linear", "start": 3e-3, "end": 0.0},
        "clip_range": {"schedule": "cosine", "start": 0.3, "end": 0.05},
        "clip_range_value": 0.2,
        "entropy_coef": 0.01,
        "target_kl": 0.05,
    },
    "sac": {
        **SMALL["sac"],
        "learning_rate": {"schedule": "linear", "start": 3e-3, "end": 0.0},
        "n_step": 3,
        "gradient_steps": -1,
        "target_update_every": 2,
    },
}


@dataclass(frozen=True)
class Case:
    """A configuration with a name."""

    name: str
    config: dict[str, Any]

    def __str__(self) -> str:
        return self.name


def takes(algo: str, actions: str) -> bool:
    """Whether an algorithm produces that kind of actions: discrete or box."""
    return actions in algorithm_class(algo).action_kinds


def simple_env(algo: str) -> str:
    """A fast environment whose actions the algorithm can produce."""
    return "CartPole-v1" if takes(algo, "discrete") else "Pendulum-v1"


def small_config(algo: str, env_id: str, **changes: Any) -> dict[str, Any]:
    """A run of 3,000 steps with many evaluations and checkpoints; blocks are updated."""
    config: dict[str, Any] = {
        "algo": algo,
        "env_id": env_id,
        "seed": 3,
        "device": "cpu",
        "total_timesteps": 3000,
        "hyperparameters": dict(SMALL[algo]),
        "evaluation": {"every": 500, "episodes": 3},
        "checkpoint": {"every": 400, "keep": 2},
        "logging": {"every": 200},
    }
    for key, value in changes.items():
        is_block = isinstance(value, dict) and isinstance(config.get(key), dict)
        config[key] = {**config[key], **value} if is_block else value
    return config


NORMALIZED = {"normalize_observation": True, "normalize_reward": True}


def schedule_case(algo: str) -> Case:
    """Eight environments, with schedules."""
    config = small_config(algo, simple_env(algo), num_envs=8, hyperparameters=SCHEDULES[algo])
    return Case(f"{algo}-schedules", config)


def normalized_case(algo: str) -> Case:
    """Four environments, observations and rewards normalised."""
    env_id = "Pendulum-v1" if takes(algo, "box") else "Acrobot-v1"
    config = small_config(algo, env_id, num_envs=4, environment=NORMALIZED)
    return Case(f"{algo}-normalized", config)


def torch_case(algo: str) -> Case:
    """The autograd engine."""
    return Case(f"{algo}-torch", small_config(algo, simple_env(algo), engine="torch"))


def brief(case: Case) -> Case:
    """The same with two fifths of the steps; a buffer of 1,000 still wraps around."""
    changes = {
        "total_timesteps": 1200,
        "evaluation": {"every": 200, "episodes": 3},
        "checkpoint": {"every": 160, "keep": 2},
        "logging": {"every": 80},
    }
    return Case(f"{case.name}-brief", {**case.config, **changes})


def odd_case(algo: str, engine: str) -> Case:
    """Layers and batches that fill no whole cache line: results could depend on alignment."""
    config = small_config(
        algo,
        simple_env(algo),
        num_envs=3,
        engine=engine,
        hyperparameters={"hidden_sizes": [37, 53], "batch_size": 50},
    )
    return Case(f"{algo}-odd-widths-{engine}", config)


def flag_cases(algo: str) -> list[Case]:
    """Settings of one algorithm that change what a checkpoint has to hold."""
    changes: dict[str, list[dict[str, Any]]] = {
        "dqn": [
            {"double": True},
            {"dueling": True},
            {"n_step": 5},
            {"prioritized": True},
            {"prioritized": True, "n_step": 3},
            {"loss": "squared", "tau": 0.01, "target_update_every": 1},
        ],
        "ppo": [{"gsde": True, "gsde_every": 8}],
        "sac": [
            {"entropy_coef": 0.2},
            {"n_step": 3},
            {"target_entropy": -0.5},
            {"gsde": True, "train_every": 8, "gsde_every": 3},
        ],
    }
    return [
        Case(
            f"{algo}-{'-'.join(change)}",
            small_config(
                algo,
                "Pendulum-v1" if "gsde" in change else simple_env(algo),
                hyperparameters={**SMALL[algo], **change},
            ),
        )
        for change in changes.get(algo, [])
    ]


def all_cases(algo: str) -> list[Case]:
    """Everything that is tried with an algorithm."""
    cases = [*flag_cases(algo), schedule_case(algo), normalized_case(algo), torch_case(algo)]
    cases += [odd_case(algo, "mlp"), odd_case(algo, "torch")]
    if takes(algo, "discrete"):
        cases += discrete_cases(algo)
    if takes(algo, "box"):
        cases += continuous_cases(algo)
    return cases


def discrete_cases(algo: str) -> list[Case]:
    """What is tried with discrete actions besides the cases above."""
    observation = {"normalize_observation": True}
    stochastic = {"deterministic": False}
    return [
        Case(f"{algo}-cartpole", small_config(algo, "CartPole-v1")),
        Case(f"{algo}-cartpole-no-evaluation", _without_evaluation(algo)),
        Case(
            f"{algo}-cartpole-normalized-torch",
            small_config(algo, "CartPole-v1", engine="torch", num_envs=3, environment=observation),
        ),
        Case(
            f"{algo}-cartpole-stochastic-evaluation",
            small_config(algo, "CartPole-v1", environment=observation, evaluation=stochastic),
        ),
        Case(f"{algo}-acrobot", small_config(algo, "Acrobot-v1", num_envs=2)),
        Case(f"{algo}-lunarlander", small_config(algo, "LunarLander-v3", num_envs=2)),
        Case(
            f"{algo}-lunarlander-wind",
            small_config(algo, "LunarLander-v3", environment={"kwargs": {"enable_wind": True}}),
        ),
    ]


def continuous_cases(algo: str) -> list[Case]:
    """What is tried with continuous actions besides the cases above."""
    return [
        Case(f"{algo}-pendulum", small_config(algo, "Pendulum-v1")),
        Case(
            f"{algo}-pendulum-torch",
            small_config(algo, "Pendulum-v1", engine="torch", environment=NORMALIZED),
        ),
        Case(
            f"{algo}-mountaincar",
            small_config(algo, "MountainCarContinuous-v0", environment=NORMALIZED),
        ),
        Case(f"{algo}-bipedalwalker", small_config(algo, "BipedalWalker-v3", num_envs=2)),
        Case(
            f"{algo}-halfcheetah",
            small_config(algo, "HalfCheetah-v5", num_envs=2, environment=NORMALIZED),
        ),
        Case(
            f"{algo}-hopper-frames",
            small_config(algo, "Hopper-v5", environment={"frame_stack": 3, **NORMALIZED}),
        ),
    ]


def _without_evaluation(algo: str) -> dict[str, Any]:
    config = small_config(algo, "CartPole-v1", evaluation={"every": 0})
    return {**config, "benchmark": {"best_metric": None}}
