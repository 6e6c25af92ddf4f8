"""Everything that an HTML page shows, as one mapping of JSON's own types.

It holds the JSON of the leaderboard unchanged, and beside it what only the page has: learning
curves, differences between configurations, digests of the files, and how to compute all of it
again (`recipe`). The page's script draws it, `axiomrl report verify` compares it.
"""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from axiomrl import __version__
from axiomrl.reports.curves import curves_of
from axiomrl.reports.html_method import explanations
from axiomrl.reports.leaderboard_document import environment_notes
from axiomrl.reports.recipe import Recipe
from axiomrl.reports.renderers.text_format import render_document
from axiomrl.reports.settings_differences import GroupSettings, settings_differences
from axiomrl.runs.digests import digests_of
from axiomrl.statistics import STATISTICS, Grid, band, on_common_grid

if TYPE_CHECKING:
    from axiomrl.reports.document import Document
    from axiomrl.reports.filters import Filters
    from axiomrl.reports.standings import EnvironmentBoard, Leaderboard, ScoredGroup
    from axiomrl.runs.record import RunRecord

KIND = "axiomrl leaderboard page"
PAGE_VERSION = 1
"""Version of the mapping; added keys do not change it."""
MOST_POINTS = 61  # of a curve; more could not be told apart at the width of a page
_LARGEST = 2**53 - 1  # whole numbers beyond are no longer exact in a browser
_VERSIONS = ("axiomrl", "torch", "gymnasium", "numpy")  # of the runs


@dataclass(frozen=True)
class Origin:
    """How and when a page is made."""

    recipe: Recipe
    roots: tuple[str, ...]  # where the runs were found, one for each of the recipe's folders
    command: tuple[str, ...]  # without secrets
    made_at: datetime


@dataclass(frozen=True)
class PageOrder:
    """What is to be known for a page beside the leaderboard that it shows."""

    roots: tuple[Path, ...]
    filters: Filters
    manifest: Path | None  # a suite of one's own
    folder: Path  # where the page will lie
    command: tuple[str, ...]  # without secrets
    made_at: datetime

    def page_of(self, board: Leaderboard, document: Document) -> dict[str, Any]:
        """The page of a leaderboard and its document."""
        recipe = Recipe.of(
            self.roots,
            self.filters,
            board.question,
            manifest=self.manifest,
            page_folder=self.folder,
        )
        roots = tuple(os.path.abspath(root) for root in self.roots)
        origin = Origin(recipe, roots, self.command, self.made_at)
        return page_data(board, document.json_object, origin, text=render_document(document))


def page_data(
    board: Leaderboard, leaderboard: Mapping[str, Any], origin: Origin, *, text: str
) -> dict[str, Any]:
    """The mapping; `leaderboard` is its JSON, `text` what a reader without scripts sees."""
    by_environment: dict[str | None, list[ScoredGroup]] = {}
    for each in board.groups:
        by_environment.setdefault(each.group.env_id, []).append(each)
    environments, groups = [], []
    for environment in board.environments:
        members = by_environment[environment.env_id]
        differences = settings_differences([each.group for each in members])
        environments.append(
            {
                "env_id": environment.env_id,
                "decimals": _decimals(environment),
                "hidden": environment.hidden,
                "notes": environment_notes(environment),
                "settings": {name: list(map(list, v)) for name, v in differences.values.items()},
            }
        )
        shown = {id(each.scored) for each in environment.standings}
        groups += [
            _group(each, settings, board, origin, has_curve=id(each) in shown)
            for each, settings in zip(members, differences.groups, strict=True)
        ]
    data = {
        "kind": KIND,
        "page_version": PAGE_VERSION,
        "made": _made(board, origin),
        "recipe": origin.recipe.to_mapping(),
        "leaderboard": leaderboard,
        "environments": environments,
        "groups": groups,
        "problems": _further_problems(board),
        "explanations": [list(each) for each in explanations(board, origin.recipe)],
        "text": text,
    }
    plain: dict[str, Any] = _plain(data)
    return plain


