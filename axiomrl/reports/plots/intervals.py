"""Scores of groups: a dot with its interval, the runs' own scores beside it, and how many seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from axiomrl.reports.plot_data import IntervalPanel, IntervalPlot
from axiomrl.reports.plots.sheet import Look, Sheet, finish, new_sheet
from axiomrl.reports.plots.style import (
    INK,
    LineStyle,
    label_text,
    label_texts,
    labels_width_in,
    line_styles,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BARS_IN = {1: 3.8, 2: 2.4}  # width of the bars and what stands beside, by columns
ROW_IN, PANEL_IN = 0.27, 0.62  # height of a row, and what a panel needs besides
MOST_IN_ONE_COLUMN = 4
RUNS_BELOW = 0.3  # rows, by which the runs' dots lie below the group's


def draw_intervals(plot: IntervalPlot, look: Look) -> Sheet:
    """A panel per environment, groups from the best down."""
    count = len(plot.panels)
    columns = 1 if count <= MOST_IN_ONE_COLUMN else 2
    lines = [plot.panels[first : first + columns] for first in range(0, count, columns)]
    heights = [max(len(panel.rows) for panel in line) * ROW_IN + PANEL_IN for line in lines]
    styles, texts = line_styles(plot.groups), label_texts(plot.groups)
    sheet = new_sheet(
        look,
        panels_in=((BARS_IN[columns] + labels_width_in(texts.values())) * columns, sum(heights)),
        caption=plot.caption,
        notes=plot.notes,
    )
    cells = sheet.figure.add_gridspec(len(lines), columns, height_ratios=heights)
    for place, panel in enumerate(plot.panels):
        axes = sheet.figure.add_subplot(cells[place // columns, place % columns])
        _draw_panel(axes, panel, styles, texts)
        if place + columns >= count:
            axes.set_xlabel(label_text(plot.x_title))
    finish(sheet)
    return sheet


def _draw_panel(
    axes: Axes, panel: IntervalPanel, styles: Mapping[str, LineStyle], texts: Mapping[str, str]
) -> None:
    for place, row in enumerate(panel.rows):
        estimate, colour = row.estimate, styles[row.label].colour
        axes.plot(
            row.scores, [place + RUNS_BELOW] * len(row.scores), "o", color=colour, alpha=0.45,
            markersize=2.6, markeredgewidth=0,
        )  # fmt: skip
        if estimate.low is not None and estimate.high is not None:
            axes.plot(
                [estimate.low, estimate.high], [place, place], color=colour, linewidth=1.6,
                solid_capstyle="butt",
            )  # fmt: skip
        fill = colour if estimate.has_interval else "white"
        axes.plot([estimate.value], [place], "o", color=colour, markersize=5, markerfacecolor=fill)
        mark = "*" if estimate.is_undercovered else ""
        axes.annotate(
            f"rank {row.rank.rank}, n={estimate.n_seeds}{mark}", (1.0, place),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0), textcoords="offset points", va="center", fontsize=7, color=INK,
        )  # fmt: skip
    axes.set_yticks(range(len(panel.rows)))
    axes.set_yticklabels([texts[row.label] for row in panel.rows])
    axes.set_ylim(len(panel.rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, labelsize=8)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_title(label_text(panel.title), loc="left")
    axes.margins(x=0.04)
