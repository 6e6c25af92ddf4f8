"""The one validator: raw values from file, `--set` and flags become a TrainConfig.

Driven by the field types and the `setting` marks of the configuration classes. The first
problem found is raised, as a ConfigError that names source, dotted key, value and remedy.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from axiomrl.algorithms import ALGORITHMS, algorithm_class
from axiomrl.config.fields import Kind, Setting, join_surrogates, settings_of
from axiomrl.config.layers import Layers, layered
from axiomrl.config.schema import (
    EnvironmentConfig,
    Schedule,
    SettingInfo,
    TrainConfig,
    WrapperConfig,
)
from axiomrl.config.wording import (
    SCHEDULE_HINT,
    bare,
    dotted,
    nearest_setting,
    remedy,
    shown,
    suggestion,
    with_article,
)
from axiomrl.errors import ConfigError, RelationError

_IMPORT_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_LONGEST_KEY = 128  # PyYAML reads no key of more than 1024 characters, escapes included


def load_config(
    path: Path | str,
    *,
    overrides: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
) -> TrainConfig:
    """The configuration in a YAML file, with `--set` overrides and flags on top.

    `overrides` are `key.path=value` texts, `flags` top-level values of which None is ignored;
    flags win over overrides, and these over the file. Raises ConfigError for whatever cannot
    be used, in any of the three.
    """
    from axiomrl.config.yaml_files import read_yaml

    values = read_yaml(path)
    if values.get("mode") == "tune":
        raise ConfigError(
            f"{path}: describes a search, not a run", hint=f"run it: axiomrl tune --config {path}"
        )
    return resolve_layers(layered(values, source=str(path), overrides=overrides, flags=flags))


def config_from_mapping(values: Mapping[str, Any], *, source: str = "config") -> TrainConfig:
    """The configuration that a mapping holds, as `config_to_mapping` gives it or shorter.

    Raises ConfigError with messages that begin with `source`.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{source}: is {shown(values)}, but must be a mapping of settings")
    return resolve_layers(layered(values, source=source))


def resolve_layers(layers: Layers) -> TrainConfig:
    """The configuration that layers of raw values make; raises ConfigError."""
    validator = Validator(layers)
    values = dict(layers.values)
    validator.check_names((), values, list(settings_of(TrainConfig)), owner="")
    settings = validator.values_of(TrainConfig, (), values, skip=("hyperparameters",))
    config_class = validator.algorithm(settings["algo"]).config_class
    validator.owner_of_hyperparameters = settings["algo"]
    settings["hyperparameters"] = validator.block(
        config_class, ("hyperparameters",), values.get("hyperparameters", {})
    )
    config: TrainConfig = validator.build(TrainConfig, (), settings)
    return config


