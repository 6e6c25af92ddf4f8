"""Two groups of runs against one another: whether that is fair, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from axiomrl.errors import InputError, did_you_mean
from axiomrl.reports.document import Document, Section
from axiomrl.reports.leaderboard import answers_to
from axiomrl.reports.leaderboard_document import estimate_object, interval_text
from axiomrl.reports.run_rows import group_object, problem_objects
from axiomrl.reports.table import Column, Table
from axiomrl.statistics import (
    STATISTICS,
    ResampledGroup,
    difference,
    probability_of_improvement,
    ratio,
    resamples_for,
    seeds_to_separate,
)

if TYPE_CHECKING:
    from axiomrl.reports.lookup import Lookup
    from axiomrl.reports.standings import Question, ScoredGroup
    from axiomrl.runs.store import ScanProblem
    from axiomrl.statistics import Estimate

# What has to be the same for scores to mean the same, beside the environment itself.
CONDITIONS = (
    "environment",
    "evaluation.episodes",
    "evaluation.deterministic",
    "total_timesteps",
)
COLUMNS = (
    Column("what", "what"),
    Column("value", "value", "figure"),
    Column("interval", "95 % interval"),
)


def chosen_group(name: str, groups: Sequence[ScoredGroup]) -> ScoredGroup:
    """The one group that a name means: its label, algorithm, preset, hash, or a run of it.

    Raises InputError, with the candidates, if that is not exactly one.
    """
    found = [each for each in groups if answers_to(each, name)] or [
        each
        for each in groups
        if any(run.directory.name.startswith(name) for run in each.group.runs)
    ]
    if len(found) == 1:
        return found[0]
    shown = [f"{each.label} ({each.group.env_id})" for each in found or groups]
    if found:
        raise InputError(
            f"{name!r} means {len(found)} groups",
            hint=f"choose with --env-id or --where, or name one: {'; '.join(shown[:8])}",
        )
    hint = did_you_mean(name, [each.label for each in groups], count=3)
    raise InputError(
        f"no group is called {name!r}", hint=hint or f"there are: {'; '.join(shown[:8])}"
    )


def hindrances(one: ScoredGroup, other: ScoredGroup, lookup: Lookup) -> Iterator[str]:
    """Why two groups cannot be compared, or not fairly."""
    if one.group.env_id != other.group.env_id:
        yield f"other environments: {one.group.env_id} and {other.group.env_id}"
    for name in CONDITIONS:
        seen = [
            {repr(lookup.value_of(run, name)) for run in each.group.runs} for each in (one, other)
        ]
        if seen[0] != seen[1]:
            texts = [" or ".join(sorted(values)) for values in seen]
            if name == "environment":
                yield "other settings of the environment (runs diff tells which)"
            else:
                yield f"another {name}: {texts[0]} and {texts[1]}"
    for each in (one, other):
        seeds = len(each.usable_seeds)
        if 0 < seeds < 3:
            yield f"{each.label} has {seeds} of the 3 seeds that an interval takes"


def comparison_document(
    one: ScoredGroup,
    other: ScoredGroup,
    question: Question,
    lookup: Lookup,
    *,
    problems: Sequence[ScanProblem] = (),
) -> Document:
    """The scores of two groups, their difference and ratio, and the probability of improvement.

    Raises InputError if one of them has no scores.
    """
    for each in (one, other):
        if not each.usable:
            raise InputError(f"no run of {each.label} has {question.metric}")
    first, second = (_resampled(each, question) for each in (one, other))
    direction: Any = question.direction
    rows: list[tuple[str, str, Estimate | None]] = [
        ("first", f"A: {one.label}", first.estimate),
        ("second", f"B: {other.label}", second.estimate),
        ("difference", "A - B", difference(first, second)),
        ("ratio", "A / B", ratio(first, second)),
        (
            "probability_of_improvement",
            "P(a run of A is better)",
            probability_of_improvement(first, second, direction=direction),
        ),
    ]
    reasons = list(hindrances(one, other, lookup))
    table = Table(
        COLUMNS,
        tuple(
            (text, each.value, interval_text(each)) for _, text, each in rows if each is not None
        ),
    )
    more = seeds_to_separate(first, second)
    data: Mapping[str, Any] = {
        "metric": question.metric,
        "direction": question.direction,
        "reduce": question.reduce,
        "statistic": question.statistic,
        "is_comparable": not reasons,
        "reasons": reasons,
        "groups": [group_object(one), group_object(other)],
        **{key: None if each is None else estimate_object(each) for key, _, each in rows},
        "more_seeds_to_separate": more,
        "problems": problem_objects(problems),
    }
    title = f"{one.group.env_id}: {question.metric}, {question.reduce}, {question.statistic}"
    return Document("comparison", (Section(title, table, _notes(reasons, more)),), table, data)


def _resampled(each: ScoredGroup, question: Question) -> ResampledGroup:
    return ResampledGroup.of(
        [each.usable],
        STATISTICS[question.statistic],
        name=each.group.identity,
        seed=question.seed,
        resamples=resamples_for(2),
        n_seeds=len(each.usable_seeds),
    )


def _notes(reasons: Sequence[str], more: int | None) -> tuple[str, ...]:
    notes = [f"not comparable: {reason}" for reason in reasons] or ["the groups are comparable"]
    if more:
        notes.append(f"not told apart; about {more} more seeds of each would")
    elif more == 0:
        notes.append("told apart: one is better in at least 97.5 % of the resamples")
    return tuple(notes)
