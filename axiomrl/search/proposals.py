"""Which point a search tries next: the base, the next of a grid, or what Optuna's sampler draws.

The sampler is made anew for every trial, with a seed of its own: what it draws depends on the
search's seed, the trial's number and the trials so far, not on which process asks, or when one
was killed. No configuration is tried twice.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from axiomrl import fingerprint
from axiomrl.config.dump import config_to_mapping, json_text
from axiomrl.config.schema import TrainConfig
from axiomrl.errors import ConfigError
from axiomrl.search.description import Search
from axiomrl.search.journal import Trial, quiet
from axiomrl.search.space import MISSING, number_of_points

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

REDRAWS = 20  # of a point that was tried before, until others are looked for
_MOST_POINTS = 10_000  # of a space that is gone through for those that are left


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A point to try; without a configuration if its values do not go together."""

    params: Mapping[str, Any]  # by dotted name, as a configuration has them
    encoded: Mapping[str, Any]  # Optuna's values; none of a base outside of the space
    config: TrainConfig | None
    error: str | None = None
    is_base: bool = False

    @property
    def config_hash(self) -> str | None:
        """Of the configuration."""
        return fingerprint.config_hash(self.config) if self.config is not None else None


def next_proposal(search: Search, trials: Sequence[Trial]) -> Proposal | None:
    """The point of the trial after these; None if every point of the space has been tried."""
    if not trials and search.config.include_base:
        return _base(search)
    tried = _Tried.of(search, trials)
    points = (
        _grid(search) if search.config.sampler == "grid" else _drawn(search, trials, len(trials))
    )
    for params in points:
        if tried.has_point(params):
            continue
        proposal = _proposal(search, params, len(trials))
        if proposal.config_hash is None or proposal.config_hash not in tried.hashes:
            return proposal
    return None


def base_params(search: Search) -> dict[str, Any]:
    """What the base has where the space is; None for a setting that only the space mentions."""
    values = config_to_mapping(search.base)
    return {path: _value_at(values, path) for path in search.space}


def encoded_params(search: Search, params: Mapping[str, Any]) -> dict[str, Any]:
    """Optuna's values of a point; empty if it lies outside of the space."""
    encoded = {path: search.space[path].encoded(value) for path, value in params.items()}
    return {} if any(value is MISSING for value in encoded.values()) else encoded


@dataclass(frozen=True)
class _Tried:
    points: frozenset[str]
    hashes: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, search: Search, trials: Sequence[Trial]) -> _Tried:
        return cls(
            frozenset(json_text(dict(trial.params)) for trial in trials),
            frozenset(trial.config_hash for trial in trials if trial.config_hash is not None),
        )

    def has_point(self, params: Mapping[str, Any]) -> bool:
        return json_text(dict(params)) in self.points


def _base(search: Search) -> Proposal:
    params = base_params(search)
    return Proposal(
        params=params, encoded=encoded_params(search, params), config=search.base, is_base=True
    )


def _proposal(search: Search, params: Mapping[str, Any], number: int) -> Proposal:
    encoded = encoded_params(search, params)
    try:
        config = search.config_of(params, source=f"trial {number}")
    except ConfigError as error:
        return Proposal(params=params, encoded=encoded, config=None, error=error.message)
    return Proposal(params=params, encoded=encoded, config=config)


def _grid(search: Search) -> Iterator[dict[str, Any]]:
    """Every point in the order of the file, the last setting's values changing quickest."""
    values = [dimension.points() or [] for dimension in search.space.values()]
    for point in itertools.product(*values):
        yield dict(zip(search.space, point, strict=True))


def _drawn(search: Search, trials: Sequence[Trial], number: int) -> Iterator[dict[str, Any]]:
    """Points from the sampler; after too many, where the space is small, all others at random."""
    for attempt in range(REDRAWS):
        yield _draw(search, trials, seed=_seed(search, number, attempt))
    count = number_of_points(search.space)
    if count is None or count > _MOST_POINTS:
        for attempt in range(REDRAWS, 50 * REDRAWS):
            yield _draw(search, (), seed=_seed(search, number, attempt))
        return
    points = list(_grid(search))
    points.sort(key=lambda point: _digest(f"{_seed(search, number, 0)}:{json_text(point)}"))
    yield from points


def _draw(search: Search, trials: Sequence[Trial], *, seed: int) -> dict[str, Any]:
    """One point; the sampler sees the trials that have a place in the space."""
    from optuna.storages import InMemoryStorage
    from optuna.study import Study, StudyDirection

    distributions = {path: dimension.distribution() for path, dimension in search.space.items()}
    way = "MAXIMIZE" if search.higher_is_better else "MINIMIZE"
    with quiet():
        storage = InMemoryStorage()
        storage.create_new_study([StudyDirection[way]], "draw")
        study = Study("draw", storage, _sampler(search, seed))
        study.add_trials([trial.optuna for trial in trials if trial.optuna.params])
        drawn = study.ask(distributions).params
    return {path: search.space[path].decoded(drawn[path]) for path in search.space}


def _sampler(search: Search, seed: int) -> BaseSampler:
    from optuna.samplers import RandomSampler, TPESampler

    if search.config.sampler == "random":
        return RandomSampler(seed)
    # trials that others run count as bad ones, so that workers do not gather at one place
    return TPESampler(seed=seed, constant_liar=True)


def _seed(search: Search, number: int, attempt: int) -> int:
    return int(_digest(f"{search.config.sampler_seed}:{number}:{attempt}")[:8], 16)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _value_at(values: Any, path: str) -> Any:
    for key in path.split("."):
        if not isinstance(values, Mapping) or key not in values:
            return None
        values = values[key]
    return values
