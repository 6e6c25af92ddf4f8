"""Runs to reports: scan, filter, group, score, rank. What `axiomrl zoo` calls."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from axiomrl.reports.filters import Filters
from axiomrl.reports.grouping import group_runs, labels
from axiomrl.reports.lookup import value_of
from axiomrl.reports.normalization import Anchors, anchors_for
from axiomrl.reports.scores import Score, curve_of, require_metric, score_of
from axiomrl.reports.standings import Leaderboard, Question, ScoredGroup
from axiomrl.runs.store import ScanProblem, scan_all

if TYPE_CHECKING:
    from axiomrl.metrics import Direction
    from axiomrl.reports.document import Document
    from axiomrl.reports.leaderboard import Cache
    from axiomrl.runs.record import RunRecord
    from axiomrl.suites import Manifest

RANKED_STATUSES = ("completed", "unknown")  # unless others are asked for
ANCHORED = "eval_return_mean"  # what anchors are scores of


@dataclass(frozen=True)
class Selection:
    """The runs that are left after filtering, and what could not be read."""

    records: list[RunRecord]
    problems: list[ScanProblem]
    n_scanned: int
    manifests: tuple[Manifest, ...] = ()


def select(
    roots: Sequence[Path] | None,
    filters: Filters,
    *,
    use_index: bool,
    manifests: Callable[[], Sequence[Manifest]] = tuple,
) -> Selection:
    """The runs below the folders that the filters keep.

    `manifests` are only asked for if a run names a suite.

    Raises InputError for a named folder that is not there, and for a name in `--where` that no
    run knows.
    """
    scanned = scan_all(roots, use_index=use_index)
    filters.require_known_names(scanned.records)
    kept = [record for record in scanned.records if filters.keep(record)]
    names_suite = any((run.metadata.get("benchmark") or {}).get("suite") for run in kept)
    known = tuple(manifests()) if names_suite else ()
    return Selection(kept, list(scanned.problems), len(scanned.records), known)


def score_groups(
    selection: Selection, question: Question
) -> tuple[list[ScoredGroup], Question, list[ScanProblem]]:
    """The groups with their scores, the question with its direction, and problems met.

    Raises InputError for a metric that no run has or that has no known direction.
    """
    direction = require_metric(question.metric, question.direction, selection.records)
    groups = group_runs(selection.records, question.group_by, value_of)
    named = labels(groups)
    scored = []
    for group in groups:
        runs = tuple((run, _score(run, question, direction)) for run in group.runs)
        anchors = _anchors(group.runs, selection) if question.metric == ANCHORED else None
        scored.append(ScoredGroup(group, named[group.key], runs, anchors))
    known = {(os.fspath(each.path), each.message) for each in selection.problems}
    met = [
        ScanProblem(record.directory, text)
        for record in selection.records
        for text in record.problems
        if (record.path, text) not in known
    ]
    return scored, replace(question, direction=direction), met


def build_leaderboard(selection: Selection, question: Question, *, cache: Cache) -> Leaderboard:
    """The groups of the selected runs, ranked within each environment and over suites."""
    from axiomrl.reports.leaderboard import environment_boards
    from axiomrl.reports.suite_boards import suite_boards
    from axiomrl.statistics import resamples_for

    scored, question, met = score_groups(selection, question)
    resamples = resamples_for(len(scored))
    boards = environment_boards(
        scored,
        question,
        resamples=resamples,
        cache=cache,
        curve_of=lambda record: curve_of(record, question.metric),
    )
    suites = (
        suite_boards(scored, question, manifests=selection.manifests, resamples=resamples)
        if question.metric == ANCHORED
        else []
    )
    problems = (*selection.problems, *met)
    return Leaderboard(question, resamples, tuple(boards), tuple(suites), tuple(scored), problems)


def _score(record: RunRecord, question: Question, direction: Direction) -> Score:
    return score_of(record, question.metric, question.reduce, direction)


def _anchors(runs: Sequence[RunRecord], selection: Selection) -> Anchors | None:
    """The anchors of a group; None if its runs disagree about them."""
    found: Anchors | None = None
    for number, run in enumerate(runs):
        benchmark = run.metadata.get("benchmark") or {}
        suite = benchmark.get("suite")
        given = next((m.normalization for m in selection.manifests if m.suite == suite), None)
        anchors = anchors_for(run.metadata.get("env_id"), benchmark, overrides=given)
        if number and anchors != found:
            return None
        found = anchors
    return found


# What the command shows


@dataclass(frozen=True)
class Shown:
    """A report, and what is to be said beside it."""

    document: Document
    problems: list[ScanProblem]
    drifts: list[str]  # runs that are not what their suite says, and why
    advice: str | None  # where there is nothing to show


def compare(
    view: str,
    roots: Sequence[Path] | None,
    filters: Filters,
    question: Question,
    *,
    manifests: Callable[[], Sequence[Manifest]],
    use_index: bool,
    finds_drifts: bool,
    for_people: bool,
    short_names: bool,
) -> Shown:
    """A `report` or a `leaderboard` over the runs below the folders.

    `finds_drifts`: compare ranked runs with their suites, too (a report does in any case).
    `for_people`: with learning curves as sparklines. `short_names`: runs by unique prefixes.
    """
    from axiomrl.reports.leaderboard_document import leaderboard_document
    from axiomrl.reports.manifest import align
    from axiomrl.reports.report import report_document
    from axiomrl.reports.sparklines import sparkline_of
    from axiomrl.runs.cache import IntervalCache, cache_folder

    # Thousands of records are kept to the end; looking for garbage among them takes a fifth of
    # the time and finds none.
    gc.disable()
    selection = select(roots, filters, use_index=use_index, manifests=manifests)
    if view == "report":
        alignments = {id(run): align(run, selection.manifests) for run in selection.records}
        scored, question, problems = score_groups(selection, question)
        document = report_document(
            selection.records,
            scored,
            question,
            alignments,
            problems=[*selection.problems, *problems],
            short_names=short_names,
        )
    else:
        cache = IntervalCache(cache_folder() if use_index else None)
        board = build_leaderboard(selection, question, cache=cache)
        cache.save()
        ranked = [
            run
            for environment in board.environments
            for standing in environment.standings
            for run in standing.scored.group.runs
        ]
        alignments = (
            {id(run): align(run, selection.manifests) for run in ranked} if finds_drifts else {}
        )
        draw = (lambda each: sparkline_of(each, question.metric)) if for_people else None
        document = leaderboard_document(board, sparkline=draw)
        problems = list(board.problems[len(selection.problems) :])
    drifts = [
        f"{run.path}: drifted: {'; '.join(alignments[id(run)].reasons)}"
        for run in selection.records
        if id(run) in alignments and alignments[id(run)].state == "drifted"
    ]
    return Shown(document, [*selection.problems, *problems], drifts, _advice(selection))


def _advice(selection: Selection) -> str | None:
    if not selection.n_scanned:
        return "no runs found; make one: axiomrl train --config configs/ppo/cartpole.yaml"
    if not selection.records:
        return f"none of the {selection.n_scanned} runs is left; see --status and the other filters"
    return None
