"""The algorithms by name. Each is imported only when a configuration for it is resolved."""

from __future__ import annotations

import importlib
from typing import Any

from axiomrl.errors import ConfigError, did_you_mean

ALGORITHMS: dict[str, str] = {
    "dqn": "axiomrl.algorithms.dqn:DQN",
    "ppo": "axiomrl.algorithms.ppo:PPO",
    "sac": "axiomrl.algorithms.sac:SAC",
}


def register(name: str, path: str) -> None:
    """Make an algorithm known under a name; `path` is `"package.module:Class"`."""
    ALGORITHMS[name] = path


def algorithm_class(name: str) -> Any:
    """The class of an algorithm; its `config_class` is the dataclass of its settings.

    Raises ConfigError for a name that is not registered.
    """
    if name not in ALGORITHMS:
        hint = did_you_mean(name, ALGORITHMS) or f"known algorithms: {', '.join(ALGORITHMS)}"
        raise ConfigError(f"algo: {name!r} is not a known algorithm", hint=hint)
    module, _, attribute = ALGORITHMS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
