"""Which replayed transitions a gradient step sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from axiomrl.training.buffers import Array
from axiomrl.training.replay import Replay, SumTree

PRIORITY_EPSILON = 1e-6  # added to |TD error|, so that nothing is never drawn again


@dataclass(slots=True)
class Batch:
    """B transitions: a structured array with Replay's fields, and where they came from."""

    rows: Array  # [B]
    places: Array  # [B] in the buffer
    weights: Array | None  # [B] importance weights, at most 1; None: all equal


class Uniform:
    """Every transition held is as likely as any other."""

    def __init__(self, replay: Replay, generator: np.random.Generator) -> None:
        self._replay = replay
        self._generator = generator

    def added(self, places: Array) -> None:
        """Nothing to do for new transitions."""

    def draw(self, count: int, size: int, beta: float) -> Iterator[Batch]:
        """`count` batches of `size` transitions, places drawn at once, with replacement."""
        for places in self._generator.integers(self._replay.size, size=(count, size)):
            yield Batch(self._replay.rows.take(places), places, None)

    def learned(self, batch: Batch, error: Any) -> None:
        """Nothing to do about TD errors."""

    def state_dict(self) -> dict[str, Any]:
        """The generator."""
        return {"generator": self._generator.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self._generator.bit_generator.state = state["generator"]


class Prioritized:
    """Proportional prioritisation (Schaul et al. 2016, section 3.3).

    P(i) = p_i^alpha / sum p^alpha with p_i = |TD error| + 1e-6; weights (N · P(i))^-beta, divided
    by the largest in the batch. New transitions get the highest priority there has been. The
    batch is stratified: one draw from each of `size` equal parts of the total.
    """

    def __init__(self, replay: Replay, generator: np.random.Generator, *, alpha: float) -> None:
        self._replay = replay
        self._generator = generator
        self._alpha = alpha
        self._tree = SumTree(replay.capacity)
        self._highest = 1.0  # to the power alpha

    def added(self, places: Array) -> None:
        """New transitions are as urgent as the most urgent so far."""
        if len(places):
            self._tree.set(places, np.full(len(places), self._highest))

    def draw(self, count: int, size: int, beta: float) -> Iterator[Batch]:
        """`count` batches of `size` transitions, each by the priorities at its time."""
        for offsets in self._generator.random((count, size)):
            total = self._tree.total
            masses = (np.arange(size) + offsets) * (total / size)
            places = self._tree.find(masses)
            share = self._tree.priorities[places] / total
            weights = (self._replay.size * share) ** -beta
            weights = (weights / weights.max()).astype(np.float32)
            yield Batch(self._replay.rows.take(places), places, weights)

    def learned(self, batch: Batch, error: Any) -> None:
        """Take over the TD errors [B] as priorities."""
        size = np.abs(np.asarray(error.cpu() if hasattr(error, "cpu") else error, dtype=np.float64))
        priorities = (size + PRIORITY_EPSILON) ** self._alpha
        self._highest = max(self._highest, float(priorities.max()))
        self._tree.set(batch.places, priorities)

    def state_dict(self) -> dict[str, Any]:
        """The generator and all priorities."""
        return {
            "generator": self._generator.bit_generator.state,
            "priorities": self._tree.priorities[: self._replay.size].copy(),
            "highest": self._highest,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state; the replay's count must have been restored before."""
        self._generator.bit_generator.state = state["generator"]
        self._highest = float(state["highest"])
        whole = np.zeros(self._replay.capacity)
        whole[: len(state["priorities"])] = state["priorities"]
        self._tree.load(whole)
