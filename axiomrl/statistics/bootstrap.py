"""The stratified percentile bootstrap.

A resample draws, within each task, as many runs as there are, with replacement. What is drawn
depends on the seed, the group's name and the scores alone: not on the order of runs, tasks or
groups, nor on which other groups there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from axiomrl.statistics.points import Statistic, mean
from axiomrl.statistics.scores import Array, Tasks, canonical, checked_tasks

METHOD = "stratified percentile bootstrap"
CONFIDENCE = 0.95
BLOCK = 2**17  # numbers drawn at a time: a few MiB of memory, whatever is asked for
LARGEST_TABLE = 2**14  # sums of several draws, see `_resampled_means`

Positions: TypeAlias = npt.NDArray[np.int64]


def resamples_for(n_groups: int) -> int:
    """How often each group is resampled: less often where there are many groups."""
    return 20_000 if n_groups <= 100 else 2_000


def resample(tasks: Tasks, statistic: Statistic, *, seed: int, name: str, resamples: int) -> Array:
    """The statistic of each resample, float64 [resamples].

    `seed` is the report's, `name` the group's; two groups of one report must not share a name,
    or their resamples would not be independent. The first k values do not depend on how many
    are asked for. Raises ValueError as `checked_tasks` does.
    """
    ordered = canonical(checked_tasks(tasks))
    scores = np.concatenate(ordered)
    if statistic is mean and len(ordered) == 1:
        return _resampled_means(scores, seed=seed, name=name, resamples=resamples)
    sizes = np.array([each.size for each in ordered])
    values = np.empty(resamples)
    done = 0
    for positions in draws(sizes, seed=seed, name=name, resamples=resamples):
        values[done : done + len(positions)] = statistic.rows(scores[positions], sizes)
        done += len(positions)
    return values


def draws(
    sizes: Sequence[int] | npt.NDArray[np.intp],
    *,
    seed: int,
    name: str,
    resamples: int,
    rows: int | None = None,
) -> Iterator[Positions]:
    """Blocks [rows, N] of positions drawn in the scores of tasks that lie one after the other.

    One 32-bit number is used up per draw, row by row, so that how the rows are cut into blocks
    changes nothing. Multiplied by the task's size, its high bits are the run: the chances of two
    runs differ by less than size / 2³². Raw numbers of a generator stay the same from one NumPy
    version to the next; those of `Generator.integers` need not.
    """
    sizes = np.asarray(sizes)
    count = int(sizes.sum())
    limit = np.repeat(sizes, sizes).astype(np.uint64) if len(sizes) > 1 else np.uint64(count)
    start = np.repeat(np.cumsum(sizes) - sizes, sizes)
    for numbers in _numbers(count, seed=seed, name=name, resamples=resamples, rows=rows):
        positions = _scaled(numbers, limit)
        if len(sizes) > 1:
            positions += start
        yield positions


def _numbers(
    count: int, *, seed: int, name: str, resamples: int, rows: int | None = None
) -> Iterator[npt.NDArray[np.uint32]]:
    """Blocks [rows, count] of 32-bit numbers, a row for each resample."""
    bits = _generator(seed, name)
    rows = block_rows(count) if rows is None else rows
    for first in range(0, resamples, rows):
        wanted = min(rows, resamples - first) * count
        halves = bits.random_raw((wanted + 1) // 2).astype("<u8", copy=False).view("<u4")
        yield halves[:wanted].reshape(-1, count)


def _scaled(numbers: npt.NDArray[np.uint32], limit: Any) -> Positions:
    """Each number's place among `limit` ones."""
    scaled = numbers.astype(np.uint64)
    scaled *= limit
    scaled >>= np.uint64(32)
    return scaled.view(np.int64)


def _resampled_means(scores: Array, *, seed: int, name: str, resamples: int) -> Array:
    """[resamples] means of as many draws as there are scores.

    Several draws are made at a time: one number chooses from a table with the sum of each way to
    make them.
    """
    count = scores.size
    together = 1
    while together < count and count ** (together + 1) <= LARGEST_TABLE:
        together += 1
    times, rest = divmod(count, together)
    tables = [_sums(scores, together)] * times + ([_sums(scores, rest)] if rest else [])
    totals = np.zeros(resamples)
    done = 0
    for numbers in _numbers(len(tables), seed=seed, name=name, resamples=resamples):
        block = totals[done : done + len(numbers)]
        for table, column in zip(tables, numbers.T, strict=True):
            block += table[_scaled(column, np.uint64(table.size))]
        done += len(numbers)
    return totals / count


def _sums(scores: Array, draws: int) -> Array:
    """[n ** draws] the sum of each way to draw so many of n scores."""
    sums = scores
    for _ in range(draws - 1):
        sums = np.add.outer(sums, scores).ravel()
    return sums


def block_rows(count: int) -> int:
    """How many resamples of `count` scores are drawn at a time; even, so that no half is lost."""
    return 2 * max(1, BLOCK // (2 * count))


def _generator(seed: int, name: str) -> np.random.PCG64:
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return np.random.PCG64(int.from_bytes(digest[:16], "big"))


def counted(positions: Positions) -> Array:
    """[rows, N] how often each position was drawn in each row; whole numbers, as floats."""
    rows, count = positions.shape
    cells = positions + count * np.arange(rows)[:, np.newaxis]
    return np.bincount(cells.ravel(), minlength=rows * count).reshape(rows, count).astype(float)


def interval(distribution: Array) -> tuple[float, float]:
    """The 2.5 % and 97.5 % percentiles, interpolated linearly as NumPy does it."""
    low, high = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
    last = len(distribution) - 1
    places = {min(int(part * last) + step, last) for part in (low, high) for step in (0, 1)}
    ordered = np.partition(distribution, sorted(places))
    return _between(ordered, low * last), _between(ordered, high * last)


def _between(ordered: Array, place: float) -> float:
    below = int(place)
    part = place - below
    first, second = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
    if part < 0.5:  # from the nearer one, so that equal ones give themselves
        return first + (second - first) * part
    return second - (second - first) * (1 - part)
