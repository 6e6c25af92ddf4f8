"""The matrix of probabilities of improvement: every pair of groups, both ways round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from axiomrl.reports.plot_data import ImprovementPanel, ImprovementPlot
from axiomrl.reports.plots.curves import grid_shape
from axiomrl.reports.plots.sheet import Look, Sheet, finish, new_sheet
from axiomrl.reports.plots.style import INK, label_text, label_texts, labels_width_in

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from axiomrl.statistics import Estimate

CELL_IN, AROUND_IN = (0.82, 0.5), (0.5, 0.6)  # width and height
DIAGONAL, EDGE = "#ececec", "#c8c8c8"
COLOURS = ("#E69F00", "#FFFFFF", "#0072B2")  # surely worse, even, surely better


def draw_improvement(plot: ImprovementPlot, look: Look) -> Sheet:
    """A panel per environment; each cell holds the probability and its interval."""
    rows, columns = grid_shape(len(plot.panels))
    most = max(len(panel.labels) for panel in plot.panels)
    texts = label_texts(plot.groups)
    names_in = labels_width_in(texts.values())
    sheet = new_sheet(
        look,
        panels_in=(
            columns * (most * CELL_IN[0] + AROUND_IN[0] + names_in),
            rows * (most * CELL_IN[1] + AROUND_IN[1] + 0.5 * names_in),  # these are inclined
        ),
        caption=plot.caption,
        notes=plot.notes,
    )
    sizes = [
        max(len(panel.labels) for panel in plot.panels[column::columns])
        for column in range(columns)
    ]
    cells = sheet.figure.add_gridspec(rows, columns, width_ratios=sizes)
    for place, panel in enumerate(plot.panels):
        axes = sheet.figure.add_subplot(cells[place // columns, place % columns])
        _draw_panel(axes, panel, texts)
    finish(sheet)
    return sheet


def _draw_panel(axes: Axes, panel: ImprovementPanel, texts: Mapping[str, str]) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("improvement", COLOURS)
    count = len(panel.labels)
    for row, cells in enumerate(panel.cells):
        for column, cell in enumerate(cells):
            # paler than the ends of the scale: black text has to be readable on it
            shade = DIAGONAL if cell is None else shades(0.5 + (cell.value - 0.5) * 0.75)
            axes.fill([column, column + 1, column + 1, column], [row, row, row + 1, row + 1],
                      facecolor=shade, edgecolor=EDGE, linewidth=0.8)  # fmt: skip
            if cell is not None:
                _write_cell(axes, cell, column + 0.5, row + 0.5)
    axes.set_xlim(0, count)
    axes.set_ylim(count, 0)
    names = [texts[label] for label in panel.labels]
    axes.set_xticks([place + 0.5 for place in range(count)])
    axes.set_xticklabels(names, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks([place + 0.5 for place in range(count)])
    axes.set_yticklabels(names)
    axes.tick_params(length=0, labelsize=8)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_title(label_text(panel.title), loc="left")


def _write_cell(axes: Axes, cell: Estimate, x: float, y: float) -> None:
    is_sure = cell.low is not None and cell.high is not None and not cell.low <= 0.5 <= cell.high
    has_interval = cell.low is not None
    axes.text(x, y - (0.14 if has_interval else 0), f"{cell.value:.2f}", ha="center", va="center",
              size=8.5, color=INK, weight="bold" if is_sure else "normal")  # fmt: skip
    if has_interval:
        axes.text(x, y + 0.2, f"[{cell.low:.2f}, {cell.high:.2f}]", ha="center", va="center",
                  size=6.5, color=INK)  # fmt: skip
