"""What panels are drawn on: title above, legend and caption below, nothing overlapping."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from axiomrl.errors import InputError
from axiomrl.reports.cells import visible
from axiomrl.reports.plots.style import PALE, SETTINGS, LineStyle

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

Format = Literal["png", "svg", "pdf"]
FORMATS: tuple[Format, ...] = ("png", "svg", "pdf")
MARGIN_IN = 0.06
TITLE_SIZE, CAPTION_SIZE = 10.0, 6.5  # points
LEAST = 0.3  # of the height that suits panels, below which nothing can be read
LINE_IN = 1.3 / 72  # height of a line for each point of size
LONGEST_WORD = 40  # characters; of longer ones the rest goes to the next line
_METADATA: dict[str, dict[str, Any]] = {  # no dates: the same data give the same bytes
    "png": {"Software": "axiomrl"},
    "svg": {"Creator": "axiomrl", "Date": None},
    "pdf": {"Creator": "axiomrl", "Producer": "matplotlib", "CreationDate": None},
}


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the user may choose of a plot's looks; None: what suits it."""

    title: str | None = None
    width_in: float | None = None
    height_in: float | None = None  # of the whole picture
    has_caption: bool = True


@dataclass(frozen=True)
class Sheet:
    """A figure with room for panels."""

    figure: Figure
    look: Look
    legend: Mapping[str, LineStyle]  # what it says of which line
    caption: Sequence[str]


def new_sheet(
    look: Look,
    *,
    panels_in: tuple[float, float],
    caption: Sequence[str],
    notes: Sequence[str],
    legend: Mapping[str, LineStyle] | None = None,
) -> Sheet:
    """An empty sheet on which panels of about this width and height fit."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(look.width_in or panels_in[0], panels_in[1]), layout="constrained")
    sentences = [*caption, *map(_sentence, notes)] if look.has_caption else []
    return Sheet(figure, look, legend or {}, sentences)


def finish(sheet: Sheet) -> None:
    """Put title, legend and caption around the panels, and make the sheet as high as needed."""
    figure, look = sheet.figure, sheet.look
    width, panels = figure.get_size_inches()
    lines = _filled(sheet, " ".join(sheet.caption), CAPTION_SIZE)
    caption_in = len(lines) * CAPTION_SIZE * LINE_IN + (MARGIN_IN if lines else 0.0)
    title = _filled(sheet, look.title or "", TITLE_SIZE)
    title_in = len(title) * TITLE_SIZE * LINE_IN + (2 * MARGIN_IN if title else 0.0)
    legend = _legend(sheet) if sheet.legend else None
    legend_in = _size_in(legend)[1] + 2 * MARGIN_IN if legend is not None else 0.0
    around = title_in + legend_in + caption_in
    height = look.height_in or panels + around
    if height - around < LEAST * panels:
        raise InputError(
            f"--height {height:g}: too little for this plot", hint=_size_hint(panels + around)
        )
    figure.set_size_inches(width, height)
    engine: Any = figure.get_layout_engine()
    below = (legend_in + caption_in) / height
    engine.set(rect=(0.0, below, 1.0, 1.0 - below - title_in / height), w_pad=0.06, h_pad=0.04)
    if title:
        at = 1.0 - MARGIN_IN / height
        figure.text(0.5, at, "\n".join(title), size=TITLE_SIZE, ha="center", va="top")
    if legend is not None:
        legend.set_bbox_to_anchor((0.5, (caption_in + 0.5 * MARGIN_IN) / height))
    if lines:
        at = 0.5 * MARGIN_IN / height
        place = (MARGIN_IN / width, at)
        figure.text(*place, "\n".join(lines), size=CAPTION_SIZE, color=PALE, va="bottom")
    _lay_out(figure)


def _lay_out(figure: Figure) -> None:
    """Give panels their final places, rounded.

    The solver of matplotlib's layout goes through its constraints in the order of addresses, so
    the last digits of what it finds differ from one time to the next.
    """
    engine: Any = figure.get_layout_engine()
    engine.execute(figure)
    figure.set_layout_engine("none")
    for axes in figure.axes:
        x0, y0, width, height = axes.get_position().bounds
        axes.set_position((round(x0, 6), round(y0, 6), round(width, 6), round(height, 6)))


def _size_hint(height: float) -> str:
    return f"about {height:.1f} inches suit it"


def _filled(sheet: Sheet, text: str, size: float) -> list[str]:
    """A text in lines as long as the sheet is wide."""
    from matplotlib.font_manager import FontProperties

    renderer, font = _renderer(sheet.figure), FontProperties(size=size)
    longest = (sheet.figure.get_size_inches()[0] - 2 * MARGIN_IN) * sheet.figure.dpi
    lines: list[str] = []
    for word in _words(text):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and renderer.get_text_width_height_descent(longer, font, False)[0] <= longest:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _words(text: str) -> Iterator[str]:
    """The words of a text, visible and none too long."""
    for word in visible(text).split():
        yield from (
            word[start : start + LONGEST_WORD] for start in range(0, len(word), LONGEST_WORD)
        )


def _renderer(figure: Figure) -> Any:
    """By which the size of texts can be told."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    return canvas.get_renderer()


