"""Learning targets computed from transitions."""

from __future__ import annotations

from typing import Any

import numpy as np

from axiomrl.training.buffers import Array


def gae(
    reward: Array,
    value: Array,
    next_value: Array,
    terminated: Array,
    truncated: Array,
    *,
    gamma: float,
    gae_lambda: float,
) -> Array:
    """Generalized advantage estimates (Schulman et al. 2016, eq. 16), float32 [T, N].

    All arrays are [T, N]: T steps of N environments. `next_value` is the value of the
    observation that each step led to, before any reset. Termination stops the
    bootstrap; truncation only stops the trace.
    """
    delta = reward + gamma * next_value * ~terminated - value
    decay = gamma * gae_lambda * ~(terminated | truncated)
    columns = []
    # Plain floats: a recursion over Python numbers costs a tenth of one over small arrays.
    for deltas, decays in zip(delta.T.tolist(), decay.T.tolist(), strict=True):
        running = 0.0
        column = []
        for step_delta, step_decay in zip(reversed(deltas), reversed(decays), strict=True):
            running = step_delta + step_decay * running
            column.append(running)
        column.reverse()
        columns.append(column)
    return np.array(columns, dtype=np.float32).T


def normalize_per_batch(xp: Any, advantage: Any, batch_size: int) -> Any:
    """Zero mean, unit sample deviation in each run of `batch_size` rows (and in the rest)."""
    whole = len(advantage) // batch_size * batch_size
    parts = [advantage[:whole].reshape(-1, batch_size), advantage[whole:].reshape(1, -1)]
    normalized = [_normalize_rows(xp, part).reshape(-1) for part in parts if part.shape[1] > 0]
    return normalized[0] if len(normalized) == 1 else xp.concatenate(normalized)


def _normalize_rows(xp: Any, rows: Any) -> Any:
    count = rows.shape[1]
    if count == 1:
        return rows
    centred = rows - rows.mean(1)[:, None]
    deviation = xp.sqrt((centred * centred).sum(1) / (count - 1))
    return centred / (deviation + 1e-8)[:, None]
