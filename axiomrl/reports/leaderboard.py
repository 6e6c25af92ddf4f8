"""The leaderboard: groups of runs ranked within each environment, with how sure that is."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from axiomrl.errors import InputError, did_you_mean
from axiomrl.reports.standings import (
    Comparison,
    EnvironmentBoard,
    Question,
    ScoredGroup,
    Standing,
    Unranked,
)
from axiomrl.statistics import (
    STATISTICS,
    Estimate,
    Rank,
    ResampledGroup,
    difference,
    probability_of_improvement,
    rank_groups,
    ratio,
    seeds_to_separate,
    std,
    summary_of_times,
    time_to_threshold,
)
from axiomrl.statistics.bootstrap import METHOD

if TYPE_CHECKING:
    from axiomrl.reports.curves import Axis
    from axiomrl.reports.scores import Curve
    from axiomrl.runs.record import RunRecord
    from axiomrl.statistics import TimesToThreshold

    CurveOf = Callable[[RunRecord, Axis], Curve]

_CACHE_VERSION = 2  # raise it when the statistics change what they give for the same scores


class Cache(Protocol):
    """Remembers a few numbers under a digest of what they rest on."""

    def get(self, digest: str) -> tuple[float, ...] | None:
        """The numbers, if they are known."""

    def put(self, digest: str, values: Sequence[float]) -> None:
        """Remember them."""


@dataclass(frozen=True)
class _Ranking:
    """What resampling the groups of an environment gives."""

    intervals: tuple[tuple[float, float] | None, ...]  # by group
    ranks: tuple[Rank, ...]
    more_seeds: int | None


def environment_boards(
    scored: Iterable[ScoredGroup],
    question: Question,
    *,
    resamples: int,
    cache: Cache,
    curve_of: CurveOf,
) -> list[EnvironmentBoard]:
    """One board per environment, in alphabetical order.

    Raises InputError if no group answers to the baseline's name.
    """
    by_environment: dict[str | None, list[ScoredGroup]] = {}
    for each in scored:
        by_environment.setdefault(each.group.env_id, []).append(each)
    ordered = sorted(by_environment.items(), key=lambda item: item[0] or "")
    if question.baseline is not None:
        _require_baseline(question.baseline, [group for _, groups in ordered for group in groups])
    boards = []
    for env_id, groups in ordered:
        board = _board(env_id, groups, question, resamples=resamples, cache=cache)
        boards.append(_with_times(board, question, curve_of))
    return boards


def _board(
    env_id: str | None,
    groups: Sequence[ScoredGroup],
    question: Question,
    *,
    resamples: int,
    cache: Cache,
) -> EnvironmentBoard:
    ranked, unranked = [], []
    for each in groups:
        reason = _why_unranked(each, question)
        if reason is None:
            ranked.append(each)
        else:
            unranked.append(Unranked(each, reason))
    resampling = _Resampling(ranked, question, resamples)
    ranking = resampling.ranking(cache)
    comparisons = _comparisons(ranked, resampling, question)
    standings = [
        Standing(
            each,
            rank,
            _estimate(each, question, resamples, interval),
            _spread(each.usable),
            comparison,
        )
        for each, rank, interval, comparison in zip(
            ranked, ranking.ranks, ranking.intervals, comparisons, strict=True
        )
    ]
    ordered = _ordered(standings, question)
    shown = ordered if question.top_k is None else ordered[: question.top_k]
    return EnvironmentBoard(
        env_id, tuple(shown), tuple(unranked), len(ordered) - len(shown), ranking.more_seeds
    )


def _why_unranked(each: ScoredGroup, question: Question) -> str | None:
    if not each.usable:
        reasons = {score.reason for _, score in each.scores if score.reason}
        return "; ".join(sorted(reasons)) or f"no run has {question.metric}"
    seeds = len(usable_seeds(each))
    if seeds < question.min_seeds:
        return f"{seeds} of the {question.min_seeds} seeds asked for"
    return None


def usable_seeds(each: ScoredGroup) -> set[Any]:
    """The seeds of the runs that have a score; runs without one are taken for one seed."""
    known = {
        record.metadata.get("seed") for record, score in each.scores if score.value is not None
    }
    return known - {None} if len(known) > 1 else known


class _Resampling:
    """The groups of an environment, resampled only if that is needed."""

    def __init__(self, groups: Sequence[ScoredGroup], question: Question, resamples: int) -> None:
        self._groups = groups
        self._question = question
        self._resamples = resamples
        self._made: dict[int, ResampledGroup] = {}

    def __getitem__(self, place: int) -> ResampledGroup:
        made = self._made.get(place)
        if made is None:
            each = self._groups[place]
            made = self._made[place] = ResampledGroup.of(
                [each.usable],
                STATISTICS[self._question.statistic],
                name=each.group.identity,
                seed=self._question.seed,
                resamples=self._resamples,
                n_seeds=len(usable_seeds(each)),
            )
        return made

    def ranking(self, cache: Cache) -> _Ranking:
        """Intervals and ranks, remembered under a digest of all scores."""
        digest = self._digest()
        stored = cache.get(digest)
        if stored is not None and len(stored) == 5 * len(self._groups) + 1:
            return _unpacked(stored)
        resampled = [self[place] for place in range(len(self._groups))]
        direction: Any = self._question.direction
        ranks = tuple(rank_groups(resampled, direction=direction)) if resampled else ()
        found = _Ranking(
            tuple(
                (each.estimate.low, each.estimate.high)
                if each.estimate.low is not None and each.estimate.high is not None
                else None
                for each in resampled
            ),
            ranks,
            _seeds_between_first_two(resampled, direction),
        )
        if resampled:
            cache.put(digest, _packed(found))
        return found

    def _digest(self) -> str:
        question = self._question
        rests_on = [
            _CACHE_VERSION,
            question.direction,
            question.statistic,
            question.seed,
            self._resamples,
            [
                [each.group.identity, len(usable_seeds(each)), sorted(each.usable)]
                for each in self._groups
            ],
        ]
        return hashlib.sha256(msgspec.json.encode(rests_on)).hexdigest()


def _seeds_between_first_two(resampled: Sequence[ResampledGroup], direction: str) -> int | None:
    if len(resampled) < 2:
        return None
    sign = -1.0 if direction == "max" else 1.0
    first, second = sorted(resampled, key=lambda each: (sign * each.estimate.value, each.name))[:2]
    return seeds_to_separate(first, second)


def _packed(ranking: _Ranking) -> list[float]:
    """A ranking as floats: five for each group, then the seeds; NaN where there is none."""
    numbers: list[float] = []
    for interval, rank in zip(ranking.intervals, ranking.ranks, strict=True):
        numbers += [*(interval or (math.nan, math.nan)), rank.rank, rank.low, rank.high]
    return [*numbers, math.nan if ranking.more_seeds is None else ranking.more_seeds]


def _unpacked(numbers: Sequence[float]) -> _Ranking:
    intervals: list[tuple[float, float] | None] = []
    ranks = []
    for start in range(0, len(numbers) - 1, 5):
        low, high, *places = numbers[start : start + 5]
        intervals.append(None if math.isnan(low) else (low, high))
        ranks.append(Rank(*map(int, places)))
    more = numbers[-1]
    return _Ranking(tuple(intervals), tuple(ranks), None if math.isnan(more) else int(more))


def _estimate(
    each: ScoredGroup,
    question: Question,
    resamples: int,
    interval: tuple[float, float] | None,
) -> Estimate:
    low, high = interval or (None, None)
    return Estimate(
        value=STATISTICS[question.statistic]([each.usable]),
        low=low,
        high=high,
        method=METHOD if interval else None,
        resamples=resamples if interval else None,
        n_runs=len(each.usable),
        n_seeds=len(usable_seeds(each)),
    )


def _spread(scores: Sequence[float]) -> Mapping[str, float | None]:
    return {"std": std(scores), "min": min(scores), "max": max(scores)}


def _ordered(standings: Sequence[Standing], question: Question) -> list[Standing]:
    """Sorted as asked; equals by estimate, best first, then by name."""
    sign = -1.0 if question.direction == "max" else 1.0

    def tie(standing: Standing) -> tuple[Any, ...]:
        return sign * standing.estimate.value, standing.scored.label

    keys: dict[str, Callable[[Standing], Any]] = {
        "rank": lambda each: (each.rank.rank, each.rank.low, each.rank.high),
        "group": lambda each: each.scored.label,
        "estimate": lambda each: each.estimate.value,
        "n_seeds": lambda each: each.estimate.n_seeds,
        "n_runs": lambda each: each.estimate.n_runs,
        "std": lambda each: -1.0 if each.spread["std"] is None else each.spread["std"],
        "min": lambda each: each.spread["min"],
        "max": lambda each: each.spread["max"],
    }
    ordered = sorted(standings, key=tie)
    return sorted(ordered, key=keys[question.sort_by], reverse=question.descending)


# Against a baseline


def answers_to(each: ScoredGroup, name: str) -> bool:
    """Whether a group is meant by a name: its label, algorithm, preset or the hash's beginning."""
    group = each.group
    config_hash = group.config_hash or ""
    return name in (each.label, group.identity, group.algo, each.preset) or (
        len(name) >= 4 and config_hash.startswith(name)
    )


