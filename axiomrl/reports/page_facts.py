"""The statements of a page, one by one, so that those of two pages can be compared."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TOLERANCE = 1e-9  # relative: another version of NumPy may add in another order
_NAMES = {"group", "entrant", "baseline"}  # of groups: they depend on which others there are
_CURVE = ("steps", "value", "low", "high", "n")


@dataclass(frozen=True)
class Key:
    """What a page speaks of; two pages mean the same thing by equal keys."""

    kind: str  # group, environment, entrant
    place: str | None  # environment or suite
    identity: str
    label: str = field(default="", compare=False)  # for people


@dataclass(frozen=True)
class Difference:
    """A statement that no longer holds."""

    what: str
    before: Any
    now: Any


Facts = Mapping[str, Any]  # what is said, by name


def facts_of(
    page: Mapping[str, Any], located: Mapping[str, str | None] | None = None
) -> dict[Key, Facts]:
    """Everything that a page states of each group, environment and entrant.

    `located` says where runs are now that were at another place when the page was made. Raises
    KeyError, TypeError or AttributeError for data that no page has.
    """
    board = page["leaderboard"]
    standings = {
        (each["env_id"], each["group"]): each for each in [*board["groups"], *board["unranked"]]
    }
    rows = {row["directory"]: row for row in board["runs"]}
    facts: dict[Key, Facts] = {}
    for group in page["groups"]:
        key = Key("group", group["env_id"], group["key"], group["group"])
        standing = standings.get((group["env_id"], group["group"]), {})
        facts[key] = {
            **{name: value for name, value in standing.items() if name not in _NAMES},
            **dict(_run_facts(group, rows, located or {})),
            **{f"setting {name}": value for name, value in group["settings"].items()},
            **{f"curve {name}": (group["curve"] or {}).get(name) for name in _CURVE},
        }
    for each in board["environments"]:
        name = each["env_id"] or "no environment"
        facts[Key("environment", each["env_id"], "", f"all of {name}")] = each
    for suite in board["suites"]:
        for each in [*suite["entrants"], *suite["unranked"]]:
            entrant = each["entrant"]
            facts[Key("entrant", suite["suite"], entrant, entrant)] = each
    return facts


def _run_facts(
    group: Mapping[str, Any],
    rows: Mapping[str, Mapping[str, Any]],
    located: Mapping[str, str | None],
) -> Iterator[tuple[str, Any]]:
    for run in group["runs"]:
        row = rows[run["directory"]]
        place = located.get(run["directory"]) or run["directory"]
        yield f"score of {place}", row.get("score")
        for name, value in run["settings"].items():
            yield f"setting {name} of {place}", value


def differences(before: Facts, now: Facts | None) -> list[Difference]:
    """What does not hold any more; settings count only as far as both speak of them."""
    if now is None:
        return [Difference("group", "there", "not there")]
    found = []
    for name in before:
        is_setting = name.startswith("setting ")
        if (is_setting and name not in now) or _is_same(before[name], now.get(name)):
            continue
        if name.startswith("curve "):
            found.append(Difference(name, *_curve_texts(before[name], now.get(name))))
        else:
            found.append(Difference(name, before[name], now.get(name)))
    for name in now:  # scores and settings of new runs are news of theirs, not of the group
        is_new = name not in before and not name.startswith(("setting ", "score of "))
        if is_new and now[name] is not None:
            found.append(Difference(name, None, now[name]))
    return found


def _is_same(before: Any, now: Any) -> bool:
    if isinstance(before, float | int) and isinstance(now, float | int):
        return math.isclose(before, now, rel_tol=TOLERANCE, abs_tol=1e-12)
    if isinstance(before, list) and isinstance(now, list):
        return len(before) == len(now) and all(map(_is_same, before, now))
    return bool(before == now)


def _curve_texts(before: Sequence[Any] | None, now: Sequence[Any] | None) -> tuple[str, str]:
    """Two lists of points in words."""
    if before is None or now is None or len(before) != len(now):
        texts = [f"{len(each)} points" if each is not None else "none" for each in (before, now)]
        return texts[0], texts[1]
    count = sum(not _is_same(*pair) for pair in zip(before, now, strict=True))
    return f"{len(before)} points", f"{count} of them differ"
