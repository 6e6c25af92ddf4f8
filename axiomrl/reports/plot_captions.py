"""The sentences below a plot: what is drawn, how it was computed, and how far it can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from axiomrl.statistics import BAND_RESAMPLES
from axiomrl.statistics.groups import COVERED_SEEDS, MIN_SEEDS

if TYPE_CHECKING:
    from axiomrl.reports.standings import Question

NO_BAND = f"Under {MIN_SEEDS} seeds: no band."


def band_words(question: Question) -> str:
    """How bands of curves and profiles came about."""
    return f"pointwise 95 % bootstrap ({resampling(BAND_RESAMPLES, question)})"


def statistic_name(question: Question) -> str:
    """What a group's value is, as papers write it."""
    return "IQM" if question.statistic == "iqm" else question.statistic


def resampling(resamples: int, question: Question) -> str:
    """How often, and from which seed."""
    return f"{resamples:,} resamples, seed {question.seed}"


def undercovered(seeds: Sequence[int], what: str) -> list[str]:
    """A sentence if some groups have so few seeds that their intervals are too short."""
    few = any(MIN_SEEDS <= count < COVERED_SEEDS for count in seeds)
    return [f"{what} from 3 or 4 seeds are too narrow: 75 to 80 %, not 95 %."] if few else []