def _require_baseline(name: str, groups: Sequence[ScoredGroup]) -> None:
    if not any(answers_to(each, name) for each in groups):
        labels = [each.label for each in groups]
        raise InputError(
            f"--baseline {name!r}: no group is called so",
            hint=did_you_mean(name, labels, count=3) or f"there are: {', '.join(labels[:10])}",
        )


def _comparisons(
    groups: Sequence[ScoredGroup], resampling: _Resampling, question: Question
) -> list[Comparison | None]:
    name = question.baseline
    if name is None:
        return [None] * len(groups)
    places = [place for place, each in enumerate(groups) if answers_to(each, name)]
    if len(places) > 1:
        labels = ", ".join(groups[place].label for place in places)
        raise InputError(
            f"--baseline {name!r}: means {len(places)} groups of {groups[places[0]].group.env_id}",
            hint=f"name one of them: {labels}",
        )
    if not places:
        return [None] * len(groups)
    base, direction = places[0], question.direction
    return [
        None if place == base else _comparison(resampling, place, base, groups, direction)
        for place in range(len(groups))
    ]


def _comparison(
    resampling: _Resampling,
    place: int,
    base: int,
    groups: Sequence[ScoredGroup],
    direction: Any,
) -> Comparison:
    group, baseline = resampling[place], resampling[base]
    return Comparison(
        groups[base].label,
        difference(group, baseline),
        ratio(group, baseline),
        probability_of_improvement(group, baseline, direction=direction),
    )


# Time to a threshold


def _with_times(board: EnvironmentBoard, question: Question, curve_of: CurveOf) -> EnvironmentBoard:
    threshold = question.threshold
    if threshold is None:
        return board
    direction: Any = question.direction

    def times(standing: Standing, x: Axis) -> TimesToThreshold:
        curves = [curve_of(record, x) for record, _ in standing.scored.scores]
        return summary_of_times(
            [
                time_to_threshold(*curve, threshold, direction=direction) if curve[0] else None
                for curve in curves
            ]
        )

    standings = [
        replace(each, times=times(each, "env_steps"), times_s=times(each, "wall_time"))
        for each in board.standings
    ]
    return replace(board, standings=tuple(standings))
