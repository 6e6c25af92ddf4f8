"""What plots of a search show, as plain numbers: made by the search, drawn by `plots`."""

from __future__ import annotations

from dataclasses import dataclass

from axiomrl.reports.plot_data import PlotData


@dataclass(frozen=True)
class TrialPoint:
    """One trial in the order of numbers."""

    number: int
    value: float  # its score; of a pruned one what it had reached
    is_pruned: bool
    is_base: bool


@dataclass(frozen=True, kw_only=True)
class HistoryPlot(PlotData):
    """Scores in the order of trials."""

    points: tuple[TrialPoint, ...]
    failed: tuple[int, ...]  # numbers of trials without any value
    best: tuple[tuple[int, float], ...]  # number, and the best score so far, after each
    base_score: float | None
    y_title: str


@dataclass(frozen=True)
class SlicePanel:
    """Scores over one setting."""

    title: str
    is_log: bool
    names: tuple[str, ...] | None  # of places on the axis, where values are not numbers
    points: tuple[tuple[float, float, bool], ...]  # value or place, score, whether it is the base


@dataclass(frozen=True, kw_only=True)
class SlicePlot(PlotData):
    """Scores over each setting."""

    panels: tuple[SlicePanel, ...]
    y_title: str


@dataclass(frozen=True, kw_only=True)
class ImportancePlot(PlotData):
    """How much each setting mattered, the most important first."""

    rows: tuple[tuple[str, float], ...]
    x_title: str
