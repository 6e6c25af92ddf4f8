"""Plots as pictures: what is drawn is what the data say, in every format, whatever labels hold."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from axiomrl.errors import InputError
from axiomrl.reports.plot_data import (
    AnyPlot,
    CurvePlot,
    ImprovementPlot,
    IntervalPlot,
    ProfilePlot,
)
from axiomrl.reports.plot_values import KINDS, plot_data
from axiomrl.reports.plots import FORMATS, MOST_STYLES, Format, Look, draw, picture
from axiomrl.reports.plots.style import (
    LABEL_LENGTH,
    count_text,
    label_text,
    label_texts,
    line_styles,
)
from axiomrl.statistics import Band

from .plot_boards import board_of, rising, write_curves, write_several

HOSTILE = [
    "<script>alert(1)</script>",
    "$x^{2}$ costs 5$",
    "_hidden",
    "",
    "line\nbreak \x00\x1b[31m \u202egnp.exe",
    "日本語 🦊 \ud800",
    "very " * 60,
    "very " * 61,
    "&amp; \"quoted\" 'too' %s {x} \\n",
]

BEGIN_AND_END: dict[Format, tuple[bytes, bytes]] = {
    "png": (b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"),
    "pdf": (b"%PDF-", b"%%EOF\n"),
    "svg": (b"<?xml", b"</svg>\n"),
}


@pytest.fixture(scope="module")
def plots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, AnyPlot]:
    """One plot of each kind."""
    root = tmp_path_factory.mktemp("runs")
    write_several(root)
    board = board_of(root)
    return {kind: plot_data(kind, board) for kind in KINDS}


@pytest.fixture(scope="module")
def figures(plots: dict[str, AnyPlot]) -> Callable[[str], Any]:
    """The figure of each kind, drawn once: to be looked at only."""
    return cache(lambda kind: figure_of(plots[kind]))


def figure_of(plot: AnyPlot, **look: Any) -> Any:
    return draw(plot, Look(**look)).figure


def lines_of(axes: Any) -> list[tuple[list[float], list[float]]]:
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.get_lines()]


def texts_of(data: bytes) -> list[str]:
    """The texts in an SVG."""
    root = ElementTree.fromstring(data)
    return ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_makes_a_readable_file_and_the_same_again(
    plots: dict[str, AnyPlot], kind: str
) -> None:
    data, notes = picture(plots[kind], "svg")
    assert notes == []
    assert "ppo" in " ".join(texts_of(data))
    assert picture(plots[kind], "svg") == (data, notes)


@pytest.fixture(scope="module")
def curves_of_every_format(plots: dict[str, AnyPlot]) -> dict[Format, tuple[bytes, list[str]]]:
    return {each: picture(plots["curves"], each) for each in FORMATS}


def test_every_format_is_written_whole(
    curves_of_every_format: dict[Format, tuple[bytes, list[str]]],
) -> None:
    assert set(BEGIN_AND_END) == set(FORMATS)
    for file_format, (begin, end) in BEGIN_AND_END.items():
        data, notes = curves_of_every_format[file_format]
        assert notes == []
        assert data.startswith(begin)
        assert data.endswith(end)


@pytest.mark.parametrize(
    ("kind", "file_format"),
    [("efficiency", "png"), ("improvement", "png"), ("intervals", "pdf"), ("profiles", "pdf")],
)
def test_every_kind_makes_a_readable_file_of_another_format(
    plots: dict[str, AnyPlot], kind: str, file_format: Format
) -> None:
    data, notes = picture(plots[kind], file_format)
    assert notes == []
    begin, end = BEGIN_AND_END[file_format]
    assert data.startswith(begin)
    assert data.endswith(end)


ELSEWHERE = """\
import hashlib, json, sys
from pathlib import Path
import matplotlib
from axiomrl.reports.plot_values import plot_data
from axiomrl.reports.plots import FORMATS, picture
from tests.reports.plot_boards import board_of, write_several

def settings():
    return {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}