def _sentence(note: str) -> str:
    return f"{note[:1].upper()}{note[1:]}."


def _legend(sheet: Sheet) -> Legend:
    """A legend in as few rows as fit, all about equally long."""
    width, count = sheet.figure.get_size_inches()[0], len(sheet.legend)
    for rows in range(1, count + 1):
        columns = -(-count // rows)
        legend = _legend_of(sheet, columns)
        if _size_in(legend)[0] <= width:
            return legend
        legend.remove()
    raise InputError(f"--width {width:g}: too little for the legend", hint="leave --width out")


def _legend_of(sheet: Sheet, columns: int) -> Legend:
    from matplotlib.lines import Line2D

    handles: list[Artist] = [
        Line2D([], [], color=style.colour, linestyle=style.dashes, linewidth=2)
        for style in sheet.legend.values()
    ]
    legend = sheet.figure.legend(
        handles,
        [str(place) for place in range(len(handles))],
        ncols=columns,
        loc="lower center",
        frameon=False,
        borderpad=0.0,
        borderaxespad=0.0,
        columnspacing=1.6,
        handlelength=2.4,
    )
    # given above, a text that begins with _ would be taken for "not in the legend"
    for text, written in zip(legend.get_texts(), sheet.legend, strict=True):
        text.set_text(written)
    legend.set_in_layout(False)
    return legend


def _size_in(legend: Legend) -> tuple[float, float]:
    """Width and height of a legend, in inches."""
    figure: Any = legend.get_figure(root=True)
    box = legend.get_window_extent(_renderer(figure))
    return box.width / figure.dpi, box.height / figure.dpi


def picture_bytes(draw: Callable[[], Sheet], file_format: Format) -> tuple[bytes, list[str]]:
    """The picture that `draw` makes, and sentences on what could not be shown as it should.

    The user's own settings of matplotlib do not count, and no window is ever opened. Raises
    InputError if the panels do not fit.
    """
    import matplotlib

    stream = io.BytesIO()
    with matplotlib.rc_context(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        matplotlib.rcdefaults()
        settings: Any = matplotlib.rcParams
        settings.update(SETTINGS)
        sheet = draw()
        sheet.figure.savefig(stream, format=file_format, metadata=_METADATA[file_format])
    return stream.getvalue(), _told(caught, file_format)


def _told(caught: Sequence[warnings.WarningMessage], file_format: str) -> list[str]:
    """What matplotlib's warnings mean for the user."""
    messages = [str(each.message) for each in caught]
    if any("collapsed to zero" in message for message in messages):
        raise InputError("the panels do not fit", hint="use a greater --width and --height")
    notes = []
    if any("missing from font" in message for message in messages) and file_format != "svg":
        notes.append("some characters are not in the font and drawn as boxes; an SVG keeps them")
    return notes + [
        message for message in dict.fromkeys(messages) if "missing from font" not in message
    ]
