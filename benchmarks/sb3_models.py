"""Stable-Baselines3 models and environments from axiomrl's settings. Runs in .venv-bench."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import torch
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecEnv, VecFrameStack, VecNormalize

ALGORITHMS = {"dqn": DQN, "ppo": PPO, "sac": SAC}

# axiomrl's name -> Stable-Baselines3's.
SETTINGS = {
    "ppo": {
        "n_steps": "n_steps",
        "batch_size": "batch_size",
        "n_epochs": "n_epochs",
        "learning_rate": "learning_rate",
        "gamma": "gamma",
        "gae_lambda": "gae_lambda",
        "clip_range": "clip_range",
        "clip_range_value": "clip_range_vf",
        "entropy_coef": "ent_coef",
        "value_coef": "vf_coef",
        "max_grad_norm": "max_grad_norm",
        "target_kl": "target_kl",
        "gsde": "use_sde",
        "normalize_advantage": "normalize_advantage",
    },
}
_OFF_POLICY = {
    "learning_rate": "learning_rate",
    "buffer_size": "buffer_size",
    "learning_starts": "learning_starts",
    "batch_size": "batch_size",
    "gamma": "gamma",
    "train_every": "train_freq",
    "gradient_steps": "gradient_steps",
    "target_update_every": "target_update_interval",
    "tau": "tau",
}
SETTINGS["dqn"] = {**_OFF_POLICY, "max_grad_norm": "max_grad_norm"}
SETTINGS["sac"] = {
    **_OFF_POLICY,
    "entropy_coef": "ent_coef",
    "target_entropy": "target_entropy",
    "gsde": "use_sde",
}
# Settings of ours that the peer lacks, with the only values that mean what the peer does.
ABSENT = {
    "double": (False,),
    "dueling": (False,),
    "prioritized": (False,),
    "n_step": (1,),
    "prioritized_alpha": (0.6,),  # without effect, as prioritized is off
    "prioritized_beta": ({"schedule": "linear", "start": 0.4, "end": 1.0, "until": 1.0},),
    "entropy_coef_init": (1.0,),
    "loss": ("huber", "squared"),  # the peer has Huber's only; the cost is the same
}
SCHEDULABLE = ("learning_rate", "clip_range", "clip_range_value")
ACTIVATIONS = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU, "elu": torch.nn.ELU}


def make_environments(settings: Mapping[str, Any], *, seed: int, num_envs: int) -> VecEnv:
    """The environments of a resolved configuration, without normalisation."""
    environment = settings.get("environment") or {}
    limit = environment.get("max_episode_steps")
    keywords = dict(environment.get("kwargs") or {})
    if limit is not None:
        keywords["max_episode_steps"] = limit

    def make() -> gymnasium.Env[Any, Any]:
        made = gymnasium.make(settings["env_id"], **keywords)
        for wrapper in environment.get("wrappers") or ():
            module, _, name = wrapper["path"].partition(":")
            made = getattr(importlib.import_module(module), name)(made, **wrapper["kwargs"])
        return made

    made = make_vec_env(make, n_envs=num_envs, seed=seed)
    frames = environment.get("frame_stack", 1)
    return VecFrameStack(made, frames) if frames > 1 else made


def normalized(environments: VecEnv, settings: Mapping[str, Any]) -> VecEnv:
    """The same environments with the configuration's normalisation, if it asks for any."""
    environment = settings.get("environment") or {}
    observation = environment.get("normalize_observation", False)
    reward = environment.get("normalize_reward", False)
    if not (observation or reward):
        return environments
    return VecNormalize(
        environments,
        norm_obs=observation,
        norm_reward=reward,
        gamma=settings["hyperparameters"].get("gamma", 0.99),
    )


def make_model(settings: Mapping[str, Any], *, seed: int) -> Any:
    """An untrained model that does what the settings say, with the library's own logging."""
    algo = settings["algo"]
    environments = make_environments(settings, seed=seed, num_envs=settings["num_envs"])
    return ALGORITHMS[algo](
        "MlpPolicy",
        normalized(environments, settings),
        seed=seed,
        device="cpu",
        **model_arguments(algo, settings["hyperparameters"]),
    )


def model_arguments(algo: str, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments of the model's class.

    Raises KeyError for a setting that has no counterpart: leaving it out would measure other work.
    """
    values = dict(hyperparameters)
    policy = _policy_arguments(values)
    every = values.pop("gsde_every", 0)
    if algo != "ppo":
        _drop_absent(values)
    exploration = _exploration(values.pop("epsilon")) if "epsilon" in values else {}
    names = SETTINGS[algo]
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise KeyError(f"no Stable-Baselines3 counterpart of {', '.join(unknown)} in {__name__}")
    for name, value in values.items():
        if isinstance(value, Mapping) and name not in SCHEDULABLE:
            raise KeyError(f"Stable-Baselines3 takes no schedule for {name}")
    arguments = {names[name]: schedule(value) for name, value in values.items()}
    arguments.update(exploration)
    if every:
        arguments["sde_sample_freq"] = every
    return {**arguments, "policy_kwargs": policy} if policy else arguments


def _policy_arguments(values: dict[str, Any]) -> dict[str, Any]:
    """Arguments of the policy's class; their settings are taken out of `values`."""
    policy: dict[str, Any] = {}
    if "hidden_sizes" in values:
        policy["net_arch"] = list(values.pop("hidden_sizes"))
    if "activation" in values:
        policy["activation_fn"] = ACTIVATIONS[values.pop("activation")]
    if "orthogonal_init" in values:
        policy["ortho_init"] = values.pop("orthogonal_init")
    if "log_std_init" in values:
        policy["log_std_init"] = values.pop("log_std_init")
    gsde_log_std_init = values.pop("gsde_log_std_init", None)
    if values.get("gsde") and gsde_log_std_init is not None:
        policy["log_std_init"] = gsde_log_std_init
    if "adam_epsilon" in values:
        policy["optimizer_kwargs"] = {"eps": values.pop("adam_epsilon")}
    return policy


def _drop_absent(values: dict[str, Any]) -> None:
    for name, allowed in ABSENT.items():
        if name in values and values.pop(name) not in allowed:
            raise KeyError(f"Stable-Baselines3 has no counterpart of {name}")


def _exploration(epsilon: Any) -> dict[str, Any]:
    """DQN's epsilon as the three numbers that the peer takes."""
    if not isinstance(epsilon, Mapping):
        return {"exploration_initial_eps": epsilon, "exploration_final_eps": epsilon}
    return {
        "exploration_initial_eps": epsilon["start"],
        "exploration_final_eps": epsilon["end"],
        "exploration_fraction": epsilon.get("until", 1.0),
    }


def schedule(value: Any) -> Any:
    """A number as it is; a schedule as a function of the share of training that is left."""
    if not isinstance(value, Mapping):
        return value
    start = value["start"]
    end = start if value.get("end") is None else value["end"]
    kind = value.get("schedule", "linear")
    if kind == "constant":
        return start
    if kind == "linear":
        return _linear(start, end)
    raise KeyError(f"no Stable-Baselines3 counterpart of the schedule {kind!r} in {__name__}")


def _linear(start: float, end: float) -> Callable[[float], float]:
    return lambda remaining: end + (start - end) * remaining
