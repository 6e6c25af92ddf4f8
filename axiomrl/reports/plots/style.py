"""How plots look: colours, sizes, and how labels, counts and times are written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from axiomrl.reports.cells import clock, visible

if TYPE_CHECKING:
    from matplotlib.axis import Axis as DrawnAxis

# The colours of M. Okabe and K. Ito, Color Universal Design (2008), told apart by colour-blind
# people too, without their yellow: a thin line of it can hardly be seen on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES: tuple[Any, ...] = ("solid", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
MOST_STYLES = len(COLOURS) * len(DASHES)

INK, PALE, GRID = "#222222", "#767676", "#e4e4e4"
BAND_OPACITY = 0.18
LABEL_LENGTH = 40  # characters; longer ones lose their middle

# Everything that could differ between machines or users is set here, on top of matplotlib's own
# defaults: the same data give the same bytes.
SETTINGS: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": PALE,
    "axes.linewidth": 0.6,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": PALE,
    "ytick.color": PALE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "lines.solid_capstyle": "round",
    "savefig.dpi": 200,
    "figure.facecolor": "white",
    "text.parse_math": False,  # labels are text, whatever signs are in them
    "axes.formatter.use_mathtext": False,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "axiomrl",
    "pdf.fonttype": 42,  # journals refuse Type 3
}


@dataclass(frozen=True)
class LineStyle:
    """By which a group is known in all panels."""

    colour: str
    dashes: Any


def line_styles(labels: Sequence[str]) -> dict[str, LineStyle]:
    """One style per label: all colours with solid lines first, then with each kind of dashes."""
    return {
        label: LineStyle(COLOURS[place % len(COLOURS)], DASHES[place // len(COLOURS) % len(DASHES)])
        for place, label in enumerate(labels)
    }


def line_widths(count: int) -> list[float]:
    """In points, for lines drawn one over another: those below look out where they are equal."""
    widest, finest = (2.4, 1.2) if count > 1 else (1.4, 1.4)
    return [widest + (finest - widest) * place / max(1, count - 1) for place in range(count)]


def label_text(label: str) -> str:
    """A label as it is drawn: on one line, visible, and not too long."""
    text = visible(label).strip()
    if len(text) > LABEL_LENGTH:
        half = LABEL_LENGTH // 2
        text = f"{text[: half - 1]}…{text[-half:]}"
    return text or "(empty)"


def label_texts(labels: Sequence[str]) -> dict[str, str]:
    """The same for labels that have to be told apart: equal texts are numbered."""
    texts: dict[str, str] = {}
    for label in labels:
        text = unique = label_text(label)
        number = 1
        while unique in texts.values():
            number += 1
            unique = f"{text} ({number})"
        texts[label] = unique
    return texts


def labels_width_in(texts: Iterable[str]) -> float:
    """About how wide the longest of the texts is, written in 8 points."""
    return 0.07 * max(map(len, texts), default=0)


def count_text(value: float) -> str:
    """A number of steps: 500, 25k, 1.5M."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.6g}{suffix}"
    return f"{value:.6g}"


_SPANS_S = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200),
    86_400,
)


def format_steps(axis: DrawnAxis) -> None:
    """Ticks at round numbers of env steps."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, place: count_text(value)))


def format_seconds(axis: DrawnAxis, longest: float) -> None:
    """Ticks at round times, written as 0:30, 12:30 or 3:00:00; parts of seconds as they are."""
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    days = math.ceil(longest / 5 / 86_400) * 86_400
    span = next((each for each in _SPANS_S if longest / each <= 5), days)
    axis.set_major_locator(MultipleLocator(span))
    write = clock if span >= 1 else "{:g}".format
    axis.set_major_formatter(FuncFormatter(lambda value, place: write(round(value, 3))))
