"""Making single environments: by id, with wrappers, with errors a user can act on."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple

from axiomrl.config.schema import EnvironmentConfig
from axiomrl.errors import UnusableEnvironmentError, did_you_mean

# Environments that carry state from one episode to the next: a seeded reset does not bring them
# back to the same start, so each episode needs an object of its own. Names without version.
CARRIES_STATE = ("BipedalWalker", "BipedalWalkerHardcore")

# Where an environment's code lives, and the extra that installs what it needs.
EXTRA_OF_MODULE = {
    "gymnasium.envs.box2d": "box2d",
    "gymnasium.envs.mujoco": "mujoco",
    "ale_py": "atari",
    "minigrid": "minigrid",
}
PLUGINS = {"ALE/": "ale_py", "MiniGrid-": "minigrid", "BabyAI-": "minigrid"}


class MadeEnvironment(NamedTuple):
    """One environment and the number of steps after which the caller must truncate it.

    `limit` is 0 where the environment truncates itself.
    """

    env: Any
    limit: int


class EnvironmentFactory:
    """Makes the environments of one configuration; all of them alike.

    Gymnasium's own TimeLimit and OrderEnforcing wrappers are taken off where nothing is wrapped
    around them (the time limit becomes `MadeEnvironment.limit`): they cost a tenth of a step.
    Raises UnusableEnvironmentError when an environment cannot be made.
    """

    def __init__(self, env_id: str, settings: EnvironmentConfig) -> None:
        self.env_id = env_id
        self.settings = settings
        name = env_id.rpartition(":")[2].partition("-v")[0]
        fresh = settings.fresh_each_episode
        self.fresh_each_episode = name in CARRIES_STATE if fresh is None else fresh
        _import_module(env_id)
        _load_plugin(env_id)
        _quiet_mujoco(env_id)

    def make(self) -> MadeEnvironment:
        """A new environment."""
        import gymnasium

        settings = self.settings
        keywords = dict(settings.kwargs)
        if settings.max_episode_steps is not None:
            keywords["max_episode_steps"] = settings.max_episode_steps
        try:
            with warnings.catch_warnings():
                # the id's deprecation and the like are the author's business, not each run's
                warnings.simplefilter("ignore")
                env = gymnasium.make(self.env_id, disable_env_checker=True, **keywords)
        except Exception as error:
            raise _explain(self.env_id, error) from error
        if not settings.wrappers and settings.frame_stack == 1:
            return _strip(env)
        for wrapper in settings.wrappers:
            env = _wrap(env, wrapper.path, wrapper.kwargs)
        if settings.frame_stack > 1:
            env = gymnasium.wrappers.FrameStackObservation(env, settings.frame_stack)
        return MadeEnvironment(env, 0)


def evaluation_settings(settings: EnvironmentConfig) -> EnvironmentConfig:
    """The environment settings used for scoring: training's, with the overrides put in."""
    overrides = dict(settings.evaluation)
    if "wrappers" in overrides:
        overrides["wrappers"] = tuple(overrides["wrappers"])
    known = {field.name for field in fields(settings)} - {"evaluation"}
    return replace(
        settings,
        evaluation={},
        **{name: value for name, value in overrides.items() if name in known},
    )


def _quiet_mujoco(env_id: str) -> None:
    """Send MuJoCo's messages through Python's warnings.

    By itself it prints them to stdout and writes MUJOCO_LOG.TXT into the working directory, even
    for what only the authors of Gymnasium's models can change (deprecations).
    """
    import gymnasium

    spec = gymnasium.registry.get(env_id.rpartition(":")[2])
    if spec is None or not str(spec.entry_point).startswith("gymnasium.envs.mujoco"):
        return
    try:
        import mujoco
    except ImportError:
        return  # making the environment will say which extra is missing

    def show(message: str) -> None:
        if "deprecated" not in message:
            warnings.warn(f"MuJoCo: {message}", RuntimeWarning, stacklevel=2)

    mujoco.set_mju_user_warning(show)


def _strip(env: Any) -> MadeEnvironment:
    from gymnasium.wrappers import OrderEnforcing, TimeLimit

    limit = 0
    if type(env) is TimeLimit:
        limit = int(env._max_episode_steps)
        env = env.env
    if type(env) is OrderEnforcing:
        env = env.env
    return MadeEnvironment(env, limit)


def _wrap(env: Any, path: str, keywords: Mapping[str, Any]) -> Any:
    where = f"environment.wrappers: {path}"
    module, _, name = path.partition(":")
    if not name:
        raise UnusableEnvironmentError(f"{where} is not an import path", hint="module:Class")
    try:
        wrapper = getattr(importlib.import_module(module), name)
    except Exception as error:
        raise UnusableEnvironmentError(f"{where} cannot be imported: {error}") from error
    try:
        return wrapper(env, **keywords)
    except Exception as error:
        raise UnusableEnvironmentError(f"{where} cannot be applied: {error}") from error


def _import_module(env_id: str) -> None:
    """Import the module of `module:Id`, which registers the environment."""
    module = env_id.rpartition(":")[0]
    if not module:
        return
    try:
        importlib.import_module(module)
    except Exception as error:
        raise UnusableEnvironmentError(
            f"env_id: {env_id}: module {module!r} cannot be imported: "
            f"{type(error).__name__}: {error}",
            hint="install the package that holds it, or correct the name",
        ) from error


def _load_plugin(env_id: str) -> None:
    for prefix, package in PLUGINS.items():
        if not env_id.startswith(prefix):
            continue
        try:
            import gymnasium

            gymnasium.register_envs(importlib.import_module(package))
        except ImportError as error:
            raise _not_installed(env_id, EXTRA_OF_MODULE[package]) from error


def _explain(env_id: str, error: Exception) -> UnusableEnvironmentError:
    """What a failure to make an environment means for the user."""
    import gymnasium
    from gymnasium import error as gym_error

    name = env_id.rpartition(":")[2]
    spec = gymnasium.registry.get(name)
    if isinstance(error, (gym_error.DependencyNotInstalled, ImportError)):
        entry = str(spec.entry_point) if spec is not None else ""
        for module, extra in EXTRA_OF_MODULE.items():
            if entry.startswith(module):
                return _not_installed(env_id, extra)
        return UnusableEnvironmentError(f"env_id: {env_id} needs a missing package: {error}")
    if spec is None and isinstance(error, gym_error.Error):
        return UnusableEnvironmentError(
            f"env_id: {env_id!r} is not a known environment",
            hint=did_you_mean(name, gymnasium.registry, count=3)
            or "custom environments: --import my_package, or env_id: my_package:MyEnv-v0",
        )
    return UnusableEnvironmentError(
        f"env_id: {env_id} cannot be made: {type(error).__name__}: {error}",
        hint="look at environment.kwargs",
    )


def _not_installed(env_id: str, extra: str) -> UnusableEnvironmentError:
    return UnusableEnvironmentError(
        f"env_id: {env_id} belongs to a family of environments that is not installed",
        hint=f"pip install 'axiomrl[{extra}]'",
    )
