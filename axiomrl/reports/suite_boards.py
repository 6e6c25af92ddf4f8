"""Suites: entrants ranked over all environments of a suite, by normalised scores.

An entrant is an algorithm (or whatever else groups are formed by, without the environment). Each
of its cells, one per environment, must be exactly one group with usable scores and anchors; what
happens to an entrant that lacks one is the suite's policy: `exclude` leaves it unranked, `zero`
puts a random policy's score there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from axiomrl.reports.normalization import normalized
from axiomrl.reports.standings import Question, ScoredGroup, SuiteBoard, SuiteStanding
from axiomrl.statistics import STATISTICS, ResampledGroup, rank_groups

if TYPE_CHECKING:
    from axiomrl.suites import Manifest

Cells = Mapping[str, Sequence[ScoredGroup]]  # environment -> the entrant's groups there


def suite_boards(
    scored: Iterable[ScoredGroup],
    question: Question,
    *,
    manifests: Sequence[Manifest],
    resamples: int,
) -> list[SuiteBoard]:
    """One board per suite that the runs name and that has at least two environments.

    The environments are those of the suite's manifest; without one, those of the runs.
    """
    suites: dict[str, dict[str, dict[str, list[ScoredGroup]]]] = {}
    for each in scored:
        suite, env_id = each.suite, each.group.env_id
        if suite is not None and env_id is not None:
            entrant = suites.setdefault(suite, {}).setdefault(_entrant(each), {})
            entrant.setdefault(env_id, []).append(each)
    known = {manifest.suite: manifest for manifest in manifests}
    boards = []
    for suite, entrants in sorted(suites.items()):
        manifest = known.get(suite)
        found = sorted({env_id for cells in entrants.values() for env_id in cells})
        tasks = manifest.env_ids if manifest is not None else tuple(found)
        policy = manifest.missing if manifest is not None else "exclude"
        if len(tasks) > 1:
            boards.append(
                _board(suite, tasks, entrants, question, policy=policy, resamples=resamples)
            )
    return boards


def _entrant(each: ScoredGroup) -> str:
    """What stays the same over the environments of a suite."""
    shared = [
        str(value)
        for name, value in each.group.key
        if name not in ("env_id", "config_hash", "preset") and value is not None
    ]
    return " ".join(shared) or str(each.group.algo)


def _board(
    suite: str,
    tasks: Sequence[str],
    entrants: Mapping[str, Cells],
    question: Question,
    *,
    policy: str,
    resamples: int,
) -> SuiteBoard:
    groups, unranked = [], []
    for name, cells in sorted(entrants.items()):
        columns, reasons, seeds = _columns(tasks, cells, policy)
        if reasons:
            unranked.append((name, "; ".join(reasons)))
            continue
        groups.append(
            ResampledGroup.of(
                columns,
                STATISTICS[question.statistic],
                name=f"{suite}|{name}",
                seed=question.seed,
                resamples=resamples,
                n_seeds=seeds,
            )
        )
    ranks = rank_groups(groups, direction="max") if groups else []
    standings = [
        SuiteStanding(group.name.partition("|")[2], rank, group.estimate, len(tasks))
        for group, rank in zip(groups, ranks, strict=True)
    ]
    standings.sort(key=lambda each: (each.rank.rank, -each.estimate.value, each.name))
    return SuiteBoard(suite, tuple(tasks), tuple(standings), tuple(unranked), policy)


def _columns(tasks: Sequence[str], cells: Cells, policy: str) -> tuple[list[Any], list[str], int]:
    """Normalised scores by task, what is in the way of them, and the fewest seeds of a task."""
    columns, reasons, seeds, absent = [], [], [], []
    for task in tasks:
        found = [each for each in cells.get(task, ()) if each.usable]
        if not found and policy == "zero":
            columns.append(np.zeros(1))
            continue
        if not found:
            absent.append(task)
            continue
        if len(found) > 1:
            reasons.append(f"{len(found)} configurations in {task}")
            continue
        scores, reason = _normalized(found[0])
        if reason is not None:
            reasons.append(f"{reason} in {task}")
            continue
        columns.append(scores)
        seeds.append(len(found[0].usable_seeds))
    if absent:
        reasons.append(f"no runs in {', '.join(absent)}")
    elif not seeds and not reasons:
        reasons.append("no runs")
    return columns, reasons, min(seeds, default=0)


def _normalized(each: ScoredGroup) -> tuple[Any, str | None]:
    if each.anchors is None:
        return None, "no anchors to normalise by"
    values = [normalized(score, each.anchors) for score in each.usable]
    reasons = {value.reason for value in values if value.reason is not None}
    if reasons:
        return None, "; ".join(sorted(reasons))
    return np.array([value.value for value in values]), None
