"""Runs to a picture: scan, filter, group, score, rank, draw. What `axiomrl plot` calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axiomrl.errors import InputError
from axiomrl.reports import zoo
from axiomrl.reports.cells import visible
from axiomrl.reports.plot_values import plot_data, require_kind

if TYPE_CHECKING:
    from axiomrl.reports.filters import Filters
    from axiomrl.reports.plots import Format, Look
    from axiomrl.reports.standings import Question
    from axiomrl.runs.store import ScanProblem
    from axiomrl.suites import Manifest


@dataclass(frozen=True)
class Picture:
    """The bytes of a file, and what is to be said beside it."""

    data: bytes
    caption: tuple[str, ...]  # without control characters, as the notes
    notes: tuple[str, ...]  # what is left out
    problems: tuple[ScanProblem, ...]


def make_picture(
    kind: str,
    roots: Sequence[Path] | None,
    filters: Filters,
    question: Question,
    *,
    file_format: Format,
    x: Any,
    look: Look,
    manifests: Callable[[], Sequence[Manifest]],
    use_index: bool,
) -> Picture:
    """A plot of the runs below the folders.

    Raises InputError for an unknown kind, more groups than can be told apart, and where there is
    nothing to draw.
    """
    from axiomrl.reports.plots import MOST_STYLES, picture
    from axiomrl.runs.cache import IntervalCache, cache_folder

    require_kind(kind, x)
    limit = question.top_k
    if limit is not None and limit > MOST_STYLES:
        raise InputError(f"--top-k {limit}: no more than {MOST_STYLES} lines can be told apart")
    selection = zoo.select(roots, filters, use_index=use_index, manifests=manifests)
    if not selection.records:
        raise InputError("nothing to draw", hint=zoo.advice(selection))
    cache = IntervalCache(cache_folder() if use_index else None)
    # all groups are ranked, so that what is left out can be named
    board = zoo.build_leaderboard(selection, replace(question, top_k=None), cache=cache)
    cache.save()
    plot = plot_data(kind, board, x=x, limit=limit)
    data, remarks = picture(plot, file_format, look=look)
    caption, notes = plot.caption, (*plot.notes, *remarks)
    return Picture(data, tuple(map(visible, caption)), tuple(map(visible, notes)), board.problems)