class Validator:
    """Checks and converts values; knows which source each of them came from."""

    def __init__(self, layers: Layers) -> None:
        self.layers = layers
        self.owner_of_hyperparameters = ""

    def error(self, path: Sequence[str], problem: str, hint: str | None = None) -> ConfigError:
        """An error about the value at a path; `problem` continues the sentence begun by it."""
        source = self.layers.source_of(tuple(path))
        return ConfigError(f"{source}: {dotted(path)} {problem}", hint=hint)

    def algorithm(self, name: str) -> Any:
        """The class of an algorithm; an unknown name is an error of the source that gave it."""
        try:
            return algorithm_class(name)
        except ConfigError as error:
            source = self.layers.source_of(("algo",))
            hint = suggestion(name, list(ALGORITHMS)) or error.hint
            raise ConfigError(f"{source}: {error.message}", hint=hint) from None

    # Blocks

    def block(self, block: type, path: tuple[str, ...], values: Any) -> Any:
        """An instance of a configuration class, from a mapping of its settings."""
        if not isinstance(values, Mapping):
            hint = "leave it out for its defaults" if values is None else "write lines `key: value`"
            raise self.error(path, f"is {shown(values)}, but must be a mapping of settings", hint)
        owner = self.owner_of_hyperparameters if path == ("hyperparameters",) else dotted(path)
        owner = "a wrapper" if block is WrapperConfig else owner
        self.check_names(path, values, list(settings_of(block)), owner)
        return self.build(block, path, self.values_of(block, path, values))

    def build(self, block: type, path: tuple[str, ...], settings: dict[str, Any]) -> Any:
        """Make the block; what its `__post_init__` finds wrong gets source and full key."""
        try:
            return block(**settings)
        except ConfigError as error:
            prefix = f"{dotted(path)}." if path else ""
            source = self._source_of_relation(path, error.message)
            raise RelationError(f"{source}: {prefix}{error.message}", hint=error.hint) from None

    def values_of(
        self,
        block: type,
        path: tuple[str, ...],
        values: Mapping[str, Any],
        skip: tuple[str, ...] = (),
    ) -> dict[str, Any]:
        """The converted values of those settings that are given; the others keep defaults."""
        converted = {}
        for name, setting in settings_of(block).items():
            if name in skip:
                continue
            if name in values:
                converted[name] = self.value(setting, (*path, name), values[name])
            elif setting.required:
                raise self.error((*path, name), "is missing", f"add {name}: {setting.info.help}")
        return converted

    def check_names(
        self, path: tuple[str, ...], values: Mapping[str, Any], known: list[str], owner: str
    ) -> None:
        """Refuse a key that is no setting of this block, with the nearest valid one."""
        for key in values:
            if key not in known:
                of_owner = f" of {owner}" if owner else ""
                hint = self.nearest(str(key), path, known)
                raise self.error((*path, str(key)), f"is not a setting{of_owner}", hint)

    def nearest(self, key: str, path: tuple[str, ...], known: list[str]) -> str | None:
        """What was probably meant by a key that is no setting here."""
        return nearest_setting(key, path, known, self.layers.values.get("algo"))

    # Values

    def value(self, setting: Setting, path: tuple[str, ...], value: Any) -> Any:
        """One value, converted to its field's type and checked against its bounds."""
        kind, info = setting.kind, setting.info
        if value is None:
            if kind.optional:
                return None
            hint = "give a value" if setting.required else "leave it out for its default"
            raise self.error(path, f"is null, but must be {with_article(kind)}", hint)
        if kind.many:
            return self.items(kind, info, path, value)
        if dataclasses.is_dataclass(kind.base):
            return self.block(kind.base, path, value)
        if kind.base is dict:
            return self.free_mapping(path, value)
        if kind.schedulable and isinstance(value, Mapping):
            return self.schedule(info, path, value)
        if kind.worded and isinstance(value, str):
            return self.scalar(Kind(base=str), info, path, value)
        return self.scalar(kind, info, path, value)

    def items(self, kind: Kind, info: SettingInfo, path: tuple[str, ...], value: Any) -> Any:
        """A list, as a tuple; bounds hold for each item."""
        if not isinstance(value, list | tuple):
            hint = None if isinstance(value, Mapping) else f"write [{bare(value)}]"
            raise self.error(path, f"is {shown(value)}, but must be a {kind.text()}", hint)
        item_kind = Kind(base=kind.base)
        convert: Callable[[tuple[str, ...], Any], Any] = (
            self.wrapper
            if kind.base is WrapperConfig
            else lambda where, item: self.scalar(item_kind, info, where, item)
        )
        head, last = path[:-1], path[-1]
        return tuple(convert((*head, f"{last}[{i}]"), item) for i, item in enumerate(value))

    def scalar(self, kind: Kind, info: SettingInfo, path: tuple[str, ...], value: Any) -> Any:
        """A boolean, integer, number or text within its bounds."""
        converted = _converted(kind.base, value)
        if converted is None:
            raise self.error(
                path,
                f"is {shown(value)}, but must be {with_article(kind)}",
                remedy(kind, path[-1], value),
            )
        if isinstance(converted, str):
            self._check_text(info, path, converted)
        elif not isinstance(converted, bool) and not in_range(converted, info):
            raise self.error(path, f"is {value}, but must be {info.range_text()}")
        return converted

    def schedule(
        self, info: SettingInfo, path: tuple[str, ...], values: Mapping[str, Any]
    ) -> float | Schedule:
        """A schedule within its field's bounds; a constant one is its number.

        A schedule may end at an exclusive lower bound (a learning rate that decays to 0).
        """
        self.check_names(path, values, list(settings_of(Schedule)), "a schedule")
        own = settings_of(Schedule)
        name: str = self.value(
            own["schedule"], (*path, "schedule"), values.get("schedule", "linear")
        )
        until: float = self.value(own["until"], (*path, "until"), values.get("until", 1.0))
        if "start" not in values:
            raise self.error((*path, "start"), "is missing", SCHEDULE_HINT)
        number = Kind(base=float)
        start: float = self.scalar(number, info, (*path, "start"), values["start"])
        end = values.get("end")
        if name == "constant":
            if end is not None and self.scalar(number, info, (*path, "end"), end) != start:
                raise self.error(
                    (*path, "end"), "differs from start, but the schedule is constant",
                    "leave it out, or write schedule: linear",
                )  # fmt: skip
            return start
        if end is None:
            raise self.error((*path, "end"), "is missing", SCHEDULE_HINT)
        if info.above is not None:
            info = dataclasses.replace(info, above=None, low=info.above)
        return Schedule(
            schedule=name,
            start=start,
            end=self.scalar(number, info, (*path, "end"), end),
            until=until,
        )

    def wrapper(self, path: tuple[str, ...], value: Any) -> WrapperConfig:
        """A wrapper: its import path alone, or a mapping of `path` and `kwargs`."""
        made: WrapperConfig = self.block(
            WrapperConfig, path, {"path": value} if isinstance(value, str) else value
        )
        if not _IMPORT_PATH.fullmatch(made.path):
            raise self.error(
                path, f"is {made.path!r}, which is no import path", "write package.module:Class"
            )
        return made

    def free_mapping(self, path: tuple[str, ...], value: Any) -> dict[str, Any]:
        """Keyword arguments: names of any kind, values that JSON can hold."""
        if not isinstance(value, Mapping):
            raise self.error(
                path, f"is {shown(value)}, but must be a mapping", "write {key: value}"
            )
        if path == ("environment", "evaluation"):
            return self.evaluation_overrides(path, value)
        plain: dict[str, Any] = self._plain(path, value)
        return plain

    def evaluation_overrides(
        self, path: tuple[str, ...], values: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Settings of the environment block, converted as there."""
        known = {k: s for k, s in settings_of(EnvironmentConfig).items() if k != "evaluation"}
        self.check_names(path, values, list(known), "environment.evaluation")
        return {key: self.value(known[key], (*path, key), item) for key, item in values.items()}

    def _plain(self, path: tuple[str, ...], value: Any) -> Any:
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, str):
            return join_surrogates(value)
        if isinstance(value, float):
            if math.isfinite(value):
                return float(value)
            raise self.error(path, f"is {value}, which JSON cannot hold", "leave it out")
        if isinstance(value, list | tuple):
            return [self._plain((*path[:-1], f"{path[-1]}[{i}]"), v) for i, v in enumerate(value)]
        if isinstance(value, Mapping):
            for key in value:
                if not isinstance(key, str) or len(key) > _LONGEST_KEY:
                    raise self.error(path, f"has the key {key!r:.60}, which is no short text")
            return {key: self._plain((*path, key), item) for key, item in value.items()}
        raise self.error(path, f"is a {type(value).__name__}, which a file cannot hold")

    def _check_text(self, info: SettingInfo, path: tuple[str, ...], value: str) -> None:
        if info.choices and value not in info.choices:
            hint = suggestion(value, info.choices)
            raise self.error(path, f"is {value!r}, but must be {info.range_text()}", hint)
        if not value.strip():
            raise self.error(path, "is empty", "give a value or leave it out")

    def _source_of_relation(self, path: tuple[str, ...], message: str) -> str:
        """The last source that set one of the fields that a message about a relation names."""
        words = set(re.findall(r"\w+", message))
        said = [source for known, source in self.layers.sources.items()
                if known[:-1] == path and known[-1] in words]  # fmt: skip
        return said[-1] if said else self.layers.source_of((*path, ""))  # "": nothing within


def in_range(value: float, info: SettingInfo) -> bool:
    """Whether a number lies within the bounds of its setting."""
    return (
        (info.low is None or value >= info.low)
        and (info.high is None or value <= info.high)
        and (info.above is None or value > info.above)
        and (info.below is None or value < info.below)
    )


def _converted(base: type, value: Any) -> Any:
    """The value as its declared type, or None if it is of another one."""
    if base is bool or isinstance(value, bool):
        return value if base is bool and isinstance(value, bool) else None
    if base is str:
        return join_surrogates(value) if isinstance(value, str) else None
    if not isinstance(value, int | float) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        return None
    if base is int:
        return int(value) if value == int(value) else None
    try:
        return float(value)
    except OverflowError:
        return None
