"""Learning curves drawn in a few characters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from axiomrl.reports.curves import curves_of
from axiomrl.statistics import on_common_grid

if TYPE_CHECKING:
    from axiomrl.reports.standings import ScoredGroup

WIDTH = 10  # characters
_BARS = "▁▂▃▄▅▆▇█"


def sparkline_of(each: ScoredGroup, metric: str) -> str:
    """The mean curve of a group's runs, from its lowest to its highest point; empty without one."""
    curves = curves_of(each, metric)
    if not curves or max(steps[-1] for steps, _ in curves) == min(s[0] for s, _ in curves):
        return ""
    grid = on_common_grid(curves, points=WIDTH)
    present = grid.n > 0
    sums = np.where(np.isnan(grid.values), 0.0, grid.values).sum(axis=0)
    return drawn((sums[present] / grid.n[present]).tolist())


def drawn(values: list[float]) -> str:
    """One bar per value; equal values are bars of half the height."""
    low, high = min(values), max(values)
    if high == low:
        return _BARS[3] * len(values)
    top = len(_BARS) - 1
    return "".join(_BARS[round((value - low) / (high - low) * top)] for value in values)
