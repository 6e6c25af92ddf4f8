"""What the runtime asks of an algorithm.

An algorithm never touches disk, clock, command line or `env.step`. The training loop calls, for
every block of steps: `explorer` (how to act in it), `observe` (what came of it), `update` (learn).
On-policy methods learn from the block just observed, off-policy ones put it into their replay
buffer and learn when they see fit; the loop does not care.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from axiomrl.training.buffers import Array
from axiomrl.training.environments import Transitions
from axiomrl.training.normalization import ObservationNormalizer
from axiomrl.training.replay import Replay
from axiomrl.training.spaces import ActionLayout, ObservationLayout

Act = Callable[[Array], Array]  # observations [N, D] -> actions [N, *action shape]
Metrics = dict[str, float]
StateDict = dict[str, Any]  # tensors, arrays, numbers, strings, lists and dicts of these


@dataclass(frozen=True, slots=True)
class Progress:
    """Where training stands when a block begins or an update is asked for."""

    env_steps: int  # taken so far, over all environments (for an update: this block included)
    fraction: float  # of the total that had been taken before this block, 0 to 1: for schedules
    will_log: bool  # whether the metrics returned will be written


@dataclass(frozen=True, kw_only=True)
class AlgorithmContext:
    """What an algorithm is built from, besides its own settings."""

    observations: ObservationLayout
    actions: ActionLayout
    num_envs: int
    normalizer: ObservationNormalizer | None  # training's; its statistics change between blocks
    engine: str  # "mlp" or "torch"
    device: str  # "cpu" or "cuda"
    seed: int
    is_training: bool = True  # else only `policy` is asked for, and replay stays empty


class Algorithm(Protocol):
    """One learning method; its constructor takes (settings, context)."""

    config_class: ClassVar[type]
    action_kinds: ClassVar[tuple[str, ...]]  # which ActionLayout.kind it can produce
    action_transform: ClassVar[str]  # what is done to box actions: "clip" or "scale" (from ±1)
    steps_per_update: int  # steps of each environment that the loop collects between updates
    gradient_steps: int  # taken so far

    def __init__(self, settings: Any, context: AlgorithmContext) -> None: ...

    @property
    def replay(self) -> Replay | None:
        """Its memory, whose rows are saved apart from `state_dict`; None without one."""

    def explorer(self, steps: int, progress: Progress) -> Act:
        """How to act in the next `steps` steps of every environment; draws all its noise now."""

    def policy(self, rows: int, *, deterministic: bool, generator: np.random.Generator) -> Act:
        """How to act for scoring, `rows` observations at a time; training is not touched."""

    def observe(self, transitions: Transitions) -> None:
        """Take in a block; its arrays live only until the next one is collected."""

    def update(self, progress: Progress) -> Metrics:
        """Learn; {} when nothing was learned or nothing will be logged."""

    def is_finite(self) -> bool:
        """Whether every parameter still is a finite number."""

    def state_dict(self) -> StateDict:
        """Everything that decides the algorithm's future: parameters, moments, generators."""

    def load_state_dict(self, state: StateDict) -> None:
        """Continue from a saved state, in place."""
