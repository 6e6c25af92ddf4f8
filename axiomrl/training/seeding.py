"""Seeds and generators, each derived from the run's seed and a name for its purpose.

Nothing in axiomrl draws from a global generator on purpose. They are seeded all the same, for
custom environments and wrappers that use them.
"""

from __future__ import annotations

import importlib
import os
import random
import sys
from collections.abc import Callable
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


def set_training_seed(seed: int, deterministic: bool = False) -> Callable[[int], None]:
    """Seed the global generators of Python, NumPy and torch, on the CPU and on every GPU.

    Returns what a torch DataLoader takes as `worker_init_fn`, so that its workers are seeded as
    well. With `deterministic`, torch is asked for deterministic kernels; where it has none, it
    warns. Training by axiomrl needs no call of this: it is for loops of one's own.
    """
    importlib.import_module("torch")  # a torch that is loaded later would not be seeded
    seed_global_generators(seed, deterministic=deterministic)
    return seed_worker


def seed_global_generators(seed: int, *, deterministic: bool) -> None:
    """As `set_training_seed`, but torch is left out where it is not loaded and not asked for.

    To load it takes longer than many trainings on the hand-written engine.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)  # the global generator is the point here
    if deterministic or "torch" in sys.modules:
        import torch

        torch.manual_seed(seed)
        if deterministic:
            # read by cuBLAS when its first handle is made, without which it is not deterministic
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.backends.cudnn.benchmark = False
            torch.use_deterministic_algorithms(True, warn_only=True)


def seed_worker(worker: int) -> None:
    """Seed Python and NumPy in a DataLoader's worker process.

    torch has been seeded there by the DataLoader, from the main process's generator: otherwise
    in every worker and every epoch, equally in every repetition. The others follow it.
    """
    import torch

    seed = torch.initial_seed()
    random.seed(seed)
    np.random.seed(seed % 2**32)
