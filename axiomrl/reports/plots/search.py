"""Plots of a search: scores in the order of trials, over each setting, and importances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axiomrl.reports.plots.curves import grid_shape
from axiomrl.reports.plots.sheet import Look, Sheet, finish, new_sheet
from axiomrl.reports.plots.style import COLOURS, PALE, LineStyle, label_text, labels_width_in
from axiomrl.reports.search_plot_data import HistoryPlot, ImportancePlot, SlicePanel, SlicePlot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRIAL, BASE, BEST = COLOURS[0], COLOURS[1], COLOURS[2]
SIZE_IN = (5.0, 3.2)
PANEL_IN = (2.3, 2.1)
ROW_IN, AROUND_IN, BARS_IN = 0.27, 0.6, 3.6


def draw_history(plot: HistoryPlot, look: Look) -> Sheet:
    """A dot per trial and the best score so far; pruned ones are hollow, failed ones below."""
    legend = {"trial": LineStyle(TRIAL, "solid"), "best so far": LineStyle(BEST, "solid")}
    if plot.base_score is not None:
        legend["base"] = LineStyle(BASE, "dashed")
    sheet = new_sheet(
        look, panels_in=SIZE_IN, caption=plot.caption, notes=plot.notes, legend=legend
    )
    axes = sheet.figure.add_subplot()
    for point in plot.points:
        colour = BASE if point.is_base else TRIAL
        fill = "white" if point.is_pruned else colour
        axes.plot(
            [point.number], [point.value], "o", color=colour, markerfacecolor=fill, markersize=4
        )
    if plot.best:
        numbers, values = zip(*plot.best, strict=True)
        axes.step(numbers, values, where="post", color=BEST, linewidth=1.4)
    if plot.base_score is not None:
        axes.axhline(plot.base_score, color=BASE, linestyle="dashed", linewidth=0.9)
    for number in plot.failed:  # on the lower edge, whatever the scores are
        axes.plot([number], [0.02], "x", color=PALE, markersize=4, transform=_x_in_data(axes))
    _whole_numbers(axes)
    axes.set_xlabel("trial")
    axes.set_ylabel(label_text(plot.y_title))
    finish(sheet)
    return sheet


def draw_slices(plot: SlicePlot, look: Look) -> Sheet:
    """A panel per setting."""
    rows, columns = grid_shape(len(plot.panels))
    sheet = new_sheet(
        look,
        panels_in=(max(PANEL_IN[0] * columns, 3.2), PANEL_IN[1] * rows),
        caption=plot.caption,
        notes=plot.notes,
    )
    cells = sheet.figure.add_gridspec(rows, columns)
    for place, panel in enumerate(plot.panels):
        axes = sheet.figure.add_subplot(cells[place // columns, place % columns])
        _draw_slice(axes, panel)
        if place % columns == 0:
            axes.set_ylabel(label_text(plot.y_title))
    finish(sheet)
    return sheet


def draw_importances(plot: ImportancePlot, look: Look) -> Sheet:
    """A bar per setting, the longest on top."""
    names = [label_text(name) for name, _ in plot.rows]
    size = (BARS_IN + labels_width_in(names), len(names) * ROW_IN + AROUND_IN)
    sheet = new_sheet(look, panels_in=size, caption=plot.caption, notes=plot.notes)
    axes = sheet.figure.add_subplot()
    axes.barh(range(len(names)), [share for _, share in plot.rows], color=TRIAL, height=0.6)
    axes.set_yticks(range(len(names)))
    axes.set_yticklabels(names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0, labelsize=8)
    axes.set_xlabel(label_text(plot.x_title))
    finish(sheet)
    return sheet


def _draw_slice(axes: Axes, panel: SlicePanel) -> None:
    for x, score, is_base in panel.points:
        axes.plot([x], [score], "o", color=BASE if is_base else TRIAL, alpha=0.75, markersize=4)
    if panel.is_log:
        _log_scale(axes)
    if panel.names is not None:
        axes.set_xticks(range(len(panel.names)))
        axes.set_xticklabels(
            [label_text(name) for name in panel.names],
            rotation=30, ha="right", rotation_mode="anchor",
        )  # fmt: skip
        axes.set_xlim(-0.5, len(panel.names) - 0.5)
    axes.set_title(label_text(panel.title), loc="left")


def _log_scale(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    subs = (1.0,) if high / low > 100 else (1.0, 2.0, 5.0)
    axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=6))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _x_in_data(axes: Axes) -> Any:
    """Coordinates with the axis's numbers to the right, and parts of the height upwards."""
    return axes.get_xaxis_transform()
