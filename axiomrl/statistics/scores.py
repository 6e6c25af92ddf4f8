"""The scores that all statistics work on: checked, and in an order of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]
Tasks: TypeAlias = Sequence[npt.ArrayLike]  # per task the scores of its runs
Direction = Literal["max", "min"]  # whether more or less of a metric is better


def checked_tasks(tasks: Tasks) -> tuple[Array, ...]:
    """The tasks in the order given, the scores of each in ascending order.

    Raises ValueError, naming task and value, without a task, for a task without scores, for one
    that is no flat sequence, and for a score that is not finite.
    """
    if not len(tasks):
        raise ValueError("there are no tasks")
    return tuple(_checked(f"task {index}", scores) for index, scores in enumerate(tasks))


def _checked(what: str, scores: npt.ArrayLike) -> Array:
    return np.sort(finite(what, scores))


def finite(what: str, values: npt.ArrayLike) -> Array:
    """Values as a flat array; raises ValueError if there are none or one is not finite."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{what}: wants a flat sequence of numbers, has shape {array.shape}")
    is_finite = np.isfinite(array)
    if not is_finite.all():
        place = int(np.argmin(is_finite))
        raise ValueError(f"{what}: value {place} is {array[place]}, not a finite number")
    return array


def canonical(tasks: Sequence[Array]) -> list[Array]:
    """Checked tasks in an order that depends only on what they hold."""
    if len(tasks) == 1:
        return list(tasks)
    return sorted(tasks, key=lambda scores: (scores.size, scores.tolist()))
