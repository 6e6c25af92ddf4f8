"""In which settings the groups of an environment differ, and a run from its group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from axiomrl.reports.grouping import Group
from axiomrl.reports.labels import counted_settings

Settings = Mapping[str, str]  # by dotted name, as text


@dataclass(frozen=True)
class GroupSettings:
    """What of its settings sets a group apart."""

    own: Mapping[str, str | None]  # those in which groups differ; None: not set
    runs: tuple[Mapping[str, str | None], ...]  # for each run, those that are not the group's


@dataclass(frozen=True)
class Differences:
    """The settings in which groups differ, with every value and how many groups have it."""

    values: Mapping[str, tuple[tuple[str | None, int], ...]]  # the most frequent first
    groups: tuple[GroupSettings, ...]


def settings_differences(groups: Sequence[Group]) -> Differences:
    """How groups of one environment differ; what is local to a run, as its seed is, is no setting.

    The settings of a group are those that most of its runs have. A configuration that cannot be
    read becomes a problem of its run.
    """
    of_runs = [
        [counted_settings(run.config_if_readable() or {}) for run in group.runs] for group in groups
    ]
    common = [_common(settings) for settings in of_runs]
    names = [name for name in _names(common) if len({each.get(name) for each in common}) > 1]
    values = {
        name: tuple(sorted(Counter(each.get(name) for each in common).items(), key=_frequency))
        for name in names
    }
    return Differences(
        values,
        tuple(
            GroupSettings(
                {name: own.get(name) for name in names},
                tuple(_unlike(settings, own) for settings in runs),
            )
            for own, runs in zip(common, of_runs, strict=True)
        ),
    )


def _common(runs: Sequence[Settings]) -> Settings:
    """For each name what most runs have; names that most runs have not are left out."""
    found: dict[str, str] = {}
    for name in _names(runs):
        value, _ = min(Counter(each.get(name) for each in runs).items(), key=_frequency)
        if value is not None:
            found[name] = value
    return found


def _unlike(run: Settings, group: Settings) -> dict[str, str | None]:
    return {
        name: run.get(name) for name in _names([run, group]) if run.get(name) != group.get(name)
    }


def _names(settings: Iterable[Settings]) -> list[str]:
    return sorted({name for each in settings for name in each})


def _frequency(counted: tuple[str | None, int]) -> tuple[int, bool, str]:
    """Sorts by how often a value occurs; equals by the value itself, one that is not set last."""
    value, count = counted
    return -count, value is None, value or ""
