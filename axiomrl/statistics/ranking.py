"""Ranks that say how sure they are.

Resample b of one group is compared with resample b of the others: they were drawn independently.
Values that differ only by rounding errors count as equal, so groups that all score 0.1 tie.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from axiomrl.statistics.bootstrap import BLOCK
from axiomrl.statistics.groups import ResampledGroup
from axiomrl.statistics.scores import Array, Direction

SURE = (39, 40)  # a group is surely better if it is so in 97.5 % of the resamples, as a fraction

Places: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, slots=True)
class Rank:
    """A place in a ranking, 1 is best.

    `rank` is 1 + the number of groups that are surely better. `low` and `high` are the range of
    the place in 95 % of the resamples. A group that many others probably, but none surely,
    precede has a rank below its range: `rank` may be less than `low`.
    """

    rank: int
    low: int
    high: int


def rank_groups(groups: Sequence[ResampledGroup], *, direction: Direction) -> list[Rank]:
    """The rank of each group, in the order given.

    Within a resample, equal values share the best of their places, and so do groups here: two
    that both surely follow one other have rank 2, the next can have 4.

    Groups without a distribution (under three seeds) may belong anywhere. They get the range
    from 1 to the number of groups; their rank is 1 + the number of groups that surely exceed
    their value. They surely exceed nobody, and could be better or worse than any other group:
    each of them adds one to the `high` of every group that has a distribution.

    Raises ValueError if two groups share a name or were resampled unequally often.
    """
    if len({group.name for group in groups}) < len(groups):
        (name, _), *_ = Counter(group.name for group in groups).most_common(1)
        raise ValueError(f"two groups are named {name!r}: their resamples are not independent")
    sign = -1.0 if direction == "max" else 1.0  # from here on, less is better
    rows = [sign * group.distribution for group in groups if group.distribution is not None]
    if len({len(row) for row in rows}) > 1:
        raise ValueError(f"resampled unequally often: {sorted({len(row) for row in rows})} times")
    unproven = [sign * group.estimate.value for group in groups if group.distribution is None]
    proven_ranks = iter(_ranks_of_proven(rows, others=len(unproven)) if rows else [])
    unproven_ranks = iter(_ranks_of_values(np.array(unproven), rows, len(groups)))
    return [
        next(unproven_ranks if group.distribution is None else proven_ranks) for group in groups
    ]


def sure_count(resamples: int) -> int:
    """In how many resamples a group has to be better to be surely better."""
    part, whole = SURE
    return -(-part * resamples // whole)


def without_rounding_errors(values: Array) -> Array:
    """Values to 40 significant bits (12 decimal digits): nearly equal ones become equal."""
    bits = values.view(np.int64)
    return ((bits + (1 << 12)) & ~np.int64((1 << 13) - 1)).view(np.float64)


def _ranks_of_proven(rows: Sequence[Array], others: int) -> list[Rank]:
    places = _places(rows)
    resamples = len(rows[0])
    margin = resamples - sure_count(resamples)
    at = _Quantiles(places, resamples)
    low = at[margin] + 1
    high = at[resamples - 1 - margin] + 1 + others
    rank = 1 + _surely_better(places, at)
    return [Rank(*each) for each in np.stack([rank, low, high], axis=1).tolist()]


class _Quantiles:
    """[k] gives for each group the k-th of its places in ascending order, [G].

    Places are counted rather than sorted: there are no more of them than groups.
    """

    def __init__(self, places: Places, resamples: int) -> None:
        self.resamples = resamples
        self._up_to = [np.bincount(row[:resamples]).cumsum() for row in places]

    def __getitem__(self, k: int) -> npt.NDArray[np.int64]:
        return np.array([up_to.searchsorted(k, side="right") for up_to in self._up_to])


def _places(rows: Sequence[Array]) -> Places:
    """[G, B] how many groups are better than each in each resample.

    Zeros are appended to fill up a multiple of 8 columns (`_wins` wants them so). Some columns
    are sorted at a time, to bound the memory.
    """
    groups, resamples = len(rows), len(rows[0])
    places = np.zeros((groups, -(-resamples // 8) * 8), np.min_scalar_type(groups))
    width = max(1, BLOCK // groups)
    for first in range(0, resamples, width):
        some = np.stack([row[first : first + width] for row in rows], axis=1)  # [width, G]
        some = without_rounding_errors(some)
        order = np.argsort(some, axis=1)
        ordered = np.take_along_axis(some, order, axis=1)
        is_worse = np.zeros(some.shape, dtype=bool)  # than the one before
        is_worse[:, 1:] = ordered[:, 1:] > ordered[:, :-1]
        better = np.maximum.accumulate(np.where(is_worse, np.arange(groups), 0), axis=1)
        block = np.empty(some.shape, places.dtype)
        np.put_along_axis(block, order, better.astype(places.dtype), axis=1)
        places[:, first : first + len(block)] = block.T
    return places


def _surely_better(places: Places, at: _Quantiles) -> npt.NDArray[np.int64]:
    """[G] for each group the number of groups that are surely better.

    Most pairs are decided by the quantiles of their places: where the worst places of one group,
    but for half of the exceptions allowed, are better than the best places of the other, but for
    the other half, it is surely better; and where its middle place is as bad, give or take the
    exceptions, it is not. Of the rest, most fail already in the first fifth of the resamples.
    """
    resamples = at.resamples
    needed = sure_count(resamples)
    allowed = resamples - needed
    worst, best = at[resamples - 1 - allowed // 2], at[allowed // 2]
    middle, beyond = at[needed // 2], at[needed // 2 + allowed]
    begin = places[:, : resamples // 40 * 8].copy()
    counts = np.empty(len(places), dtype=np.int64)
    for group, mine in enumerate(places):
        is_sure = worst < best[group]
        is_open = ~is_sure & (middle < beyond[group])
        rivals = np.flatnonzero(is_open)
        has_chance = _wins(begin[rivals], begin[group]) >= begin.shape[1] - allowed
        rivals = rivals[has_chance]
        counts[group] = is_sure.sum() + (_wins(places[rivals], mine) >= needed).sum()
    return counts


def _wins(theirs: Places, mine: Places) -> npt.NDArray[np.int64]:
    """In how many columns each row of `theirs` is better; counted eight columns at a time."""
    is_better = (theirs < mine).view(np.uint64)
    wins: npt.NDArray[np.int64] = np.bitwise_count(is_better).sum(axis=1, dtype=np.int64)
    return wins


def _ranks_of_values(values: Array, rows: Sequence[Array], groups: int) -> list[Rank]:
    """Ranks of groups of which only the value is known."""
    if not rows or not len(values):
        return [Rank(1, 1, groups)] * len(values)
    at = sure_count(len(rows[0])) - 1
    sure = np.sort([np.partition(row, at)[at] for row in rows])  # at least as good as this
    better = np.searchsorted(
        without_rounding_errors(sure), without_rounding_errors(values), side="left"
    )
    return [Rank(1 + int(count), 1, groups) for count in better]
