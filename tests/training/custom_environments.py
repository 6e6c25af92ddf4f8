"""Small environments that show one thing each; importing this module registers them."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class Counting(gymnasium.Env[Any, Any]):
    """Observes (steps so far, a number drawn at reset); `ends` after a number of steps.

    How it ends by itself is `ending`: terminated, truncated, both, or never.
    """

    action_space = spaces.Discrete(3)
    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)

    def __init__(self, ends: int = 4, ending: str = "terminated") -> None:
        self._ends, self._ending = ends, ending
        self._step, self._drawn = 0, 0.0
        self.is_closed = False

    def _observation(self) -> np.ndarray:
        return np.array([self._step, self._drawn], dtype=np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self._step, self._drawn = 0, float(self.np_random.integers(1000))
        return self._observation(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self._step += 1
        over = self._step >= self._ends
        terminated = over and self._ending in ("terminated", "both")
        truncated = over and self._ending in ("truncated", "both")
        return self._observation(), 10.0 * self._step + action, terminated, truncated, {}

    def close(self) -> None:
        self.is_closed = True


class CarriesState(Counting):
    """Counts episodes over resets and observes the count: a seeded reset does not undo it."""

    def __init__(self) -> None:
        super().__init__(ends=4)
        self._episodes = 0

    def _observation(self) -> np.ndarray:
        return np.array([self._step, self._episodes], dtype=np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        self._episodes += 1
        return super().reset(seed=seed)


class Unseeded(Counting):
    """Draws from a generator of its own, which a seeded reset does not touch."""

    def __init__(self) -> None:
        super().__init__(ends=5)
        self._own = np.random.default_rng(0)

    def _observation(self) -> np.ndarray:
        return np.array([self._step, self._own.random()], dtype=np.float32)


class ReusesItsBuffer(Counting):
    """Hands out one and the same observation array every time, overwritten by each step."""

    def __init__(self) -> None:
        super().__init__(ends=4)
        self._buffer = np.zeros(2, dtype=np.float32)

    def _observation(self) -> np.ndarray:
        self._buffer[:] = self._step, self._drawn
        return self._buffer


class Mixed(gymnasium.Env[Any, Any]):
    """Dict observations with everything in them, and any action space."""

    def __init__(self, observation_space: Any = None, action_space: Any = None) -> None:
        self.observation_space = observation_space or spaces.Dict(
            {
                "position": spaces.Box(-1.0, 1.0, (2, 2), np.float64),
                "inner": spaces.Tuple([spaces.Discrete(3), spaces.MultiBinary(2)]),
            }
        )
        self.action_space = action_space or spaces.MultiDiscrete([3, 2])
        self.taken: list[Any] = []

    def _observation(self) -> Any:
        self.observation_space.seed(int(self.np_random.integers(2**31)))
        return self.observation_space.sample()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self._observation(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        self.taken.append(action)
        return self._observation(), float(np.sum(action)), False, False, {}


ENVIRONMENTS: dict[str, Any] = {
    "Counting-v0": Counting,
    "CarriesState-v0": CarriesState,
    "Unseeded-v0": Unseeded,
    "ReusesItsBuffer-v0": ReusesItsBuffer,
    "Mixed-v0": Mixed,
}


def register() -> None:
    """Make every environment above known."""
    for name, kind in ENVIRONMENTS.items():
        if name not in gymnasium.registry:
            limit = 20 if kind is Mixed else None
            gymnasium.register(name, entry_point=kind, max_episode_steps=limit)


register()  # for those that import this module by `module:Id`
