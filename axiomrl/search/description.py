"""What is to be searched: the file that `axiomrl tune` reads, checked before anything starts."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from axiomrl.config.blocks import block_from_layers, config_from_layers, config_with
from axiomrl.config.dump import config_to_mapping
from axiomrl.config.fields import settings_of
from axiomrl.config.layers import Layers, parse_override
from axiomrl.config.resolve import load_config
from axiomrl.config.schema import ExperimentsRunnerConfig, TrainConfig, block, setting
from axiomrl.config.yaml_files import read_yaml
from axiomrl.errors import ConfigError, InputError, RelationError, did_you_mean
from axiomrl.metrics import METRICS, direction_of
from axiomrl.search.space import Dimension, dimension_from_mapping, space_to_mapping

SAMPLERS = ("tpe", "random", "grid")
PRUNERS = ("none", "median", "asha")
_KEYS = ("mode", "base", "search")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NOT_SEARCHED = {
    "algo": "a search compares configurations of one algorithm",
    "env_id": "scores of two environments cannot be compared",
    "evaluation": "all trials must be scored in one way",
    "seed": "every trial is trained with each of search.seeds",
    "output_dir": "every run lies in the folder of its trial",
    "mode": "every run of a trial is a plain one",
}


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What makes one trial better than another."""

    metric: str = setting("metric of a run that is its score", "eval_return_mean")
    reduce: str = setting(
        "what of the metric's values counts", "final",
        choices=("final", "best", "last-window", "auc"),
    )  # fmt: skip
    statistic: str = setting(
        "what of the scores of a trial's seeds is its score", "mean",
        choices=("mean", "median", "iqm"),
    )  # fmt: skip
    direction: str | None = setting(
        "which way is better; null: what is known of the metric, else maximize",
        None,
        choices=("maximize", "minimize"),
    )


@dataclass(frozen=True, kw_only=True)
class Pruner:
    """Which trials are ended early."""

    type: str = setting("none: no trial is", "none", choices=PRUNERS)
    warmup_steps: int = setting(
        "env steps of a trial, over all its seeds, before which it is never ended; for asha its "
        "first rung (0: evaluation.every)",
        0,
        low=0,
    )
    n_startup_trials: int = setting("median: trials to complete before any is ended", 5, low=1)
    reduction_factor: int = setting(
        "asha: of so many trials one goes on at each rung, each rung so many times higher",
        4,
        low=2,
    )


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """The block `search` of a search file."""

    name: str = setting("name of the search, and of its folder")
    output_dir: str = setting("where the search's folder is made", "searches")
    n_trials: int | None = setting(
        "how many trials, failed and pruned ones too; null: every point, with the sampler grid",
        None,
        low=1,
    )
    seeds: tuple[int, ...] = setting("every trial is trained once with each", (1, 2, 3), low=0)
    objective: Objective = block(Objective, "what makes a trial better")
    sampler: str = setting("how points are chosen", "tpe", choices=SAMPLERS)
    sampler_seed: int = setting("seed of that choice", 0, low=0)
    pruner: Pruner = block(Pruner, "which trials are ended early")
    include_base: bool = setting("the base configuration is trial 0", True)
    space: Mapping[str, Any] = setting("what is searched: a dimension per setting")

    def __post_init__(self) -> None:
        """Raises ConfigError for what no search can be made of."""
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"name is {self.name!r}, but must be the name of a folder",
                hint="use letters, digits and the signs . _ -",
            )
        if not self.seeds:
            raise ConfigError("seeds is empty", hint="give at least one: seeds: [1, 2, 3]")
        repeated = [seed for place, seed in enumerate(self.seeds) if seed in self.seeds[:place]]
        if repeated:
            raise ConfigError(f"seeds holds {repeated[0]} twice")
        if self.n_trials is None and self.sampler != "grid":
            raise ConfigError(
                f"n_trials is missing, and the sampler {self.sampler} would never end",
                hint="say how many trials: n_trials: 30",
            )
        if not self.space:
            raise ConfigError(
                "space is empty",
                hint="space: {hyperparameters.gamma: {type: choice, values: [0.98, 0.99]}}",
            )


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search that has been checked: every point of its space can be asked for."""

    config: SearchConfig
    space: Mapping[str, Dimension]  # by dotted name
    base: TrainConfig  # a plain run's

    @property
    def folder(self) -> Path:
        """Where the search lives."""
        return Path(self.config.output_dir).expanduser() / self.config.name

    @property
    def higher_is_better(self) -> bool:
        """Whether more of the score is better."""
        return self.config.objective.direction == "maximize"

    def config_of(self, params: Mapping[str, Any], *, source: str = "params") -> TrainConfig:
        """The configuration of a point; raises ConfigError where its values do not go together."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # each run gives its own warnings
            return config_with(self.base, params, source=source)

    def to_mapping(self) -> dict[str, Any]:
        """The block `search`, with every default."""
        values = config_to_mapping(self.config)  # type: ignore[arg-type]
        return {**values, "space": space_to_mapping(self.space)}


def load_search(path: Path | str, *, overrides: Sequence[str] = ()) -> Search:
    """The search that a file describes.

    Overrides are `key.path=value` texts: those that begin with `search.` concern the search, all
    others its base. Raises ConfigError for whatever cannot be used.
    """
    values = read_yaml(path, required="mode: tune, base and search")
    mode = values.get("mode")
    if mode != "tune":
        told = "has no mode" if mode is None else f"has the mode {mode!r:.40}"
        raise ConfigError(
            f"{path}: {told}, so it describes no search",
            hint=f"a search has mode: tune; to train it: axiomrl train --config {path}",
        )
    for key in values:
        if key not in _KEYS:
            hint = did_you_mean(key, _KEYS) or f"a search has: {', '.join(_KEYS)}"
            raise ConfigError(f"{path}: {key} is no part of a search", hint=hint)
    for key in ("base", "search"):
        if key not in values:
            raise ConfigError(f"{path}: {key} is missing", hint=_MISSING[key])
    layers = Layers({"search": values["search"]}, str(path))
    of_base = []
    for override in overrides:
        name, value = parse_override(override)
        if name[0] == "search":
            layers.put(name, value, "--set")
        else:
            of_base.append(override)
    base = _base(values["base"], Path(path), of_base)
    return _checked(layers, base, source=str(path))


