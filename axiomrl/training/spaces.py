"""What an agent sees and does, as flat arrays.

Observations become one float32 vector. A Dict contributes its entries in the space's own key
order (Gymnasium sorts the keys of a plain dict), a Tuple in index order; a Discrete entry is
one-hot. `ObservationLayout.slices` names where each entry lies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from axiomrl.errors import UnusableEnvironmentError
from axiomrl.training.buffers import Array

IMAGE_DIMENSIONS = 3


@dataclass(frozen=True)
class ObservationLayout:
    """How an environment's observations become vectors of `size` float32 numbers."""

    size: int
    slices: dict[str, slice]  # entry name ("camera/position", "0", "observation") -> where it lies
    encode: Callable[[Any], Array]  # any-shaped observation -> [size]
    is_plain: bool  # already one flat numeric vector, `encode` only views it


@dataclass(frozen=True)
class ActionLayout:
    """What a policy has to produce, and how it becomes what `env.step` takes.

    `kind` is "discrete", "multi_discrete" or "box". `sizes` are the numbers of choices (one for
    discrete), or the number of dimensions of a box. Policies produce integers [N] (discrete),
    [N, K] (multi-discrete) or float32 [N, A] (box, any real number).
    """

    kind: str
    sizes: tuple[int, ...]
    shape: tuple[int, ...]  # of one action in the policy's array: (), (K,) or (A,)
    dtype: Any
    to_environment: Callable[[Array], list[Any]]  # [N, *shape] -> one action per environment


def observation_layout(space: Any, env_id: str) -> ObservationLayout:
    """The layout of an observation space.

    Raises UnusableEnvironmentError for images (networks for them come later) and for spaces
    without a fixed size: text, graphs, sequences.
    """
    from gymnasium import spaces
    from gymnasium.spaces.utils import flatten

    slices: dict[str, slice] = {}
    start = 0
    for name, leaf in _leaves(space, ""):
        size = _leaf_size(leaf, name, env_id)
        slices[name or "observation"] = slice(start, start + size)
        start += size
    if start == 0:
        raise UnusableEnvironmentError(f"env_id: {env_id} has an empty observation space")
    if isinstance(space, spaces.Box):
        return ObservationLayout(start, slices, _ravel, is_plain=len(space.shape) == 1)

    def encode(observation: Any) -> Array:
        return np.asarray(flatten(space, observation), dtype=np.float32)

    return ObservationLayout(start, slices, encode, is_plain=False)


def _ravel(observation: Any) -> Array:
    return np.asarray(observation, dtype=np.float32).reshape(-1)


def _leaves(space: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    from gymnasium import spaces

    if isinstance(space, spaces.Dict):
        children = list(space.spaces.items())
    elif isinstance(space, spaces.Tuple):
        children = [(str(index), child) for index, child in enumerate(space.spaces)]
    else:
        yield prefix, space
        return
    for name, child in children:
        yield from _leaves(child, f"{prefix}/{name}" if prefix else name)


def _leaf_size(space: Any, name: str, env_id: str) -> int:
    from gymnasium import spaces
    from gymnasium.spaces.utils import flatdim

    where = f"env_id: {env_id}: observation {name!r}" if name else f"env_id: {env_id}: observation"
    if isinstance(space, spaces.Box):
        if len(space.shape) >= IMAGE_DIMENSIONS or (
            space.dtype == np.uint8 and len(space.shape) > 1
        ):
            raise UnusableEnvironmentError(
                f"{where} is an image {space.shape}; networks for images are not built yet",
                hint="use an environment or a wrapper that gives vectors",
            )
        return int(np.prod(space.shape, dtype=int))
    if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)):
        return int(flatdim(space))
    raise UnusableEnvironmentError(
        f"{where} is a {type(space).__name__} space, which has no fixed size",
        hint="use a wrapper that turns it into a Box, Discrete, Dict or Tuple of these",
    )


def action_layout(space: Any, env_id: str, transform: str = "clip") -> ActionLayout:
    """The layout of an action space.

    `transform` says what is done to the actions of a box: "clip" them to its bounds, or "scale"
    them from ±1 to its bounds. Raises UnusableEnvironmentError for spaces other than Discrete,
    MultiDiscrete, MultiBinary and Box, and for a box without bounds that is to be scaled to.
    """
    from gymnasium import spaces

    if isinstance(space, spaces.Discrete):
        start = int(space.start)

        def discrete(actions: Array) -> list[Any]:
            # NumPy integers: `Discrete.contains`, which many environments ask at every step,
            # takes three times as long for a Python one
            return list(actions + start) if start else list(actions)

        return ActionLayout("discrete", (int(space.n),), (), np.int64, discrete)
    if isinstance(space, (spaces.MultiDiscrete, spaces.MultiBinary)):
        return _multi_discrete(space)
    if isinstance(space, spaces.Box):
        return _box(space, env_id, transform)
    raise UnusableEnvironmentError(
        f"env_id: {env_id}: actions are a {type(space).__name__} space",
        hint="actions must be Discrete, MultiDiscrete, MultiBinary or Box",
    )


def _multi_discrete(space: Any) -> ActionLayout:
    from gymnasium import spaces

    binary = isinstance(space, spaces.MultiBinary)
    shape = space.shape
    counts = np.full(shape, 2) if binary else np.asarray(space.nvec)
    starts = np.zeros(shape, dtype=space.dtype) if binary else np.asarray(space.start)
    sizes = tuple(int(count) for count in counts.ravel())

    def to_environment(actions: Array) -> list[Any]:
        shaped = actions.reshape(len(actions), *shape).astype(space.dtype) + starts
        return list(shaped.astype(space.dtype))

    return ActionLayout("multi_discrete", sizes, (len(sizes),), np.int64, to_environment)


def _box(space: Any, env_id: str, transform: str) -> ActionLayout:
    size = int(np.prod(space.shape, dtype=int))
    shape, dtype = space.shape, space.dtype
    with np.errstate(over="ignore"):  # bounds beyond float32 are infinite there
        low = space.low.reshape(-1).astype(np.float32)
        high = space.high.reshape(-1).astype(np.float32)

    def clip(actions: Array) -> list[Any]:
        return list(np.minimum(np.maximum(actions, low), high))

    def clip_and_convert(actions: Array) -> list[Any]:
        # in float64: a bound rounded to float32 may lie outside the space
        shaped = actions.reshape(-1, *shape).astype(np.float64)
        converted = np.clip(shaped, space.low, space.high).astype(dtype)
        return [converted[row, ...] for row in range(len(converted))]  # arrays, even if 0-d

    is_plain = shape == (size,) and dtype == np.float32
    to_environment = clip if is_plain else clip_and_convert
    if transform == "clip":
        return ActionLayout("box", (size,), (size,), np.float32, to_environment)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise UnusableEnvironmentError(
            f"env_id: {env_id}: actions have no bounds to scale to: {space}",
            hint="use gymnasium.wrappers:RescaleAction, or an algorithm that clips its actions",
        )
    middle, reach = (high + low) / 2, (high - low) / 2

    def scale(actions: Array) -> list[Any]:
        return to_environment(middle + reach * actions)

    return ActionLayout("box", (size,), (size,), np.float32, scale)
