"""Runs become groups: what is repeated with several seeds, and compared as one.

Scores are compared within one environment only, so runs of different environments are never in
one group, whatever groups are formed by.

Within a group one run of each configuration and seed counts: the one with most env steps, of
those the newest, of those the one whose directory comes last in the alphabet. The others are
superseded. Runs that do not state their seed cannot be told to repeat each other: all of them
count, but all of them together add no seed to those that are known, and make one where none is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from axiomrl.errors import InputError, did_you_mean
from axiomrl.reports.configurations import Configuration, canonical, configuration_of
from axiomrl.reports.labels import short_labels
from axiomrl.reports.lookup import Lookup, created_at
from axiomrl.reports.where import is_name

if TYPE_CHECKING:
    from axiomrl.runs.record import RunRecord

GROUPINGS: dict[str, tuple[str, ...]] = {
    "config": ("algo",),  # and the configuration
    "algo-env": ("algo",),
    "preset": ("algo", "preset"),
}
"""The names whose values make a group, besides env_id, for each grouping that has a word."""

_NEVER = datetime.min.replace(tzinfo=UTC)

_Member: TypeAlias = tuple["RunRecord", Configuration]


@dataclass(frozen=True)
class Superseded:
    """A run that does not count, because another of its configuration and seed does."""

    run: RunRecord
    reason: str  # in words, naming the run that counts


@dataclass(frozen=True)
class Group:
    """Runs that are compared as one."""

    by: str  # what the groups were formed by
    key: tuple[tuple[str, Any], ...]  # the names and values that its runs share
    identity: str  # the key in words: no other group's, and the same whatever groups there are
    label: str  # short, and no other group's among those it was made with
    algo: str | None  # None if its runs differ in it, or do not say
    env_id: str | None
    config_hash: str | None  # likewise
    runs: tuple[RunRecord, ...]  # those that count, by seed
    superseded: tuple[Superseded, ...]
    seeds: tuple[int, ...]  # the distinct ones that are known, ascending

    @property
    def n_runs(self) -> int:
        """How many runs count."""
        return len(self.runs)

    @property
    def n_seeds(self) -> int:
        """How many distinct seeds there are for certain."""
        return max(1, len(self.seeds))


def grouping_names(by: str) -> tuple[str, ...]:
    """The names whose values form the groups; raises InputError if there cannot be such groups.

    `by` is a word of GROUPINGS or a list, with commas, of names that `--where` knows.
    """
    if by in GROUPINGS:
        return GROUPINGS[by]
    names = tuple(name.strip() for name in by.split(","))
    for name in names:
        if not is_name(name):
            words = ", ".join(GROUPINGS)
            near = did_you_mean(name, GROUPINGS)
            choices = f"choose from {words}, or list names such as algo,hyperparameters.gamma"
            raise InputError(
                f"--group-by: {name!r} is nothing to group by",
                hint=f"{near}; {choices}" if near else choices,
            )
    return names


def check_grouping(by: str, records: Sequence[RunRecord], lookup: Lookup) -> None:
    """Raise InputError if no run at all has one of the values that groups are formed by."""
    lookup.check_names(grouping_names(by), records, option="--group-by")


def group_runs(
    records: Iterable[RunRecord], *, by: str = "config", lookup: Lookup | None = None
) -> list[Group]:
    """The groups of these runs, ordered by environment, then by what they are formed by.

    The order of the runs makes no difference. Raises InputError for a `by` that means nothing.
    """
    names = grouping_names(by)
    lookup = lookup or Lookup()
    members: dict[Any, list[_Member]] = {}
    for record in records:
        configuration = configuration_of(record, lookup)
        key: Any = configuration
        if by != "config":
            values = (_comparable(lookup.value_of(record, name)) for name in names)
            key = (configuration.env_id, *values)
        members.setdefault(key, []).append((record, configuration))
    groups = sorted((_group(each, by, names, lookup) for each in members.values()), key=_order)
    labels = short_labels(groups)
    return [replace(group, label=label) for group, label in zip(groups, labels, strict=True)]


def _comparable(value: Any) -> Any:
    """Equal for equal values only, of which True and 1 are none."""
    if value is None or isinstance(value, str):
        return value
    text = canonical(value)
    return None if text == "null" else (text,)


def _group(members: list[_Member], by: str, names: Sequence[str], lookup: Lookup) -> Group:
    runs, superseded = _counting(members)
    algos = {configuration.algo for _, configuration in members}
    hashes = {configuration.config_hash for _, configuration in members}
    seeds = {seed for record in runs if (seed := record.metadata.get("seed")) is not None}
    configuration = members[0][1]
    key: tuple[tuple[str, Any], ...] = (("env_id", configuration.env_id),)
    key += tuple((name, lookup.value_of(runs[0], name)) for name in names if name != "env_id")
    if by == "config":
        key += (("config_hash", configuration.digits or None),)
    return Group(
        by=by,
        key=key,
        identity=" ".join(f"{name}={canonical(value)}" for name, value in key),
        label="",
        algo=algos.pop() if len(algos) == 1 else None,
        env_id=configuration.env_id,
        config_hash=hashes.pop() if len(hashes) == 1 else None,
        runs=tuple(runs),
        superseded=tuple(superseded),
        seeds=tuple(sorted(seeds)),
    )


def _counting(members: Iterable[_Member]) -> tuple[list[RunRecord], list[Superseded]]:
    """The runs that count, by seed, and the others."""
    runs: list[RunRecord] = []
    rivals: dict[tuple[Configuration, int], list[RunRecord]] = {}
    for record, configuration in members:
        seed = record.metadata.get("seed")
        if seed is None:
            runs.append(record)
        else:
            rivals.setdefault((configuration, seed), []).append(record)
    superseded: list[Superseded] = []
    for contenders in rivals.values():
        if len(contenders) > 1:
            contenders.sort(key=_precedence, reverse=True)
            superseded += [
                Superseded(each, _reason(each, contenders[0])) for each in contenders[1:]
            ]
        runs.append(contenders[0])
    _sort_by_seed(runs)
    superseded.sort(key=lambda each: _seed_and_age(each.run))
    return runs, superseded


def _sort_by_seed(runs: list[RunRecord]) -> None:
    seeds = [record.metadata.get("seed") for record in runs]
    if None in seeds or len(set(seeds)) < len(seeds):
        runs.sort(key=_seed_and_age)
    else:  # as nearly always; seeds alone are quicker to compare
        runs.sort(key=lambda record: record.metadata["seed"])


def _env_steps(record: RunRecord) -> int:
    steps = (record.metadata.get("progress") or {}).get("env_steps")
    return -1 if steps is None else steps


def _precedence(record: RunRecord) -> tuple[int, datetime, str]:
    return _env_steps(record), created_at(record) or _NEVER, record.path


def _reason(record: RunRecord, counting: RunRecord) -> str:
    steps, created, _ = _precedence(record)
    more_steps, newer, _ = _precedence(counting)
    if steps < 0 <= more_steps:
        why = "says how many env steps it has"
    elif steps != more_steps:
        why = f"has more env steps ({more_steps:,} against {steps:,})"
    else:
        why = "is newer" if created != newer else "is as long and as new"
    return f"same configuration and seed as {counting.directory.name}, which {why}"


def _seed_and_age(record: RunRecord) -> tuple[bool, int, str, str]:
    metadata = record.metadata
    seed = metadata.get("seed")
    return seed is None, seed or 0, metadata.get("created_at_utc") or "", record.path


def _order(group: Group) -> tuple[Any, ...]:
    return tuple(_rank(value) for _, value in group.key)


def _rank(value: Any) -> tuple[int, Any]:
    """Orders values of any kind: nothing, false, true, numbers, texts, and the rest as text."""
    comparable = _comparable(value)
    if comparable is None:
        return 0, 0
    if isinstance(value, bool):
        return 1, value
    if isinstance(value, int | float):
        return 2, value
    return (3, value) if isinstance(value, str) else (4, comparable)
