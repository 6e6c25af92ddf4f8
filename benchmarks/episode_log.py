"""A wrapper that keeps the return of every finished episode, for the learning gates.

Timed runs do not use it: it costs a Python call per step.
"""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium


class EpisodeLog(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Appends each finished episode's return to `returns`, shared by all environments."""

    returns: ClassVar[list[float]] = []

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self._episode_return = 0.0

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        """Start counting anew."""
        self._episode_return = 0.0
        return self.env.reset(**arguments)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Add the reward; an episode that ends is recorded."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._episode_return += float(reward)
        if terminated or truncated:
            self.returns.append(self._episode_return)
        return observation, reward, terminated, truncated, info
