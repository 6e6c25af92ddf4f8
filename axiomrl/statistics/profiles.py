"""Performance profiles: how the scores of a group are spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from axiomrl.statistics.bootstrap import CONFIDENCE, counted, draws
from axiomrl.statistics.groups import ResampledGroup
from axiomrl.statistics.scores import Array, canonical, finite


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """The fraction of a group's scores above each threshold, with a pointwise 95 % band."""

    taus: Array  # [S]
    fraction: Array  # [S]
    low: Array | None  # [S]; None under three seeds
    high: Array | None


def performance_profile(group: ResampledGroup, taus: npt.ArrayLike) -> Profile:
    """At each threshold the fraction of all scores, whatever their task, strictly above it.

    Takes `resamples` * thresholds * 8 bytes. Raises ValueError for a threshold that is not finite.
    """
    thresholds = finite("taus", taus)
    tasks = canonical(group.tasks)
    scores = np.concatenate(tasks)
    is_above = (scores[:, np.newaxis] > thresholds).astype(float)  # [N, S]
    fraction: Array = is_above.mean(axis=0)
    if group.distribution is None:
        return Profile(thresholds, fraction, None, None)
    blocks = draws(
        [each.size for each in tasks],
        seed=group.seed,
        name=group.name,
        resamples=group.resamples,
    )
    fractions = np.concatenate([counted(block) @ is_above for block in blocks]) / scores.size
    tails = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
    low, high = np.quantile(fractions, tails, axis=0)
    return Profile(thresholds, fraction, low, high)
