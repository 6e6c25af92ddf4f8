"""Seeds and generators, each derived from the run's seed and a name for its purpose.

Nothing in axiomrl draws from a global generator on purpose. `set_training_seed` seeds the global
ones all the same, for custom environments and wrappers that use them.
"""

from __future__ import annotations

import random
from enum import IntEnum

import numpy as np

_MASK64 = 2**64 - 1


class Stream(IntEnum):
    """Who an environment seed is for; the number sits in the seed's two lowest bits."""

    TRAINING = 0
    EVALUATION = 1
    SCORING = 2


def episode_seed(run_seed: int, stream: Stream, index: int, episode: int) -> int:
    """The seed of one episode, a non-negative 31-bit number.

    `index` is the environment (training) or the evaluation's number; `episode` counts from 0.
    Seeds of different streams are never equal: their two lowest bits differ. The rest is a hash
    (the finalizer of SplitMix64, Steele et al. 2014, applied to each number in turn); NumPy's
    SeedSequence would cost as much as resetting CartPole.
    """
    state = 0
    for number in (run_seed, int(stream), index, episode):
        state = (state ^ number) * 0xBF58476D1CE4E5B9 + 0x9E3779B97F4A7C15 & _MASK64
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK64
        state = (state ^ state >> 27) * 0x94D049BB133111EB & _MASK64
        state ^= state >> 31
    return state >> 35 << 2 | int(stream)


def generator(run_seed: int, *purpose: int) -> np.random.Generator:
    """A NumPy generator of its own for one purpose within a run."""
    sequence = np.random.SeedSequence(run_seed, spawn_key=(1_000_000, *purpose))
    return np.random.Generator(np.random.PCG64(sequence))


def set_training_seed(seed: int, deterministic: bool = False) -> None:
    """Seed Python, NumPy and, where torch is loaded, torch on every device.

    With `deterministic`, torch is loaded and asked for deterministic kernels. Training does not
    depend on these generators; environments and wrappers of your own may.
    """
    import sys

    random.seed(seed)
    np.random.seed(seed % 2**32)  # the global generator is the point here
    if deterministic or "torch" in sys.modules:
        import torch

        torch.manual_seed(seed)
        if deterministic:
            torch.use_deterministic_algorithms(True, warn_only=True)