def _further_problems(board: Leaderboard) -> list[dict[str, str]]:
    """What turned out to be damaged in files that only the page is made from."""
    runs = [run for each in board.groups for run in each.group.runs]
    known = {(str(each.path), each.message) for each in board.problems}
    return [
        {"path": run.path, "reason": problem}
        for run in runs
        for problem in run.problems
        if (run.path, problem) not in known
    ]


def _made(board: Leaderboard, origin: Origin) -> dict[str, Any]:
    runs = [run for each in board.groups for run in each.group.runs]
    return {
        "at_utc": origin.made_at.isoformat(timespec="seconds"),
        "command": list(origin.command),
        "versions": {
            "axiomrl": __version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "versions_of_runs": {name: _versions_of(runs, name) for name in _VERSIONS},
    }


def _versions_of(runs: Iterable[RunRecord], name: str) -> list[str]:
    found = {(run.metadata.get("versions") or {}).get(name) for run in runs}
    return sorted(str(version) for version in found - {None})


def _group(
    each: ScoredGroup,
    settings: GroupSettings,
    board: Leaderboard,
    origin: Origin,
    *,
    has_curve: bool,
) -> dict[str, Any]:
    group = each.group
    unlike: list[Mapping[str, str | None]] = [*settings.runs, *({} for _ in group.superseded)]
    records = [*group.runs, *(other.run for other in group.superseded)]
    return {
        "env_id": group.env_id,
        "group": each.label,
        "key": group.identity,
        "settings": dict(settings.own),
        "curve": _curve(each, board) if has_curve else None,
        "runs": [
            {**_run(record, origin.roots), "settings": dict(differing)}
            for record, differing in zip(records, unlike, strict=True)
        ],
    }


def _run(record: RunRecord, roots: Sequence[str]) -> dict[str, Any]:
    """Where a run lies and what its files held; `root` is the number of a folder of runs."""
    directory = os.path.abspath(record.path)
    found = (
        (number, os.path.relpath(directory, root))
        for number, root in enumerate(roots)
        if Path(directory).is_relative_to(root)
    )
    root, path = next(found, (None, directory))
    return {
        "directory": directory,
        "root": root,
        "path": path.replace(os.sep, "/"),
        "sha256": digests_of(directory),
    }


def _curve(each: ScoredGroup, board: Leaderboard) -> dict[str, Any] | None:
    """The group's curve with its band, at some of its steps if there are many."""
    question = board.question
    curves = curves_of(each, question.metric)
    if not curves:
        return None
    grid = on_common_grid(curves)
    kept = thinned(len(grid.steps))
    some = Grid(grid.steps[kept], grid.values[:, kept], grid.n[kept])
    drawn = band(some, STATISTICS[question.statistic], name=each.group.identity, seed=question.seed)
    return {
        "points": len(grid.steps),
        "steps": drawn.steps.tolist(),
        "value": drawn.value.tolist(),
        "low": drawn.low.tolist(),
        "high": drawn.high.tolist(),
        "n": drawn.n.tolist(),
    }


def thinned(count: int) -> list[int]:
    """Which of so many points are kept: all, or MOST_POINTS evenly spread with first and last."""
    if count <= MOST_POINTS:
        return list(range(count))
    last, pieces = count - 1, MOST_POINTS - 1
    return [(2 * piece * last + pieces) // (2 * pieces) for piece in range(MOST_POINTS)]


def _decimals(environment: EnvironmentBoard) -> int:
    """So many that scores of an environment differ: two, or more if all of them are small."""
    bounds = [
        value
        for each in environment.standings
        for value in (each.spread["min"], each.spread["max"], each.estimate.low, each.estimate.high)
        if value is not None
    ]
    width = max(bounds, default=0.0) - min(bounds, default=0.0)
    scale = width or max(map(abs, bounds), default=0.0)
    return 2 if scale >= 1 or scale == 0 else min(2 + math.ceil(-math.log10(scale)), 12)


def _plain(value: Any) -> Any:
    """The value with null for what is not finite, and text for what a browser would round."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST:
        return str(value)
    return value
