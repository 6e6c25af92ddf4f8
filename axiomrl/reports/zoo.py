"""Runs to reports: scan, filter, group, score, rank. What `axiomrl zoo` calls."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axiomrl.errors import InputError
from axiomrl.metrics import direction_of
from axiomrl.reports.curves import run_curve
from axiomrl.reports.filters import Filters
from axiomrl.reports.grouping import Group, check_grouping, group_runs
from axiomrl.reports.labels import labels
from axiomrl.reports.lookup import Lookup
from axiomrl.reports.normalization import Anchors, anchors_for
from axiomrl.reports.scores import Score, check_metric, score_of
from axiomrl.reports.standings import Leaderboard, Question, ScoredGroup
from axiomrl.runs.scanning import without_garbage_collection
from axiomrl.runs.store import ScanProblem, scan_all

if TYPE_CHECKING:
    from axiomrl.metrics import Direction
    from axiomrl.reports.document import Document
    from axiomrl.reports.html_data import PageOrder
    from axiomrl.reports.leaderboard import Cache
    from axiomrl.runs.record import RunRecord
    from axiomrl.suites import Manifest

ANCHORED = "eval_return_mean"  # what anchors are scores of


@dataclass(frozen=True)
class Selection:
    """The runs that are left after filtering, and what could not be read."""

    records: list[RunRecord]
    problems: list[ScanProblem]
    scanned: list[RunRecord]  # all of them
    filters: Filters
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
    filters.check(scanned.records)
    kept = [record for record in scanned.records if filters.keep(record)]
    names_suite = any((run.metadata.get("benchmark") or {}).get("suite") for run in kept)
    known = tuple(manifests()) if names_suite else ()
    return Selection(kept, list(scanned.problems), scanned.records, filters, known)


def score_groups(
    selection: Selection, question: Question
) -> tuple[list[ScoredGroup], Question, list[ScanProblem]]:
    """The groups with their scores, the question with its direction, and problems met.

    Raises InputError for a metric that no run has or that has no known direction, and for
    groups by a name that no run has.
    """
    lookup = selection.filters.lookup
    question = with_direction(question, selection.scanned)
    check_grouping(question.group_by, selection.scanned, lookup)
    groups = group_runs(selection.records, by=question.group_by, lookup=lookup)
    scored = []
    for group, label in zip(groups, labels(groups, lookup), strict=True):
        runs = tuple((run, _score(run, question)) for run in group.runs)
        anchors = _anchors(group.runs, selection) if question.metric == ANCHORED else None
        suite, preset = (_common(group.runs, name, lookup) for name in ("suite", "preset"))
        scored.append(ScoredGroup(group, _short(label, group), suite, preset, runs, anchors))
    known = {(os.fspath(each.path), each.message) for each in selection.problems}
    met = [
        ScanProblem(record.directory, text)
        for record in selection.records
        for text in record.problems
        if (record.path, text) not in known
    ]
    return scored, question, met


def with_direction(question: Question, records: Sequence[RunRecord]) -> Question:
    """The question with the direction of its metric; raises InputError if nobody knows that."""
    given: Direction | None = None
    if question.direction is not None:
        if question.direction not in ("max", "min"):
            raise InputError(f"--direction {question.direction!r}: must be max, min or auto")
        given = "max" if question.direction == "max" else "min"
    if question.metric.endswith("normalized_score"):
        raise InputError(
            f"--metric {question.metric!r}: stored normalised scores are never read",
            hint="they are computed from eval_return_mean: leave --metric out",
        )
    known = given or direction_of(question.metric.removeprefix("best_"))
    check_metric(question.metric, question.reduce, records, known)
    if known is None:
        raise InputError(
            f"--metric {question.metric!r}: whether more or less of it is better is not known",
            hint="say it with --direction max|min",
        )
    return replace(question, direction=known)


def _short(label: str, group: Group) -> str:
    """A group's label without its environment, which stands above the table."""
    short = label.replace(f" {group.env_id}", "", 1).replace(f"{group.env_id} ", "", 1)
    return short or label


def _common(runs: Sequence[RunRecord], name: str, lookup: Lookup) -> str | None:
    """A text that all of the runs have under a name."""
    found = {value for run in runs if isinstance(value := lookup.value_of(run, name), str)}
    return found.pop() if len(found) == 1 else None


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
        curve_of=lambda record, x: run_curve(record, question.metric, x),
    )
    suites = (
        suite_boards(scored, question, manifests=selection.manifests, resamples=resamples)
        if question.metric == ANCHORED
        else []
    )
    problems = (*selection.problems, *met)
    return Leaderboard(question, resamples, tuple(boards), tuple(suites), tuple(scored), problems)


def _score(record: RunRecord, question: Question) -> Score:
    reduce: Any = question.reduce
    direction: Any = question.direction
    return score_of(record, question.metric, reduce, direction)


def _anchors(runs: Sequence[RunRecord], selection: Selection) -> Anchors | None:
    """The anchors of a group; None if its runs disagree about them."""
    found: Anchors | None = None
    before: tuple[Any, Any] | None = None
    for run in runs:
        env_id, benchmark = asked = run.metadata.get("env_id"), run.metadata.get("benchmark") or {}
        if asked == before:
            continue
        suite = benchmark.get("suite")
        given = next((m.normalization for m in selection.manifests if m.suite == suite), None)
        anchors = anchors_for(env_id, benchmark, overrides=given)
        if before is not None and anchors != found:
            return None
        found, before = anchors, asked
    return found


# What the command shows


@dataclass(frozen=True)
class Shown:
    """A report, and what is to be said beside it."""

    document: Document
    problems: list[ScanProblem]
    drifts: list[str]  # runs that are not what their suite says, and why
    advice: str | None  # where there is nothing to show


@without_garbage_collection()
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
    page: PageOrder | None = None,
) -> Shown:
    """A `report` or a `leaderboard` over the runs below the folders.

    `finds_drifts`: compare ranked runs with their suites, too (a report does in any case).
    `for_people`: with learning curves as sparklines. `short_names`: runs by unique prefixes.
    `page`: make the leaderboard's HTML page, too.
    """
    from axiomrl.reports.leaderboard_document import leaderboard_document
    from axiomrl.reports.manifest import align
    from axiomrl.reports.report import report_document
    from axiomrl.reports.sparklines import sparkline_of
    from axiomrl.runs.cache import IntervalCache, cache_folder

    selection = select(roots, filters, use_index=use_index, manifests=manifests)
    gc.freeze()  # the records stay to the end: rendering need not look for garbage among them
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
        if page is not None:
            document = replace(document, page=page.page_of(board, document))
        problems = list(board.problems[len(selection.problems) :])
    drifts = [
        f"{run.path}: drifted: {'; '.join(alignments[id(run)].reasons)}"
        for run in selection.records
        if id(run) in alignments and alignments[id(run)].state == "drifted"
    ]
    return Shown(document, [*selection.problems, *problems], drifts, advice(selection))


def advice(selection: Selection) -> str | None:
    """Why there is nothing to show, and what to do; None if there is something."""
    if not selection.scanned:
        return "no runs found; make one: axiomrl train --config configs/ppo/cartpole.yaml"
    if not selection.records:
        count = len(selection.scanned)
        return f"none of the {count} runs is left; see --status and the other filters"
    return None
