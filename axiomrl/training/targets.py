"""Learning targets computed from transitions."""

from __future__ import annotations

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
