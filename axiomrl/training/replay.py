"""Replay memory for off-policy methods.

A transition is one row of a ring buffer, all its parts side by side, so that a minibatch is one
gather. A row already holds what a target needs: the n-step return, and the discount of the value
that follows it (0 after a termination, never 0 after a truncation).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from axiomrl.errors import ConfigError, InputError
from axiomrl.training.buffers import Array
from axiomrl.training.environments import Transitions

FREE_MEMORY_SHARE = 0.9  # of the memory that is free at the start may be taken by a buffer


class Replay:
    """A ring buffer of the newest `capacity` transitions.

    Rows are counted from the first ever added; `rows[count % capacity]` is written next. Fields
    of a row: observation [D], next_observation [D] (as the environment gave them, not
    normalised), action, reward, discount. Memory is taken when a row is first written; that all of
    it will fit is checked at once, unless the buffer stays empty (`will_be_filled`).
    """

    def __init__(
        self,
        capacity: int,
        *,
        observation_size: int,
        action_shape: tuple[int, ...],
        action_dtype: Any,
        observation_dtype: Any = np.float32,
        will_be_filled: bool = True,
    ) -> None:
        row = np.dtype(
            [
                ("observation", observation_dtype, (observation_size,)),
                ("next_observation", observation_dtype, (observation_size,)),
                ("action", action_dtype, action_shape),
                ("reward", np.float32),
                ("discount", np.float32),
            ],
            align=True,
        )
        self.capacity = capacity
        self.count = 0  # rows ever added
        if will_be_filled:
            _require_memory(capacity, row.itemsize)
        self.rows = np.zeros(capacity, dtype=row)
        self._parts = {name: self.rows[name] for name in row.names or ()}  # views

    @property
    def size(self) -> int:
        """Rows that can be sampled."""
        return min(self.count, self.capacity)

    @property
    def nbytes(self) -> int:
        """Memory of the full buffer, in bytes."""
        return self.rows.nbytes

    def add(
        self,
        observation: Array,
        next_observation: Array,
        action: Array,
        reward: Array,
        discount: Array,
    ) -> Array:
        """Append K transitions, oldest first; the places [K] they were put in."""
        start = self.count % self.capacity
        stop = start + len(reward)
        places = np.arange(start, stop)
        where: Any = slice(start, stop)  # several times as fast as a list of places
        if stop > self.capacity:
            places %= self.capacity
            where = places
        parts = self._parts
        parts["observation"][where] = observation
        parts["next_observation"][where] = next_observation
        parts["action"][where] = action
        parts["reward"][where] = reward
        parts["discount"][where] = discount
        self.count += len(reward)
        return places

    def between(self, start: int, stop: int) -> Array:
        """Rows number `start` to `stop` - 1, counted from the first ever added, as a copy."""
        return self.rows[np.arange(start, stop) % self.capacity]

    def restore(self, start: int, rows: Array) -> None:
        """Put back rows that `between` gave, the first of which has number `start`."""
        self.rows[np.arange(start, start + len(rows)) % self.capacity] = rows


class NStep:
    """Turns blocks of single steps into n-step transitions (Sutton 1988; Rainbow, eq. 1).

    A transition starts at every step. It ends n steps later or where its episode ends, whichever
    comes first, and never crosses an episode's end. Its discount is gamma to the number of steps,
    or 0 after a termination; a truncated one bootstraps from the final observation.
    """

    def __init__(self, n: int, gamma: float) -> None:
        self._n = n
        self._gamma = gamma
        self._carried: dict[str, Array] = {}  # the last n - 1 steps of all environments
        self._powers = np.float32(gamma) ** np.arange(n + 1, dtype=np.float32)

    def push(self, transitions: Transitions) -> tuple[Array, Array, Array, Array, Array]:
        """The transitions that are complete now.

        Arrays of K rows, older starts first: observation, next observation, action, reward
        (the discounted sum), discount.
        """
        if self._n == 1:
            discount = np.where(transitions.terminated, np.float32(0.0), self._powers[1])
            return (
                _flatten(transitions.raw_observation),
                _flatten(transitions.raw_next_observation),
                _flatten(transitions.action),
                transitions.reward.reshape(-1),
                discount.reshape(-1),
            )
        block = {
            "observation": transitions.raw_observation,
            "next_observation": transitions.raw_next_observation,
            "action": transitions.action,
            "reward": transitions.reward,
            "terminated": transitions.terminated,
            "truncated": transitions.truncated,
            "is_given": np.zeros(transitions.reward.shape, dtype=bool),
        }
        if self._carried:
            block = {name: np.concatenate([self._carried[name], block[name]]) for name in block}
        return self._complete(block)

    def _complete(self, block: dict[str, Array]) -> tuple[Array, Array, Array, Array, Array]:
        steps, envs = block["reward"].shape
        ends = block["terminated"] | block["truncated"]
        total = np.zeros((steps, envs), dtype=np.float32)
        length = np.zeros((steps, envs), dtype=np.int64)
        is_open = np.ones((steps, envs), dtype=bool)  # the episode has not ended yet
        for ahead in range(min(self._n, steps)):
            within = steps - ahead
            now = is_open[:within]
            total[:within] += np.where(now, self._powers[ahead] * block["reward"][ahead:], 0.0)
            length[:within] += now
            is_open[:within] &= ~ends[ahead:]
        is_complete = ~is_open | (length == self._n)
        starts, columns = np.nonzero(is_complete & ~block["is_given"])
        spans = length[starts, columns]
        lasts = starts + spans - 1
        discount = np.where(block["terminated"][lasts, columns], 0.0, self._powers[spans])
        block["is_given"] = block["is_given"] | is_complete
        kept = max(steps - (self._n - 1), 0)
        self._carried = {name: part[kept:].copy() for name, part in block.items()}
        return (
            block["observation"][starts, columns],
            block["next_observation"][lasts, columns],
            block["action"][starts, columns],
            total[starts, columns],
            discount.astype(np.float32),
        )

    def state_dict(self) -> dict[str, Any]:
        """The steps whose transitions are not complete yet."""
        return {"carried": dict(self._carried)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self._carried = {name: np.array(part) for name, part in state["carried"].items()}


class SumTree:
    """Priorities of a buffer's places, drawn from in proportion (Schaul et al. 2016, B.2.1).

    A complete binary tree in one array: node i has the children 2i and 2i + 1, leaves hold the
    priorities, every other node the sum of its children.
    """

    def __init__(self, capacity: int) -> None:
        self._leaves = 1 << max(capacity - 1, 1).bit_length()
        self._capacity = capacity
        self._nodes = np.zeros(2 * self._leaves)

    @property
    def total(self) -> float:
        """Sum of all priorities."""
        return float(self._nodes[1])

    @property
    def priorities(self) -> Array:
        """The priority of every place, a view [capacity]."""
        return self._nodes[self._leaves : self._leaves + self._capacity]

    def set(self, places: Array, priorities: Array) -> None:
        """Give places their priorities; of a place that occurs twice the last one counts."""
        nodes = places + self._leaves
        self._nodes[nodes] = priorities
        while nodes[0] > 1:
            nodes = nodes >> 1  # a node that occurs twice gets the same sum twice
            self._nodes[nodes] = self._nodes[2 * nodes] + self._nodes[2 * nodes + 1]

    def find(self, masses: Array) -> Array:
        """The place at which the running sum of priorities exceeds each mass in [0, total)."""
        nodes = np.ones(len(masses), dtype=np.int64)
        rest = masses.copy()
        while nodes[0] < self._leaves:
            left = 2 * nodes
            is_right = rest >= self._nodes[left]
            # rounding may lead into a branch of no weight at the very end
            is_right &= self._nodes[left + 1] > 0.0
            rest -= np.where(is_right, self._nodes[left], 0.0)
            nodes = left + is_right
        places: Array = nodes - self._leaves
        return places

    def load(self, priorities: Array) -> None:
        """Take over the priorities of all places."""
        self.priorities[:] = priorities
        nodes = self._nodes
        start = self._leaves
        while start > 1:
            level = nodes[start : 2 * start]
            start //= 2
            nodes[start : 2 * start] = level[0::2] + level[1::2]


def require_consistent_replay(buffer_size: int, batch_size: int, gradient_steps: int) -> None:
    """Raise ConfigError when a buffer cannot hold a batch, or nothing would be learned from it."""
    if buffer_size < batch_size:
        raise ConfigError(
            f"buffer_size is {buffer_size}, less than one batch ({batch_size})",
            hint="make buffer_size larger or batch_size smaller",
        )
    if gradient_steps == 0:
        raise ConfigError("gradient_steps is 0, so nothing would be learned", hint="-1 or >= 1")


def _flatten(part: Array) -> Array:
    return part.reshape(-1, *part.shape[2:])


def _require_memory(capacity: int, row_bytes: int) -> None:
    """Raise InputError when the full buffer would not fit into the memory that is free."""
    import psutil

    needed, free = capacity * row_bytes, psutil.virtual_memory().available
    if needed > FREE_MEMORY_SHARE * free:
        raise InputError(
            f"hyperparameters.buffer_size: {capacity:,} transitions of {row_bytes} bytes need "
            f"{needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free",
            hint=f"at most {int(FREE_MEMORY_SHARE * free / row_bytes):,} fit",
        )
