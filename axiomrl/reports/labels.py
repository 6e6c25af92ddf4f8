"""What groups are called: as short as tells them from the others that are shown.

`short_labels` reads no files. `labels` says in which settings configurations differ.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

from axiomrl.reports.configurations import canonical, exempt_settings
from axiomrl.reports.lookup import Lookup, flat

if TYPE_CHECKING:
    from axiomrl.reports.grouping import Group

_SHORT = 8  # digits of a hash
_MOST_SETTINGS = 3  # that a label names
_LONGEST = 60  # characters of a label that names settings
_FEWEST_DIGITS, _MOST_DIGITS = 3, 17  # of a number in a label; 17 tell all numbers apart
_UNSET = object()


def short_labels(groups: Sequence[Group]) -> list[str]:
    """A label for each group, from what metadata says: `ppo CartPole-v1 0123abcd`.

    It is shorter where no other group could be meant.
    """
    return _distinct([_candidates(group) for group in groups])


def labels(groups: Sequence[Group], lookup: Lookup, *, most: int = 20) -> list[str]:
    """A label for each group, for people: `ppo-cartpole`, `ppo CartPole-v1 gamma=0.99`.

    That is the preset, if all runs name the same and no other group's do. Of groups that share
    algorithm and environment it names the settings in which they differ; for that one config.yaml
    of each is read, unless there are more than `most` such groups.
    """
    presets = [_preset(group, lookup) for group in groups]
    counts = Counter(presets)
    rivals: dict[tuple[str | None, str | None], list[int]] = {}
    found: list[tuple[str, ...]] = []
    for place, (group, preset) in enumerate(zip(groups, presets, strict=True)):
        is_named = group.by == "config" and preset is not None and counts[preset] == 1
        found.append((preset,) if is_named and preset else ())
        if group.by == "config":
            rivals.setdefault((group.algo, group.env_id), []).append(place)
    for places in rivals.values():
        unnamed = [place for place in places if not found[place]]
        if 1 < len(places) <= most and unnamed:
            settings = _differences([groups[place] for place in places], lookup)
            for place, text in zip(places, settings, strict=True):
                base = _algo_and_env(groups[place])
                if text and place in unnamed and len(f"{base} {text}") <= _LONGEST:
                    found[place] = (f"{base} {text}",)
    return _distinct([(*first, *_candidates(g)) for first, g in zip(found, groups, strict=True)])


def _distinct(candidates: Sequence[tuple[str, ...]]) -> list[str]:
    """For each group the first of its candidates that is no other's, or else its identity."""
    counts = Counter(text for texts in candidates for text in set(texts))
    return [next((text for text in texts if counts[text] == 1), texts[-1]) for texts in candidates]


def _candidates(group: Group) -> tuple[str, ...]:
    """What the group may be called, the shortest first, its identity last."""
    base, last = _algo_and_env(group), group.key[-1][1]
    if group.by == "algo-env":
        return base, group.identity
    if group.by == "preset":
        if last is None:
            return f"{base} without preset", group.identity
        return _text(last), f"{_text(last)} {base}", group.identity
    if group.by == "config":
        if last is None:
            return base, f"{base} without configuration", group.identity
        return base, f"{base} {last[:_SHORT]}", f"{base} {last}", group.identity
    short = _last_parts([name for name, _ in group.key[1:]])
    values = [f"{short[name]}={_text(value)}" for name, value in group.key[1:]]
    return " ".join([group.env_id or "?", *values]), group.identity


def _last_parts(names: Sequence[str]) -> dict[str, str]:
    """What stands behind the last dot of each name, or all of it where others end so too."""
    counts = Counter(name.rpartition(".")[2] for name in names)
    return {name: part if counts[part := name.rpartition(".")[2]] == 1 else name for name in names}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical(value)


def _algo_and_env(group: Group) -> str:
    return f"{group.algo or '?'} {group.env_id or '?'}"


def _preset(group: Group, lookup: Lookup) -> str | None:
    """The preset that all runs of a group name."""
    names = {canonical(lookup.value_of(run, "preset")) for run in group.runs}
    name = lookup.value_of(group.runs[0], "preset")
    return name if len(names) == 1 and isinstance(name, str) and name else None


def _differences(groups: Sequence[Group], lookup: Lookup) -> list[str | None]:
    """The settings in which each group differs from another one; None where nothing is said.

    Nothing is said if a configuration cannot be read, or if there are too many differences.
    """
    configs = [lookup.config_of(group.runs[0]) for group in groups]
    settings = [counted_settings(config) for config in configs if config is not None]
    if len(settings) < len(groups):
        return [None] * len(groups)
    names = sorted(
        name
        for name in {name for each in settings for name in each}
        if len({each.get(name, _UNSET) for each in settings}) > 1
    )
    if not 0 < len(names) <= _MOST_SETTINGS:
        return [None] * len(groups)
    short = _last_parts(names)
    values = {name: _rounded({each[name] for each in settings if name in each}) for name in names}
    return [
        " ".join(f"{short[name]}={values[name][each[name]]}" for name in names if name in each)
        for each in settings
    ]


def _rounded(texts: Set[str]) -> Mapping[str, str]:
    """Each text, fractions with as few digits (three or more) as keep all of them apart."""
    for digits in range(_FEWEST_DIGITS, _MOST_DIGITS):
        rounded = {text: _with_digits(text, digits) for text in texts}
        if len(set(rounded.values())) == len(texts):
            return rounded
    return {text: text for text in texts}


def _with_digits(text: str, digits: int) -> str:
    try:
        number = json.loads(text)
    except ValueError:  # a text setting
        return text
    if not isinstance(number, float):
        return text
    shorter = f"{number:.{digits}g}"
    return shorter if len(shorter) < len(text) else text


def counted_settings(config: Mapping[str, Any]) -> dict[str, str]:
    """The settings that make a configuration another one, by dotted name, as text."""
    counted = {name: value for name, value in config.items() if name not in exempt_settings()}
    return {name: _text(value) for name, value in flat(counted)}
