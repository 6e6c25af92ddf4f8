"""Learning curves: a panel per environment, and below each how many runs there are at each step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from axiomrl.reports.plot_data import CurvePanel, CurvePlot, GroupCurve
from axiomrl.reports.plots.sheet import Look, Sheet, finish, new_sheet
from axiomrl.reports.plots.style import (
    BAND_OPACITY,
    LineStyle,
    count_text,
    format_seconds,
    format_steps,
    label_text,
    label_texts,
    line_styles,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from axiomrl.reports.curves import Axis

PANEL_IN = {1: (5.0, 3.3), 2: (3.5, 2.7)}  # by the number of columns; of more, the last
THIN, THICK = 0.7, 1.5  # points; a line with a band is thick
STRIP_HEIGHT = 0.11  # of n, as a part of the curves' height
X_TITLES: Mapping[str, str] = {"env_steps": "env steps", "wall_time": "training time"}


def draw_curves(plot: CurvePlot, look: Look) -> Sheet:
    """The curves with their bands; runs of groups without one as thin lines."""
    rows, columns = grid_shape(len(plot.panels))
    width, height = PANEL_IN.get(columns, (2.9, 2.4))
    styles, texts = line_styles(plot.groups), label_texts(plot.groups)
    drawn = {curve.label for panel in plot.panels for curve in panel.curves}
    sheet = new_sheet(
        look,
        panels_in=(width * columns, height * rows),
        legend={texts[label]: styles[label] for label in plot.groups if label in drawn},
        caption=(
            *plot.caption,
            "Strip: n, the runs at each step.",
        ),
        notes=plot.notes,
    )
    cells = sheet.figure.add_gridspec(rows, columns)
    for place, panel in enumerate(plot.panels):
        cell: Any = cells[place // columns, place % columns]
        upper, lower = cell.subgridspec(2, 1, height_ratios=(1, STRIP_HEIGHT), hspace=0.03)
        curves = sheet.figure.add_subplot(upper)
        strip = sheet.figure.add_subplot(lower, sharex=curves)
        _draw_panel(curves, panel, styles)
        _draw_strip(strip, panel, styles)
        _format_x(strip, panel, plot.x)
        curves.tick_params(labelbottom=False, bottom=False)
        curves.set_title(label_text(panel.title), loc="left")
        if place % columns == 0:
            curves.set_ylabel(label_text(plot.y_title))
        if place + columns >= len(plot.panels):
            strip.set_xlabel(X_TITLES[plot.x])
    finish(sheet)
    return sheet


def grid_shape(panels: int) -> tuple[int, int]:
    """Rows and columns for so many panels."""
    columns = panels if panels <= 3 else 2 if panels == 4 else 3 if panels <= 12 else 5
    return -(-panels // columns), columns


def _draw_panel(axes: Axes, panel: CurvePanel, styles: Mapping[str, LineStyle]) -> None:
    for curve in reversed(panel.curves):  # the best on top
        style = styles[curve.label]
        thin = {"color": style.colour, "linestyle": style.dashes, "linewidth": THIN}
        for steps, values in curve.runs:
            axes.plot(steps, values, **thin, **_dot(len(steps)))
        band = curve.band
        if band is None:
            continue
        axes.fill_between(
            band.steps, band.low, band.high, color=style.colour, alpha=BAND_OPACITY, linewidth=0
        )
        axes.plot(band.steps, band.value, **thin, **_dot(len(band.steps)))
        sure = np.where(np.isnan(band.low), np.nan, band.value)
        axes.plot(band.steps, sure, **{**thin, "linewidth": THICK}, **_dot(len(band.steps)))


def _dot(points: int) -> dict[str, Any]:
    """A curve of one point needs a marker to be seen."""
    return {"marker": "o", "markersize": 3} if points == 1 else {}


def _draw_strip(axes: Axes, panel: CurvePanel, styles: Mapping[str, LineStyle]) -> None:
    """How many runs each group has at each step; lines of equal n lie side by side."""
    most = max(int(_counts(curve)[1].max()) for curve in panel.curves)
    apart = most * 0.12
    for place, curve in enumerate(panel.curves):
        style = styles[curve.label]
        steps, n = _counts(curve)
        shift = apart * (place - (len(panel.curves) - 1) / 2) / max(1, len(panel.curves) - 1)
        axes.step(
            steps,
            n - shift,
            where="post",
            color=style.colour,
            linestyle=style.dashes,
            linewidth=0.9,
        )
    axes.set_ylim(0, most * 1.2)
    axes.set_yticks([0, most])
    axes.set_yticklabels(["0", count_text(most)])
    axes.tick_params(axis="y", labelsize=6, length=1.5)
    axes.set_ylabel("n", rotation=0, labelpad=4, va="center", fontsize=7)
    axes.grid(visible=False)


def _counts(curve: GroupCurve) -> tuple[Any, Any]:
    """The steps of a group and how many of its runs have a value at each."""
    if curve.band is not None:
        return curve.band.steps, curve.band.n
    steps = np.unique(np.concatenate([np.asarray(each) for each, _ in curve.runs]))
    present = [(steps >= each[0]) & (steps <= each[-1]) for each, _ in curve.runs]
    return steps, np.sum(present, axis=0)


def _format_x(axes: Axes, panel: CurvePanel, x: Axis) -> None:
    if x == "env_steps":
        format_steps(axes.xaxis)
        return
    last = [float(_counts(curve)[0][-1]) for curve in panel.curves]
    format_seconds(axes.xaxis, max(last))
