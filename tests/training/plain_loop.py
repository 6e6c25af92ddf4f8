"""The obvious loop over one Gymnasium environment, as an independent second opinion."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from axiomrl.training.seeding import Stream, episode_seed


@dataclass
class Recorded:
    """What one environment went through; lists of length T, episodes as they ended."""

    observation: list[Any] = field(default_factory=list)
    reward: list[float] = field(default_factory=list)
    terminated: list[bool] = field(default_factory=list)
    truncated: list[bool] = field(default_factory=list)
    next_observation: list[Any] = field(default_factory=list)
    episodes: list[tuple[float, int]] = field(default_factory=list)  # (return, length)


def play(make: Callable[[], Any], actions: Sequence[Any], *, seed: int, index: int) -> Recorded:
    """Take the actions in turn, starting a new seeded episode after each end.

    A step that terminates counts as terminated only, even where a limit was reached with it.
    """
    env = make()
    recorded = Recorded()
    episode, total, length = 0, 0.0, 0
    seen, _ = env.reset(seed=episode_seed(seed, Stream.TRAINING, index, episode))
    for action in actions:
        recorded.observation.append(np.array(seen, dtype=np.float32).ravel())
        seen, reward, terminated, truncated, _ = env.step(action)
        recorded.next_observation.append(np.array(seen, dtype=np.float32).ravel())
        recorded.reward.append(float(reward))
        recorded.terminated.append(bool(terminated))
        recorded.truncated.append(bool(truncated and not terminated))
        total, length = total + float(reward), length + 1
        if terminated or truncated:
            recorded.episodes.append((total, length))
            episode, total, length = episode + 1, 0.0, 0
            seen, _ = env.reset(seed=episode_seed(seed, Stream.TRAINING, index, episode))
    env.close()
    return recorded


class Script:
    """Acts by a fixed [T, N, ...] table of actions, one row per call."""

    def __init__(self, actions: np.ndarray) -> None:
        self._rows: Iterator[np.ndarray] = iter(actions)

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        return next(self._rows)