def search_from_values(values: Mapping[str, Any], base: TrainConfig, *, source: str) -> Search:
    """The search of a block `search` and a base; raises ConfigError as `load_search` does."""
    return _checked(Layers({"search": dict(values)}, source), base, source=source)


_MISSING = {
    "base": "name a configuration file, or write one: base: configs/ppo/cartpole.yaml",
    "search": "say what is searched: search: {name: …, n_trials: 30, space: {…}}",
}


def _base(given: Any, path: Path, overrides: Sequence[str]) -> TrainConfig:
    if isinstance(given, Mapping):
        return config_from_layers(given, source=f"{path}: base", overrides=overrides)
    if not isinstance(given, str):
        raise ConfigError(
            f"{path}: base is {given!r:.60}, but must be the path of a file or a mapping",
            hint=_MISSING["base"],
        )
    named = Path(given).expanduser()
    places = list(dict.fromkeys([path.parent / named, named]))
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        looked = " nor ".join(map(str, places))
        raise ConfigError(f"{path}: base: there is no file {looked}", hint=_MISSING["base"])
    return load_config(found, overrides=overrides)


def _checked(layers: Layers, base: TrainConfig, *, source: str) -> Search:
    values = layers.values["search"]
    if isinstance(values, Mapping):
        if isinstance(values.get("pruner"), str):  # pruner: median
            layers.values["search"] = values = {**values, "pruner": {"type": values["pruner"]}}
        space = _space(values.get("space", {}), source)
        # the validator gets the dimensions as it would write them itself
        layers.values["search"] = {**values, "space": space_to_mapping(space)}
    config = _with_direction(block_from_layers(SearchConfig, layers, ("search",)))
    plain = replace(base, mode="train", experiments_runner=ExperimentsRunnerConfig())
    search = Search(config=config, space=space, base=plain)
    _check_objective(config.objective, source)
    _check_space(search, source)
    _check_grid(search, source)
    _check_pruner(search, source)
    return search


def _with_direction(config: SearchConfig) -> SearchConfig:
    objective = config.objective
    if objective.direction is None:
        way = "minimize" if direction_of(objective.metric) == "min" else "maximize"
        objective = replace(objective, direction=way)
    return replace(config, objective=objective)


def _space(values: Any, source: str) -> dict[str, Dimension]:
    if not isinstance(values, Mapping):
        raise ConfigError(
            f"{source}: search.space is {values!r:.60}, but must be a mapping",
            hint="space: {hyperparameters.gamma: {type: choice, values: [0.98, 0.99]}}",
        )
    space = {}
    for path, given in values.items():
        try:
            space[str(path)] = dimension_from_mapping(given)
        except InputError as error:
            raise ConfigError(
                f"{source}: search.space: {path}: {error.message}", hint=error.hint
            ) from None
    return space


def _check_objective(objective: Objective, source: str) -> None:
    metric = objective.metric
    if metric not in METRICS:
        raise ConfigError(
            f"{source}: search.objective.metric: {metric!r} is no metric of axiomrl's",
            hint=did_you_mean(metric, METRICS) or "try eval_return_mean",
        )


def _check_space(search: Search, source: str) -> None:
    """Refuse paths that are no settings, and bounds and values that these do not take."""
    where = f"{source}: search.space"
    for path, dimension in search.space.items():
        _refuse_unsearchable(path, where)
        within = [other for other in search.space if path.startswith(f"{other}.")]
        if within:
            raise ConfigError(f"{where}: {path} lies within {within[0]}", hint="search one of them")
        for value in dimension.to_check():
            try:
                search.config_of({path: value}, source=where)
            except RelationError:
                continue  # it may go together with other values than the base's


def _refuse_unsearchable(path: str, where: str) -> None:
    first = path.partition(".")[0]
    reason = _NOT_SEARCHED.get(first)
    known = settings_of(TrainConfig)
    if reason is None and first in known and not known[first].info.hashed:
        reason = "it does not change what is learned"
    if reason is not None:
        raise ConfigError(f"{where}: {path} cannot be searched", hint=reason)


def _check_grid(search: Search, source: str) -> None:
    if search.config.sampler != "grid":
        return
    for path, dimension in search.space.items():
        if dimension.points() is None:
            raise ConfigError(
                f"{source}: search.space: {path} has no points that a grid could walk through",
                hint="use {type: grid, values: […]}, choice or randint, or another sampler",
            )


def _check_pruner(search: Search, source: str) -> None:
    if search.config.pruner.type == "none":
        return
    if search.base.evaluation.every == 0:
        raise ConfigError(
            f"{source}: search.pruner needs evaluations, but evaluation.every is 0 in the base",
            hint="say how often a run is evaluated, or leave the pruner out",
        )
    if "total_timesteps" in search.space:
        raise ConfigError(
            f"{source}: search.space: total_timesteps cannot be searched with a pruner",
            hint="trials are compared at the same step of trainings of one length",
        )
    metric = search.config.objective.metric
    if not metric.startswith("eval_"):
        raise ConfigError(
            f"{source}: search.pruner compares evaluations, but the objective is {metric}",
            hint="choose a metric that begins with eval_, or leave the pruner out",
        )
