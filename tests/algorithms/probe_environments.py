"""Environments so small that what must be learned is known exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

Made = tuple[np.ndarray, dict[str, Any]]
Stepped = tuple[np.ndarray, float, bool, bool, dict[str, Any]]


class Probe(gymnasium.Env[Any, Any]):
    """Observes one number; subclasses say what a step does."""

    observation_space = spaces.Box(-1.0, 1.0, (1,))
    action_space: Any = spaces.Discrete(2)

    def __init__(self) -> None:
        self._seen = 0.0
        self._steps = 0

    def _first(self) -> float:
        return 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Made:
        super().reset(seed=seed)
        self._steps, self._seen = 0, self._first()
        return self._observation(), {}

    def _observation(self) -> np.ndarray:
        return np.array([self._seen], dtype=np.float32)


class ConstantReward(Probe):
    """One step, reward 1: the value is 1."""

    def step(self, action: Any) -> Stepped:
        return self._observation(), 1.0, True, False, {}


class RewardOfObservation(Probe):
    """One step, reward equal to the observation, which is -1 or 1."""

    def _first(self) -> float:
        return float(self.np_random.choice([-1.0, 1.0]))

    def step(self, action: Any) -> Stepped:
        return self._observation(), self._seen, True, False, {}


class DelayedReward(Probe):
    """Observes 0, then 1, and gets 1 for the second step: values gamma and 1."""

    def step(self, action: Any) -> Stepped:
        self._steps += 1
        self._seen = 1.0
        is_over = self._steps == 2
        return self._observation(), float(is_over), is_over, False, {}


class BetterAction(Probe):
    """One step, reward 1 for action 1 and -1 for action 0."""

    def step(self, action: Any) -> Stepped:
        return self._observation(), 1.0 if action == 1 else -1.0, True, False, {}


class MatchingAction(RewardOfObservation):
    """One step, reward 1 if the action is 1 where 1 is observed and 0 where -1 is, else -1."""

    def step(self, action: Any) -> Stepped:
        is_right = (action == 1) == (self._seen > 0.0)
        return self._observation(), 1.0 if is_right else -1.0, True, False, {}


class MatchingActions(MatchingAction):
    """Two choices, the first to match the observation and the second to oppose it."""

    action_space = spaces.MultiDiscrete([2, 3])

    def step(self, action: Any) -> Stepped:
        wanted = (1, 0) if self._seen > 0.0 else (0, 2)
        reward = float(action[0] == wanted[0]) + float(action[1] == wanted[1])
        return self._observation(), reward, True, False, {}


class MatchingTarget(RewardOfObservation):
    """One step, a number close to half the observation is best."""

    action_space = spaces.Box(-1.0, 1.0, (1,))

    def step(self, action: Any) -> Stepped:
        distance = float(action[0]) - 0.5 * self._seen
        return self._observation(), -(distance**2), True, False, {}


class EndlessReward(Probe):
    """Reward 1 in every step, for ever, unless `length` steps end an episode as a termination."""

    def __init__(self, length: int | None = None) -> None:
        super().__init__()
        self._length = length

    def step(self, action: Any) -> Stepped:
        self._steps += 1
        return self._observation(), 1.0, self._steps == self._length, False, {}


PROBES: tuple[type[Probe], ...] = (
    ConstantReward,
    RewardOfObservation,
    DelayedReward,
    BetterAction,
    MatchingAction,
    MatchingActions,
    MatchingTarget,
    EndlessReward,
)


def register() -> None:
    """Make every probe known as `<class name>-v0`."""
    for kind in PROBES:
        name = f"{kind.__name__}-v0"
        if name not in gymnasium.registry:
            maker: Callable[..., Any] = kind
            gymnasium.register(name, entry_point=maker)
