"""What `axiomrl watch` draws: two lines for each run, as texts with styles."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from axiomrl.cli.progress import compact
from axiomrl.reports.cells import clock, shown
from axiomrl.reports.table import Column
from axiomrl.reports.watching import RunView

Line = list[tuple[str, str]]  # texts, each with a style that rich knows; "" is plain

STYLES = {"running": "cyan", "completed": "green", "removed": "dim"}  # others are red
BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN_BLOCKS = "_.-:=+*#"  # where the terminal has no others
CURVE_WIDTH, SHORTEST_CURVE = 24, 4
BAR_WIDTH, SHORTEST_BAR = 40, 4
LINES_PER_RUN = 2


def frame(views: Sequence[RunView], *, width: int, height: int | None = None) -> list[Line]:
    """Two lines for each run, none wider than `width`.

    Where there is no room for all in `height` lines, running ones come first, and a last line says
    how many are not shown.
    """
    blocks = BLOCKS if _has(BLOCKS) else PLAIN_BLOCKS
    kept = list(views)
    if height is not None and LINES_PER_RUN * len(views) > height:
        room = max((height - 1) // LINES_PER_RUN, 1)
        places = sorted(range(len(views)), key=lambda place: views[place].status != "running")
        kept = [views[place] for place in sorted(places[:room])]
    lines = [line for view in kept for line in (_heading(view, width, blocks), _way(view, width))]
    if len(kept) < len(views):
        lines.append([(f"and {len(views) - len(kept)} more", "dim")])
    return lines


def sparkline(values: Sequence[float | None], blocks: str = BLOCKS) -> str:
    """A curve in one character per value, from the lowest to the highest; a gap is a space."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, span = min(known), max(known) - min(known)
    top = len(blocks) - 1
    return "".join(
        " " if value is None else blocks[round((value - low) / span * top) if span else top // 2]
        for value in values
    )


def _heading(view: RunView, width: int, blocks: str) -> Line:
    """Name, status, returns and the curve."""
    parts = [f"  {name} {compact(value)}" for name, value in _returns(view)]
    status = _plain(view.status)
    taken = len(status) + 2 + sum(map(len, parts))
    name = _cut(_plain(view.name), max(width - taken, 8))
    line = [(name, "bold"), (f"  {status}", STYLES.get(view.status, "red"))]
    line += [(part, "") for part in parts]
    room = min(CURVE_WIDTH, width - taken - len(name) - 2)
    if room >= SHORTEST_CURVE and len(view.curve.values) > 1:
        line.append(("  " + sparkline(view.curve.resampled(room), blocks), "magenta"))
    return _within(line, width)


def _returns(view: RunView) -> list[tuple[str, float]]:
    returns = [(view.metric or "", view.last), ("best", view.best)]
    return [(name, value) for name, value in returns if value is not None]


def _way(view: RunView, width: int) -> Line:
    """A bar, and in numbers: share, steps, speed, time left."""
    steps, total = view.env_steps or 0, view.total_timesteps
    share = min(steps / total, 1.0) if total else 0.0
    numbers = f"{100 * share:3.0f} %  {steps:,}/{total:,}" if total else f"{steps:,} steps"
    if view.env_steps_per_s is not None:
        numbers += f"  {view.env_steps_per_s:,.0f}/s"
    if view.remaining_s is not None:
        numbers += f"  eta {clock(view.remaining_s)}"
    length = min(BAR_WIDTH, width - len(numbers) - 2)
    if length < SHORTEST_BAR:
        return _within([(numbers.strip(), "")], width)
    full, empty = ("█", "░") if _has("█░") else ("#", ".")
    filled = int(share * length)
    bar = [(full * filled, STYLES.get(view.status, "red")), (empty * (length - filled), "dim")]
    return _within([*bar, (f"  {numbers}", "")], width)


def _within(line: Line, width: int) -> Line:
    """The line without what is beyond that width."""
    kept: Line = []
    for text, style in line:
        text = text[: max(width, 0)]
        width -= len(text)
        kept.append((text, style))
    return kept


def _plain(text: str) -> str:
    """A text from a file, with control characters written out."""
    return shown(text, Column("", ""))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + ("…" if _has("…") else "~")


def _has(characters: str) -> bool:
    """Whether stdout can show them."""
    try:
        characters.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
