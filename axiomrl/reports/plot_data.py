"""What a plot shows, as plain numbers: made by `plot_values`, drawn by `plots`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from axiomrl.reports.curves import Axis
    from axiomrl.reports.scores import Curve
    from axiomrl.statistics import Band, Estimate, Profile, Rank


@dataclass(frozen=True, kw_only=True)
class PlotData:
    """What every kind of plot has. Labels and titles are as the runs have them, not yet escaped."""

    groups: tuple[str, ...]  # labels in the order of their colours
    caption: tuple[str, ...]  # sentences on what is drawn and how it was computed
    notes: tuple[str, ...]  # sentences on what is left out, and why


@dataclass(frozen=True)
class GroupCurve:
    """The curve of a group: one line with a band, or one line per run."""

    label: str
    n_seeds: int
    band: Band | None  # None where there are curves of single runs instead
    runs: tuple[Curve, ...]  # of single runs, under three seeds; else none


@dataclass(frozen=True)
class CurvePanel:
    """The curves of an environment."""

    title: str
    curves: tuple[GroupCurve, ...]


@dataclass(frozen=True, kw_only=True)
class CurvePlot(PlotData):
    """Learning curves, or sample efficiency over several environments."""

    panels: tuple[CurvePanel, ...]
    x: Axis
    y_title: str


@dataclass(frozen=True)
class IntervalRow:
    """The score of a group."""

    label: str
    rank: Rank
    estimate: Estimate
    scores: tuple[float, ...]  # of its runs


@dataclass(frozen=True)
class IntervalPanel:
    """The groups of an environment, best first."""

    title: str
    rows: tuple[IntervalRow, ...]


@dataclass(frozen=True, kw_only=True)
class IntervalPlot(PlotData):
    """Scores of groups with their intervals."""

    panels: tuple[IntervalPanel, ...]
    x_title: str


@dataclass(frozen=True)
class GroupProfile:
    """The performance profile of a group."""

    label: str
    profile: Profile
    n_runs: int
    n_seeds: int  # of the environment with fewest


@dataclass(frozen=True, kw_only=True)
class ProfilePlot(PlotData):
    """Performance profiles."""

    title: str
    lines: tuple[GroupProfile, ...]
    x_title: str
    y_title: str


@dataclass(frozen=True)
class ImprovementPanel:
    """How probably a run of one group is better than one of another."""

    title: str
    labels: tuple[str, ...]  # of rows and of columns, best first
    cells: tuple[tuple[Estimate | None, ...], ...]  # P(row > column); None on the diagonal


@dataclass(frozen=True, kw_only=True)
class ImprovementPlot(PlotData):
    """Probabilities of improvement, per environment and over all of them."""

    panels: tuple[ImprovementPanel, ...]


AnyPlot: TypeAlias = CurvePlot | IntervalPlot | ProfilePlot | ImprovementPlot
