"""Scores on one scale: 0 is a random policy, 1 a human or reference one.

The anchors come from the run's own `benchmark.score_normalization`, from its suite's manifest,
or from a registry that ships with axiomrl. The lowest and highest scores that happen to be in a
table are never anchors, and normalised scores that a run has stored are never read.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from axiomrl.suites import Normalization

REGISTRY_VERSION = 1
"""Raised whenever an anchor in the registry changes; added ones do not raise it."""

_DATA = Path(__file__).resolve().parent / "data" / "normalization.json"


@dataclass(frozen=True, kw_only=True)
class Anchors:
    """Two scores between which others are placed."""

    type: str  # human or reference, or what a run calls its own
    random_score: float  # becomes 0
    reference_score: float  # becomes 1
    origin: str  # who gave them: run, manifest or registry


@dataclass(frozen=True)
class NormalizedScore:
    """A fraction of the way between two anchors, or why there is none."""

    value: float | None
    reason: str | None = None


class RegistryEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The registry's anchors of one environment; sources are keys of `Registry.sources`."""

    type: str
    random_score: float
    random_source: str
    human_score: float
    human_source: str
    human_note: str = ""


class _Scores(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    random_score: float
    human_score: float


class AtariTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The anchors of Atari games, each under several environment ids."""

    type: str
    random_source: str
    human_source: str
    env_ids: tuple[str, ...]  # patterns with {game}
    games: dict[str, _Scores]


class Registry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shipped anchors as they are written in `data/normalization.json`."""

    version: int
    sources: dict[str, str]
    environments: dict[str, RegistryEntry]
    atari: AtariTable


@functools.cache
def registry() -> Registry:
    """The shipped registry."""
    return msgspec.json.decode(_DATA.read_bytes(), type=Registry)


def anchors_for(
    env_id: str | None,
    benchmark: Mapping[str, Any] | None,
    *,
    overrides: Mapping[str, Normalization] | None = None,
) -> Anchors | None:
    """The anchors of a run's score; None if nobody gives any.

    `benchmark` is the run's block: its own `score_normalization` wins over `overrides` (those of
    its suite's manifest), and these over the registry. A run's own anchors that are damaged win
    too, and are refused by `normalized`.
    """
    own = (benchmark or {}).get("score_normalization")
    if own is not None:
        return _own_anchors(own)
    if env_id is None:
        return None
    given = (overrides or {}).get(env_id)
    if given is not None:
        return Anchors(
            type=given.type,
            random_score=given.random_score,
            reference_score=given.human_score,
            origin="manifest",
        )
    return _shipped_anchors().get(_without_module(env_id))


def normalized(score: float, anchors: Anchors) -> NormalizedScore:
    """(score - random) / (reference - random): a fraction, not a percentage.

    It is refused when a number is not finite or the anchors are equal.
    """
    low, high = anchors.random_score, anchors.reference_score
    for name, value in (("score", score), ("random score", low), ("reference score", high)):
        if not math.isfinite(value):
            return NormalizedScore(None, f"the {name} is not a finite number")
    if low == high:
        return NormalizedScore(None, f"the random and the reference score are both {low:g}")
    value = (score - low) / (high - low)
    if not math.isfinite(value):
        return NormalizedScore(None, "the anchors are too close together")
    return NormalizedScore(value)


def _own_anchors(own: Any) -> Anchors:
    values = own if isinstance(own, Mapping) else {}
    kind = values.get("type")
    return Anchors(
        type=kind if isinstance(kind, str) else "reference",
        random_score=_number(values.get("random_score")),
        reference_score=_number(values.get("human_score")),
        origin="run",
    )


def _number(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return float(value) if is_number else math.nan
    except OverflowError:
        return math.inf


@functools.cache
def _shipped_anchors() -> dict[str, Anchors]:
    """The registry's anchors by environment id."""
    shipped = registry()
    anchors = {
        env_id: _registry_anchors(entry.type, entry.random_score, entry.human_score)
        for env_id, entry in shipped.environments.items()
    }
    for game, scores in shipped.atari.games.items():
        made = _registry_anchors(shipped.atari.type, scores.random_score, scores.human_score)
        for pattern in shipped.atari.env_ids:
            anchors[pattern.format(game=game)] = made
    return anchors


def _registry_anchors(kind: str, random_score: float, reference_score: float) -> Anchors:
    return Anchors(
        type=kind, random_score=random_score, reference_score=reference_score, origin="registry"
    )


def _without_module(env_id: str) -> str:
    """`ale_py:ALE/Pong-v5` names the same environment as `ALE/Pong-v5`."""
    return env_id.rpartition(":")[2]
