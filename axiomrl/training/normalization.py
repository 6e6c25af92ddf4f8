"""Running mean and variance of observations, and the scale of rewards."""

from __future__ import annotations

from typing import Any

import numpy as np

from axiomrl.training.buffers import Array

CLIP = 10.0  # normalised observations and rewards are kept within ±CLIP
EPSILON = 1e-8


class RunningMoments:
    """Mean and variance of everything seen, merged batch by batch (Chan et al. 1979)."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.mean = np.zeros(shape)
        self.variance = np.ones(shape)
        self.count = 1e-4  # a prior of mean 0, variance 1 with next to no weight

    def update(self, batch: Array) -> None:
        """Merge a batch [B, *shape]."""
        rows = len(batch)
        mean = batch.mean(axis=0, dtype=np.float64)
        variance = batch.var(axis=0, dtype=np.float64)
        delta = mean - self.mean
        total = self.count + rows
        spread = delta * delta * (self.count * rows / total)
        self.variance = (self.variance * self.count + variance * rows + spread) / total
        self.mean = self.mean + delta * (rows / total)
        self.count = total

    def state_dict(self) -> dict[str, Any]:
        """Mean, variance and count."""
        return {"mean": self.mean, "variance": self.variance, "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self.mean = np.array(state["mean"])
        self.variance = np.array(state["variance"])
        self.count = float(state["count"])


class ObservationNormalizer:
    """Shifts and scales observations [..., D] by statistics that change once per block."""

    def __init__(self, size: int) -> None:
        self._moments = RunningMoments((size,))
        self._refresh()

    def _refresh(self) -> None:
        self._shift = self._moments.mean.astype(np.float32)
        self._scale = (1.0 / np.sqrt(self._moments.variance + EPSILON)).astype(np.float32)

    def update(self, observations: Array) -> None:
        """Merge raw observations [B, D]; what `normalize` returns changes from here on."""
        self._moments.update(observations)
        self._refresh()

    def normalize(self, observation: Array, out: Array | None = None) -> Array:
        """(observation - mean) / standard deviation, within ±10."""
        centred = np.subtract(observation, self._shift, out=out)
        centred *= self._scale
        # np.clip's wrapper costs several times the clipping of one observation
        np.minimum(centred, CLIP, out=centred)
        return np.maximum(centred, -CLIP, out=centred)

    def state_dict(self) -> dict[str, Any]:
        """The moments."""
        return self._moments.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self._moments.load_state_dict(state)
        self._refresh()


class RewardNormalizer:
    """Divides rewards by the running standard deviation of the discounted return.

    The return of each environment restarts at an episode's end. The statistics change once per
    block, before the block's rewards are scaled, so that the first block is scaled too.
    """

    def __init__(self, num_envs: int, gamma: float) -> None:
        self._gamma = gamma
        self._returns = [0.0] * num_envs
        self._moments = RunningMoments(())

    def normalize(self, reward: Array, ended: Array) -> Array:
        """Scaled rewards [T, N] within ±10; `ended` marks each episode's last step."""
        columns = []
        for index, (rewards, ends) in enumerate(
            zip(reward.T.tolist(), ended.T.tolist(), strict=True)
        ):
            running = self._returns[index]
            column = []
            for step_reward, is_last in zip(rewards, ends, strict=True):
                running = running * self._gamma + step_reward
                column.append(running)
                if is_last:
                    running = 0.0
            self._returns[index] = running
            columns.append(column)
        self._moments.update(np.array(columns).ravel())
        scale = 1.0 / np.sqrt(self._moments.variance + EPSILON)
        return np.clip(reward * np.float32(scale), -CLIP, CLIP)

    def state_dict(self) -> dict[str, Any]:
        """The moments and the running returns."""
        return {"moments": self._moments.state_dict(), "returns": list(self._returns)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self._moments.load_state_dict(state["moments"])
        self._returns = [float(value) for value in state["returns"]]
