"""What a comparison of groups consists of: the question, each group's standing, the whole board."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from axiomrl.errors import InputError, did_you_mean
from axiomrl.reports.scores import REDUCTIONS

if TYPE_CHECKING:
    from axiomrl.reports.grouping import Group
    from axiomrl.reports.normalization import Anchors
    from axiomrl.reports.scores import Score
    from axiomrl.runs.record import RunRecord
    from axiomrl.statistics import Estimate, Rank, TimesToThreshold

STATISTIC_NAMES = ("mean", "median", "iqm")
SORT_KEYS = ("rank", "group", "estimate", "n_seeds", "n_runs", "std", "min", "max")


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of the runs that are left after filtering."""

    metric: str = "eval_return_mean"
    direction: str | None = None  # which way the metric is better; None: what is known of it
    reduce: str = "final"  # one of REDUCTIONS: a run's score
    statistic: str = "mean"  # one of STATISTIC_NAMES: a group's
    group_by: str = "config"
    baseline: str | None = None  # a group that the others are compared with
    threshold: float | None = None  # of the metric, for the time until it is reached
    min_seeds: int = 1  # fewer, and a group is not ranked
    top_k: int | None = None  # show the best of each environment only
    sort_by: str = "rank"
    descending: bool = False
    seed: int = 0  # of the resampling

    def __post_init__(self) -> None:
        """Raises InputError, with the valid choices, for what cannot be asked."""
        for flag, value, choices in (
            ("--reduce", self.reduce, REDUCTIONS),
            ("--statistic", self.statistic, STATISTIC_NAMES),
            ("--sort-by", self.sort_by, SORT_KEYS),
        ):
            if value not in choices:
                raise InputError(
                    f"{flag} {value!r}: must be one of {', '.join(choices)}",
                    hint=did_you_mean(value, choices),
                )
        for flag, number in (("--min-seeds", self.min_seeds), ("--top-k", self.top_k)):
            if number is not None and number < 1:
                raise InputError(f"{flag} {number}: must be at least 1")


@dataclass(frozen=True)
class ScoredGroup:
    """A group with the scores of the runs that count."""

    group: Group
    label: str  # unique within the environment
    suite: str | None  # that its runs name
    preset: str | None  # likewise
    scores: tuple[tuple[RunRecord, Score], ...]
    anchors: Anchors | None

    @functools.cached_property
    def usable(self) -> list[float]:
        """The scores there are."""
        return [score.value for _, score in self.scores if score.value is not None]

    @functools.cached_property
    def usable_seeds(self) -> set[Any]:
        """The seeds of the runs that have a score; runs without one are taken for one seed."""
        known = {
            record.metadata.get("seed") for record, score in self.scores if score.value is not None
        }
        return known - {None} if len(known) > 1 else known


@dataclass(frozen=True)
class Comparison:
    """A group against the baseline of its environment."""

    baseline: str
    difference: Estimate
    ratio: Estimate | None
    probability_of_improvement: Estimate


@dataclass(frozen=True)
class Standing:
    """One ranked group."""

    scored: ScoredGroup
    rank: Rank
    estimate: Estimate
    spread: Mapping[str, float | None]  # std, min, max of its scores
    comparison: Comparison | None = None
    times: TimesToThreshold | None = None  # in env steps
    times_s: TimesToThreshold | None = None  # in seconds of training


@dataclass(frozen=True)
class Unranked:
    """A group without a place, and why."""

    scored: ScoredGroup
    reason: str


@dataclass(frozen=True)
class EnvironmentBoard:
    """The groups of one environment, ranked."""

    env_id: str | None
    standings: tuple[Standing, ...]
    unranked: tuple[Unranked, ...]
    hidden: int = 0  # ranked groups that `top_k` leaves out
    more_seeds: int | None = None  # about how many would separate the first two; None: not known


@dataclass(frozen=True)
class SuiteStanding:
    """One entrant of a suite, over all its environments."""

    name: str
    rank: Rank
    estimate: Estimate
    n_tasks: int


@dataclass(frozen=True)
class SuiteBoard:
    """The entrants of a suite by normalised scores; those with missing cells are not ranked."""

    suite: str
    tasks: tuple[str, ...]
    standings: tuple[SuiteStanding, ...]
    unranked: tuple[tuple[str, str], ...]  # entrant, reason
    policy: str  # what is done about missing cells


@dataclass(frozen=True)
class Leaderboard:
    """Everything a leaderboard says."""

    question: Question
    resamples: int
    environments: tuple[EnvironmentBoard, ...]
    suites: tuple[SuiteBoard, ...]
    groups: tuple[ScoredGroup, ...]  # all of them, for the rows of their runs
    problems: tuple[Any, ...] = field(default=())
