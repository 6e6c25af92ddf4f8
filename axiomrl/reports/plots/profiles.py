"""Performance profiles: which part of a group's runs scores above each threshold."""

from __future__ import annotations

from axiomrl.reports.plot_data import GroupProfile, ProfilePlot
from axiomrl.reports.plots.sheet import Look, Sheet, finish, new_sheet
from axiomrl.reports.plots.style import (
    BAND_OPACITY,
    label_text,
    label_texts,
    line_styles,
    line_widths,
)

SIZE_IN = (5.0, 3.2)


def draw_profiles(plot: ProfilePlot, look: Look) -> Sheet:
    """One line per group, as steps: scores lie where it falls."""
    styles, texts = line_styles(plot.groups), label_texts(plot.groups)
    sheet = new_sheet(
        look,
        panels_in=SIZE_IN,
        legend={
            f"{texts[each.label]} ({_numbers(each)})": styles[each.label] for each in plot.lines
        },
        caption=plot.caption,
        notes=plot.notes,
    )
    axes = sheet.figure.add_subplot()
    for line, width in zip(reversed(plot.lines), line_widths(len(plot.lines)), strict=True):
        profile, style = line.profile, styles[line.label]
        if profile.low is not None and profile.high is not None:
            axes.fill_between(
                profile.taus, profile.low, profile.high, step="post", color=style.colour,
                alpha=BAND_OPACITY, linewidth=0,
            )  # fmt: skip
        axes.step(
            profile.taus, profile.fraction, where="post", color=style.colour,
            linestyle=style.dashes, linewidth=width,
        )  # fmt: skip
    axes.set_ylim(-0.02, 1.02)
    axes.margins(x=0.01)
    axes.set_title(label_text(plot.title), loc="left")
    axes.set_xlabel(label_text(plot.x_title))
    axes.set_ylabel(label_text(plot.y_title))
    finish(sheet)
    return sheet


def _numbers(line: GroupProfile) -> str:
    if line.n_runs == line.n_seeds:
        return f"n={line.n_runs}"
    return f"n={line.n_runs}, {line.n_seeds} seeds"