before = settings()
write_several(Path(sys.argv[1]))
plot = plot_data("curves", board_of(Path(sys.argv[1])))
digests = [hashlib.sha256(picture(plot, name)[0]).hexdigest() for name in FORMATS]
print(json.dumps([digests, before == settings(), "matplotlib.pyplot" in sys.modules]))
"""


def test_a_process_without_a_home_and_with_settings_of_its_own_makes_the_same_bytes(
    curves_of_every_format: dict[Format, tuple[bytes, list[str]]], tmp_path: Path
) -> None:
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 9\nfont.size: 30\nbackend: TkAgg\n")
    nowhere = "/dev/null/home"
    variables = {"HOME": nowhere, "XDG_CONFIG_HOME": nowhere, "XDG_CACHE_HOME": nowhere}
    variables |= {"MATPLOTLIBRC": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ELSEWHERE, str(tmp_path / "runs")],
        env={name: text for name, text in os.environ.items() if name != "MPLCONFIGDIR"} | variables,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    ours = [curves_of_every_format[each][0] for each in FORMATS]
    digests = [hashlib.sha256(each).hexdigest() for each in ours]
    assert json.loads(done.stdout.splitlines()[-1]) == [digests, True, False]


def test_curves_draw_the_numbers_of_their_bands(
    plots: dict[str, AnyPlot], figures: Callable[[str], Any]
) -> None:
    plot = plots["curves"]
    assert isinstance(plot, CurvePlot)
    axes = figures("curves").axes
    assert len(axes) == 2 * len(plot.panels)  # curves, and below them n
    for panel, upper, strip in zip(plot.panels, axes[::2], axes[1::2], strict=True):
        drawn = lines_of(upper)
        fills = [each.get_paths()[0].vertices for each in upper.collections]
        for curve in panel.curves:
            for run in curve.runs:
                assert (list(run[0]), list(run[1])) in drawn
            if curve.band is not None:
                assert (curve.band.steps.tolist(), curve.band.value.tolist()) in drawn
                ends = {*curve.band.low.tolist(), *curve.band.high.tolist()}
                assert any(ends <= set(vertices[:, 1].tolist()) for vertices in fills)
        assert len(strip.get_lines()) == len(panel.curves)
        for curve, line in zip(panel.curves, strip.get_lines(), strict=True):
            counts = np.round(line.get_ydata())
            assert set(counts) == {curve.n_seeds}


def test_a_line_is_thick_only_where_it_has_a_band(plots: dict[str, AnyPlot]) -> None:
    plot = plots["curves"]
    assert isinstance(plot, CurvePlot)
    steps, nan = np.arange(4.0), np.nan
    low = np.array([1.0, 1.0, nan, nan])
    band = Band(steps, steps + 1, low, low + 3, np.array([3, 3, 2, 1]))
    curve = replace(plot.panels[1].curves[0], band=band)
    panels = (replace(plot.panels[1], curves=(curve,)),)
    upper, strip = figure_of(replace(plot, panels=panels)).axes
    thin, thick = upper.get_lines()
    assert list(thin.get_ydata()) == [1, 2, 3, 4]
    assert np.isnan(thick.get_ydata()).tolist() == [False, False, True, True]
    assert thick.get_linewidth() > thin.get_linewidth()
    assert list(strip.get_lines()[0].get_ydata()) == [3, 3, 2, 1]


def test_a_group_has_one_colour_in_all_panels(
    plots: dict[str, AnyPlot], figures: Callable[[str], Any]
) -> None:
    plot = plots["curves"]
    assert isinstance(plot, CurvePlot)
    styles = line_styles(plot.groups)
    assert len({(each.colour, str(each.dashes)) for each in styles.values()}) == len(plot.groups)
    for panel, strip in zip(plot.panels, figures("curves").axes[1::2], strict=True):
        for curve, line in zip(panel.curves, strip.get_lines(), strict=True):
            assert line.get_color() == styles[curve.label].colour


def test_there_are_as_many_styles_as_may_be_asked_for() -> None:
    styles = line_styles([str(number) for number in range(MOST_STYLES)])
    assert len({(each.colour, str(each.dashes)) for each in styles.values()}) == MOST_STYLES


def test_legend_title_and_caption_cover_no_panel(plots: dict[str, AnyPlot]) -> None:
    figure = figure_of(plots["curves"], title="A title " * 20)
    figure.draw_without_rendering()
    renderer = figure._get_renderer()
    around = [*figure.texts, *figure.legends]
    boxes = [each.get_window_extent(renderer) for each in around]
    panels = [axes.get_tightbbox(renderer) for axes in figure.axes]
    assert len(boxes) == 3
    for place, box in enumerate(boxes):
        assert 0 <= box.x0 <= box.x1 <= figure.bbox.x1
        assert 0 <= box.y0 <= box.y1 <= figure.bbox.y1
        for other in [*panels, *boxes[place + 1 :]]:
            assert not box.overlaps(other)


def test_intervals_draw_estimates_ends_and_runs(
    plots: dict[str, AnyPlot], figures: Callable[[str], Any]
) -> None:
    plot = plots["intervals"]
    assert isinstance(plot, IntervalPlot)
    for panel, axes in zip(plot.panels, figures("intervals").axes, strict=True):
        drawn = lines_of(axes)
        assert [each.get_text() for each in axes.get_yticklabels()] == [
            row.label for row in panel.rows
        ]
        for place, row in enumerate(panel.rows):
            estimate = row.estimate
            assert ([estimate.value], [place]) in drawn
            bar = ([estimate.low, estimate.high], [place, place])
            assert (bar in drawn) == estimate.has_interval
            assert any(x == list(row.scores) for x, _ in drawn)
        assert [each.get_text().partition("n=")[2] for each in axes.texts] == [
            str(row.estimate.n_seeds) for row in panel.rows
        ]


def test_profiles_draw_fractions_as_steps(
    plots: dict[str, AnyPlot], figures: Callable[[str], Any]
) -> None:
    plot = plots["profiles"]
    assert isinstance(plot, ProfilePlot)
    (axes,) = figures("profiles").axes
    for line, drawn in zip(reversed(plot.lines), axes.get_lines(), strict=True):
        assert drawn.get_drawstyle() == "steps-post"
        assert list(drawn.get_xdata()) == line.profile.taus.tolist()
        assert list(drawn.get_ydata()) == line.profile.fraction.tolist()


def test_cells_hold_probabilities_and_intervals(
    plots: dict[str, AnyPlot], figures: Callable[[str], Any]
) -> None:
    plot = plots["improvement"]
    assert isinstance(plot, ImprovementPlot)
    for panel, axes in zip(plot.panels, figures("improvement").axes, strict=True):
        written = {each.get_position(): each.get_text() for each in axes.texts}
        for row, cells in enumerate(panel.cells):
            for column, cell in enumerate(cells):
                here = [
                    text for (x, y), text in written.items() if (int(x), int(y)) == (column, row)
                ]
                expected = [] if cell is None else [f"{cell.value:.2f}"]
                if cell is not None and cell.low is not None:
                    expected.append(f"[{cell.low:.2f}, {cell.high:.2f}]")
                assert here == expected


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> dict[str, AnyPlot]:
    """Plots of groups and environments with names that are meant to do harm."""
    root = tmp_path_factory.mktemp("hostile")
    for number, name in enumerate(HOSTILE):
        curves = rising(3, 10.0 + number)
        write_curves(root / str(number), "r", curves, algo=name, env_id="<b>env</b> $y$")
    board = board_of(root)
    return {kind: plot_data(kind, board) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_names_stay_text(hostile: dict[str, AnyPlot], kind: str) -> None:
    data, notes = picture(hostile[kind], "svg", look=Look(title="<title> $t$ _"))
    assert notes == []
    assert b"<script" not in data
    written = " ".join(texts_of(data))
    shown = [
        "<title> $t$ _",
        "<script>alert(1)</script>",
        "$x^{2}$ costs 5$",
        "_hidden",
        "<b>env</b> $y$",
    ]
    shown += ["日本語 🦊", "\\x202egnp.exe", "(2)"]
    for text in shown:
        assert text in written
    assert "\u202e" not in written


def test_what_the_font_cannot_show_is_told(hostile: dict[str, AnyPlot]) -> None:
    _, notes = picture(hostile["profiles"], "png")
    assert notes == ["some characters are not in the font and drawn as boxes; an SVG keeps them"]


def test_labels_are_short_visible_and_told_apart() -> None:
    texts = label_texts(HOSTILE)
    assert len(set(texts.values())) == len(HOSTILE)
    assert all(len(text) <= LABEL_LENGTH + len(" (2)") for text in texts.values())
    assert label_text("") == "(empty)"
    assert label_text("a" * 99).count("…") == 1


@pytest.mark.parametrize("count", [1, 2])
def test_few_seeds_and_a_single_run_can_be_drawn(tmp_path: Path, count: int) -> None:
    write_curves(tmp_path, "ppo", rising(count))
    write_curves(tmp_path, "dqn", [curve[:1] for curve in rising(count)], algo="dqn")
    board = board_of(tmp_path)
    for kind in KINDS:
        assert figure_of(plot_data(kind, board)).axes


def test_one_run_of_one_evaluation_can_be_seen(tmp_path: Path) -> None:
    write_curves(tmp_path, "ppo", [[(0.0, 5.0)]])
    plot = plot_data("curves", board_of(tmp_path))
    (line,) = figure_of(plot).axes[0].get_lines()
    assert line.get_marker() == "o"
    assert picture(plot, "png")[0]


def test_ten_groups_over_many_environments_fit(tmp_path: Path) -> None:
    for env in range(4):
        for algo in range(10 if env == 0 else 1):
            name = f"{env}-{algo}"
            curves = rising(1, 10.0 * algo)
            write_curves(tmp_path, name, curves, algo=f"a{algo}", env_id=f"Env{env}-v0")
    board = board_of(tmp_path)
    for kind in ("curves", "intervals"):
        data, notes = picture(plot_data(kind, board), "svg")
        assert notes == []
        assert "Env0-v0" in texts_of(data)


def test_pictures_have_the_size_asked_for(plots: dict[str, AnyPlot]) -> None:
    for kind in ("intervals", "profiles"):
        data, _ = picture(plots[kind], "png", look=Look(width_in=9.0, height_in=7.0))
        size = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
        assert size == (9 * 200, 7 * 200)


def test_a_size_that_is_too_small_is_refused(plots: dict[str, AnyPlot]) -> None:
    for plot in plots.values():
        with pytest.raises(InputError, match="too little for this plot"):
            picture(plot, "png", look=Look(height_in=0.5))
    for kind in ("intervals", "improvement"):
        with pytest.raises(InputError, match="do not fit"):
            picture(plots[kind], "png", look=Look(width_in=1.0, has_caption=False))
    with pytest.raises(InputError, match="--width 1: too little for the legend"):
        picture(plots["profiles"], "png", look=Look(width_in=1.0, has_caption=False))


def test_the_caption_can_be_left_out(plots: dict[str, AnyPlot]) -> None:
    plot = plots["profiles"]
    for has_caption in (True, False):
        written = " ".join(texts_of(picture(plot, "svg", look=Look(has_caption=has_caption))[0]))
        assert ("bootstrap" in written) == has_caption
        assert ("Not drawn: sac" in written) == has_caption


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (500, "500"), (25_000, "25k"), (1_500_000, "1.5M"), (2e9, "2G")]
)
def test_steps_are_written_shortly(value: float, text: str) -> None:
    assert count_text(value) == text


def test_times_have_ticks_at_round_minutes_and_hours(plots: dict[str, AnyPlot]) -> None:
    plot = plots["efficiency"]
    assert isinstance(plot, CurvePlot)
    curve = plot.panels[0].curves[0]
    assert curve.band is not None
    cases = [(2.0, "0.5"), (240.0, "2:00"), (18_000.0, "1:00:00"), (1e7, "576:00:00")]
    for longest, expected in cases:
        band = replace(curve.band, steps=np.linspace(0, longest, len(curve.band.steps)))
        panel = replace(plot.panels[0], curves=(replace(curve, band=band),))
        figure = figure_of(replace(plot, panels=(panel,), x="wall_time"))
        figure.draw_without_rendering()
        ticks = [each.get_text() for each in figure.axes[1].get_xticklabels()]
        assert any(tick.startswith(expected) for tick in ticks)
        assert len(ticks) <= 8
