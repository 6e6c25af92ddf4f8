"""Which groups a plot shows, and over which environments they can be taken together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from axiomrl.errors import InputError
from axiomrl.reports.normalization import Anchors, normalized

if TYPE_CHECKING:
    from axiomrl.reports.standings import (
        EnvironmentBoard,
        Leaderboard,
        ScoredGroup,
        Standing,
        Unranked,
    )
    from axiomrl.statistics.scores import Array

Entry = TypeVar("Entry", "Standing", "Unranked")


@dataclass(frozen=True)
class Choice:
    """The ranked groups that a plot shows. Groups of one label belong together everywhere."""

    labels: tuple[str, ...]  # best first
    environments: tuple[tuple[str, tuple[Standing, ...]], ...]  # title, and groups best first
    notes: tuple[str, ...]  # what is left out

    @property
    def standings(self) -> Iterator[Standing]:
        """Those of all environments."""
        return (each for _, standings in self.environments for each in standings)


def choose(board: Leaderboard, limit: int) -> Choice:
    """The `limit` labels that stand highest in some environment.

    Raises InputError, with the reasons, where no group is ranked.
    """
    places: dict[str, int] = {}
    environments = [_renamed(environment) for environment in board.environments]
    for environment in environments:
        for place, standing in enumerate(environment.standings):
            label = standing.scored.label
            places[label] = min(place, places.get(label, place))
    notes = [
        f"not drawn: {each.scored.label} in {environment_title(environment)} ({each.reason})"
        for environment in environments
        for each in environment.unranked
    ]
    if not places:
        raise InputError("nothing to draw: no group has a score", hint="\n".join(notes[:5]) or None)
    ordered = sorted(places, key=lambda label: (places[label], label))
    kept = ordered[:limit]
    if ordered[limit:]:
        notes.append(f"not drawn, beyond the first {limit} (--top-k): {', '.join(ordered[limit:])}")
    superseded = sum(len(each.group.superseded) for each in board.groups)
    if superseded:
        notes.append(f"{superseded} superseded runs are left out (repeats of a seed)")
    panels = [
        (
            environment_title(environment),
            tuple(each for each in environment.standings if each.scored.label in kept),
        )
        for environment in environments
    ]
    return Choice(tuple(kept), tuple(each for each in panels if each[1]), tuple(notes))


def _renamed(board: EnvironmentBoard) -> EnvironmentBoard:
    """The groups under names by which they are found again in other environments.

    The only configuration of an algorithm is called by the algorithm, whatever tells it from
    those in other environments.
    """
    groups = [each.scored for each in board.standings]
    groups += [each.scored for each in board.unranked]
    counts = Counter(each.group.algo for each in groups)
    names = [
        each.group.algo
        if each.group.by in ("config", "preset") and each.group.algo and counts[each.group.algo] < 2
        else each.label
        for each in groups
    ]
    if len(set(names)) < len(names):
        return board
    renamed = [replace(each, label=name) for each, name in zip(groups, names, strict=True)]
    count = len(board.standings)
    return replace(
        board,
        standings=tuple(map(_with_scored, board.standings, renamed[:count])),
        unranked=tuple(map(_with_scored, board.unranked, renamed[count:])),
    )


def _with_scored(entry: Entry, scored: ScoredGroup) -> Entry:
    return replace(entry, scored=scored)


def environment_title(board: EnvironmentBoard) -> str:
    """What an environment is called where it may have no name."""
    return board.env_id or "no environment"


# Over several environments


@dataclass(frozen=True)
class Entrant:
    """A label with its group in every one of the environments that are compared."""

    label: str
    groups: tuple[ScoredGroup, ...]

    @property
    def name(self) -> str:
        """Unique, and the same whatever else is compared: what its resamples depend on."""
        return "||".join(each.group.identity for each in self.groups)

    @property
    def n_seeds(self) -> int:
        """Of the environment with fewest."""
        return min(len(each.usable_seeds) for each in self.groups)


@dataclass(frozen=True)
class Entrants:
    """Groups that are comparable over the same environments."""

    env_ids: tuple[str, ...]
    entrants: tuple[Entrant, ...]
    is_normalized: bool
    notes: tuple[str, ...]

    @property
    def title(self) -> str:
        """The environment, or how many they are."""
        return self.env_ids[0] if len(self.env_ids) == 1 else f"{len(self.env_ids)} environments"

    def scale(self, values: Sequence[float], group: ScoredGroup) -> Array:
        """Values of a group on the scale that is compared."""
        array = np.asarray(values, dtype=np.float64)
        if not self.is_normalized or group.anchors is None:
            return array
        low, high = group.anchors.random_score, group.anchors.reference_score
        scaled: Array = (array - low) / (high - low)
        return scaled


def comparable(choice: Choice) -> Entrants:
    """The labels that have runs in every environment with anchors, by normalised scores.

    Without anchors anywhere, the raw scores of the environment with most groups. Raises
    InputError if no label has runs in all environments.
    """
    cells: dict[str, dict[str, ScoredGroup]] = {label: {} for label in choice.labels}
    without = []
    for title, standings in choice.environments:
        anchored = [each.scored for each in standings if _are_usable(each.scored.anchors)]
        for each in anchored:
            cells[each.label][title] = each
        if not anchored:
            without.append(title)
    titles = [title for title, _ in choice.environments if title not in without]
    if not titles:
        return _raw(choice)
    notes = []
    if without:
        notes.append(f"left out, without anchors to normalise by: {', '.join(without)}")
    complete = [label for label in choice.labels if len(cells[label]) == len(titles)]
    for label in choice.labels:
        missing = [title for title in titles if title not in cells[label]]
        if missing:
            notes.append(f"not drawn: {label} (no normalised scores in {', '.join(missing)})")
    if not complete:
        raise _no_entrant(titles, cells)
    entrants = [Entrant(label, tuple(cells[label][t] for t in titles)) for label in complete]
    return Entrants(tuple(titles), tuple(entrants), True, tuple(notes))


def spanning(choice: Choice) -> Sequence[Entrant]:
    """The labels that have a group in every environment, on whatever scale; none of one alone."""
    if len(choice.environments) < 2:
        return []
    cells: dict[str, list[ScoredGroup]] = {label: [] for label in choice.labels}
    for standing in choice.standings:
        cells[standing.scored.label].append(standing.scored)
    count = len(choice.environments)
    return [Entrant(name, tuple(groups)) for name, groups in cells.items() if len(groups) == count]


def _are_usable(anchors: Anchors | None) -> bool:
    return anchors is not None and normalized(anchors.random_score, anchors).value is not None


def _raw(choice: Choice) -> Entrants:
    title, standings = max(choice.environments, key=lambda each: len(each[1]))
    notes = [f"raw scores of {title}: there are no anchors to normalise by"]
    others = [each for each, _ in choice.environments if each != title]
    if others:
        notes.append(f"not drawn: {', '.join(others)} (choose with --env-id)")
    shown = {each.scored.label: each.scored for each in standings}
    missing = [label for label in choice.labels if label not in shown]
    if missing:
        notes.append(f"not drawn: {', '.join(missing)} (no runs in {title})")
    entrants = [Entrant(label, (shown[label],)) for label in choice.labels if label in shown]
    return Entrants((title,), tuple(entrants), False, tuple(notes))


def _no_entrant(
    titles: Sequence[str], cells: Mapping[str, Mapping[str, ScoredGroup]]
) -> InputError:
    most = sorted(cells.items(), key=lambda item: -len(item[1]))[:3]
    found = [f"{label} has {', '.join(groups) or 'none of them'}" for label, groups in most]
    return InputError(
        f"nothing to draw: no group has runs in all of {', '.join(titles)}",
        hint="\n".join([*found, "choose environments with --env-id, or other groups: --group-by"]),
    )
