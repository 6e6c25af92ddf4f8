"""Plots as pictures: PNG, SVG or PDF. Nothing is computed here, only drawn.

matplotlib is imported only inside functions, and without `pyplot`: no state of its own is touched.
"""

from __future__ import annotations

from typing import TypeAlias

from axiomrl.reports.plot_data import (
    AnyPlot,
    CurvePlot,
    ImprovementPlot,
    IntervalPlot,
    ProfilePlot,
)
from axiomrl.reports.plots.curves import draw_curves
from axiomrl.reports.plots.improvement import draw_improvement
from axiomrl.reports.plots.intervals import draw_intervals
from axiomrl.reports.plots.profiles import draw_profiles
from axiomrl.reports.plots.search import draw_history, draw_importances, draw_slices
from axiomrl.reports.plots.sheet import FORMATS, Format, Look, Sheet, picture_bytes
from axiomrl.reports.plots.style import MOST_STYLES
from axiomrl.reports.search_plot_data import HistoryPlot, ImportancePlot, SlicePlot

__all__ = ["FORMATS", "MOST_STYLES", "Format", "Look", "draw", "picture"]


SearchPlot: TypeAlias = HistoryPlot | SlicePlot | ImportancePlot


def picture(
    plot: AnyPlot | SearchPlot, file_format: Format, *, look: Look | None = None
) -> tuple[bytes, list[str]]:
    """A plot as the bytes of a file, and notes on what could not be shown as it should.

    The same plot gives the same bytes. Raises InputError if it does not fit the size asked for.
    """
    chosen = look or Look()
    return picture_bytes(lambda: draw(plot, chosen), file_format)


def draw(plot: AnyPlot | SearchPlot, look: Look) -> Sheet:
    """A plot as a figure, with matplotlib's settings as they are."""
    match plot:
        case CurvePlot():
            return draw_curves(plot, look)
        case IntervalPlot():
            return draw_intervals(plot, look)
        case ProfilePlot():
            return draw_profiles(plot, look)
        case ImprovementPlot():
            return draw_improvement(plot, look)
        case HistoryPlot():
            return draw_history(plot, look)
        case SlicePlot():
            return draw_slices(plot, look)
        case ImportancePlot():
            return draw_importances(plot, look)
