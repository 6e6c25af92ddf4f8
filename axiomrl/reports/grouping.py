"""Runs that belong together: the runs of one configuration, or whatever else is asked for."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from axiomrl.errors import InputError

if TYPE_CHECKING:
    from axiomrl.runs.record import RunRecord

Lookup = Callable[["RunRecord", str], Any]
Identity = tuple[Any, ...]

# Of config.yaml, what does not make two runs without config_hash different.
_LOCAL = ("seed", "output_dir", "device", "tags", "engine", "threads", "benchmark")
_LOCAL_BLOCKS = ("checkpoint", "logging", "mode", "experiments_runner", "test")
_NAMED = 200  # groups up to which differing settings are looked up for labels


@dataclass(frozen=True)
class Group:
    """Runs that are counted together, all of one environment."""

    key: str  # unique, and the same whatever other groups there are
    values: Mapping[str, Any]  # what the group was formed by
    algo: str | None
    env_id: str | None
    config_hash: str | None  # None if the runs have several, or none
    preset: str | None
    suite: str | None
    runs: tuple[RunRecord, ...]  # that count
    seeds: tuple[int, ...]  # the distinct ones of the runs that count, sorted
    superseded: tuple[tuple[RunRecord, str], ...]  # that do not, and the directory that does

    @property
    def n_runs(self) -> int:
        """How many runs count."""
        return len(self.runs)

    @property
    def n_seeds(self) -> int:
        """How many distinct seeds; runs that do not tell theirs add none beyond a first."""
        return max(len(self.seeds), 1)


def group_runs(records: Iterable[RunRecord], by: str, value_of: Lookup) -> list[Group]:
    """The groups, in an order that does not depend on that of the records.

    `by` is `config`, `algo-env`, `preset`, or names separated by commas, each looked up by
    `value_of`. Every group is of one environment, whatever it is formed by. Of several runs of
    one configuration and seed the one with most env steps counts, then the newest.
    """
    names = _names(by)
    found: dict[Identity, tuple[dict[str, Any], list[_Member]]] = {}
    for record in records:
        member = _Member(record, *_identity(record))
        key: Identity = member.identity
        if by != "config":
            values = {name: value_of(record, name) for name in names}
            values.setdefault("env_id", member.identity[1])
            key = tuple(map(_text, values.values()))
        elif key not in found:
            values = dict(zip(("algo", "env_id", "config"), key, strict=True))
        group = found.get(key)
        if group is None:
            group = found[key] = (values, [])
        group[1].append(member)
    groups = [_group(key, values, members) for key, (values, members) in found.items()]
    return sorted(groups, key=lambda group: group.key)


def _names(by: str) -> list[str]:
    if by == "config":
        return []
    if by == "algo-env":
        return ["algo", "env_id"]
    if by == "preset":
        return ["preset", "algo", "env_id"]
    names = [name.strip() for name in by.split(",")]
    if not all(names):
        raise InputError(
            f"--group-by {by!r}: holds an empty name",
            hint="config, algo-env, preset, or names such as algo,hyperparameters.gamma",
        )
    return names


class _Member(NamedTuple):
    """A run on its way into a group."""

    record: RunRecord
    identity: Identity  # what it has in common with its repetitions, but for the seed
    seed: int | None
    config_hash: str | None
    benchmark: Mapping[str, Any]


def _identity(record: RunRecord) -> tuple[Identity, int | None, str | None, Mapping[str, Any]]:
    """The other fields of a _Member."""
    metadata = record.metadata
    config_hash = metadata.get("config_hash")
    configuration = config_hash if config_hash is not None else _digest_of_config(record)
    identity = (metadata.get("algo"), metadata.get("env_id"), configuration)
    return identity, metadata.get("seed"), config_hash, metadata.get("benchmark") or {}


def _digest_of_config(record: RunRecord) -> str | None:
    """A digest of config.yaml without what is local to a run; None if it cannot be read."""
    try:
        config = dict(record.config())
    except InputError:
        return None
    for name in (*_LOCAL, *_LOCAL_BLOCKS):
        config.pop(name, None)
    text = json.dumps(config, sort_keys=True, default=str)
    return "config-" + hashlib.sha256(text.encode()).hexdigest()[:16]


def _group(key: Identity, values: Mapping[str, Any], members: Sequence[_Member]) -> Group:
    counted, superseded = _without_repeats(members)
    return Group(
        key="|".join(map(_text, key)),
        values=values,
        algo=_common(member.identity[0] for member in counted),
        env_id=counted[0].identity[1],
        config_hash=_common(member.config_hash for member in counted),
        preset=_common(member.benchmark.get("preset_name") for member in counted),
        suite=_common(member.benchmark.get("suite") for member in counted),
        runs=tuple(member.record for member in counted),
        seeds=tuple(sorted({member.seed for member in counted if member.seed is not None})),
        superseded=tuple(superseded),
    )


def _without_repeats(
    members: Sequence[_Member],
) -> tuple[list[_Member], list[tuple[RunRecord, str]]]:
    """Runs that count, by seed and directory, and those that another one supersedes."""
    places: dict[Any, list[_Member]] = {}
    for number, member in enumerate(members):
        # a run that does not tell its seed repeats no other
        place = (member.identity, member.seed) if member.seed is not None else number
        places.setdefault(place, []).append(member)
    counted, superseded = [], []
    for rivals in places.values():
        first = rivals[0] if len(rivals) == 1 else max(rivals, key=_precedence)
        counted.append(first)
        kept = os.path.abspath(first.record.path)
        superseded += [(each.record, kept) for each in rivals if each is not first]
    return sorted(counted, key=_order), sorted(superseded, key=lambda pair: pair[0].path)


def _order(member: _Member) -> tuple[int, str]:
    return (-1 if member.seed is None else member.seed), member.record.path


def _precedence(member: _Member) -> tuple[int, str, str]:
    """Which of two runs of one configuration and seed counts: the greater."""
    record = member.record
    progress = record.metadata.get("progress") or {}
    return progress.get("env_steps") or 0, record.created_at_utc, record.path


def _common(values: Iterable[Any]) -> Any:
    """The one value that all are, else None; values that cannot be hashed count as different."""
    try:
        found = set(values)
    except TypeError:
        return None
    return found.pop() if len(found) == 1 else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


# Labels


def labels(groups: Sequence[Group]) -> dict[str, str]:
    """A name for people for each group, by its key: short, and unique within its environment.

    The algorithm; where several groups of an environment share that, their preset if it tells
    them apart, else the settings in which they differ, else the beginning of the hash.
    """
    named: dict[str, str] = {}
    rivals: dict[tuple[Any, Any], list[Group]] = {}
    for group in groups:
        rivals.setdefault((group.env_id, _stem(group)), []).append(group)
    for (_, stem), members in rivals.items():
        if len(members) == 1:
            named[members[0].key] = stem
            continue
        details = _details(members)
        for member, detail in zip(members, details, strict=True):
            named[member.key] = f"{stem} {detail}"
    return named


def _stem(group: Group) -> str:
    """What a group is called where it has no rival."""
    own = [
        f"{name.rpartition('.')[2]}={_text(value)}"
        for name, value in group.values.items()
        if name not in ("algo", "env_id", "config", "preset")
    ]
    first = group.values.get("preset") or group.algo
    return " ".join(
        [_text(first or "?") if "algo" in group.values or not own else "", *own]
    ).strip()


def _details(members: Sequence[Group]) -> list[str]:
    """What tells groups of one name apart."""
    presets = [member.preset for member in members]
    if None not in presets and len(set(presets)) == len(presets):
        return [str(preset) for preset in presets]
    if len(members) <= _NAMED:
        settings = [_flat_config(member.runs[0]) for member in members]
        names = sorted({name for each in settings for name in each})
        differing = [name for name in names if len({each.get(name) for each in settings}) > 1]
        texts = [
            " ".join(f"{name.rpartition('.')[2]}={each.get(name, '-')}" for name in differing[:3])
            for each in settings
        ]
        if differing and len(set(texts)) == len(texts):
            return texts
    hashes = [str(member.config_hash or member.key.rpartition("|")[2]) for member in members]
    for length in (8, 16):
        if len({each[:length] for each in hashes}) == len(hashes):
            return [each[:length] for each in hashes]
    return [member.key for member in members]


def _flat_config(record: RunRecord) -> dict[str, str]:
    """The settings of config.yaml by dotted name, those local to a run left out."""
    try:
        config = dict(record.config())
    except InputError:
        return {}
    flat: dict[str, str] = {}

    def add(prefix: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for name, inner in value.items():
                add(f"{prefix}{name}.", inner)
        else:
            flat[prefix.rstrip(".")] = _text(value)

    for name, value in config.items():
        if name not in _LOCAL and name not in _LOCAL_BLOCKS:
            add(f"{name}.", value)
    return flat
