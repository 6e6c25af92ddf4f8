"""Other descriptions than a run's own, judged by the same validator; and changed configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from axiomrl.config.dump import config_to_mapping
from axiomrl.config.layers import Layers, layered
from axiomrl.config.resolve import Validator, resolve_layers
from axiomrl.config.schema import TrainConfig
from axiomrl.config.wording import suggestion

T = TypeVar("T")


def block_from_layers(kind: type[T], layers: Layers, path: tuple[str, ...]) -> T:
    """An instance of a configuration class from the values that stand at a path.

    Raises ConfigError as for a run's configuration; names are suggested from this block alone.
    """
    value: Any = layers.values
    for key in path:
        value = value[key]
    made: T = _BlockValidator(layers).block(kind, path, value)
    return made


def config_with(
    config: TrainConfig, changes: Mapping[str, Any], *, source: str = "changes"
) -> TrainConfig:
    """The configuration with some settings changed, by dotted name.

    Raises ConfigError, beginning with `source`, for a name that is no setting, a value that its
    field does not take, and (as RelationError) values that do not go together.
    """
    layers = Layers(config_to_mapping(config), source)
    for name, value in changes.items():
        layers.put(tuple(name.split(".")), value, source)
    return resolve_layers(layers)


def config_from_layers(
    values: Mapping[str, Any], *, source: str, overrides: Sequence[str] = ()
) -> TrainConfig:
    """The configuration that a mapping holds, with `key.path=value` texts on top."""
    return resolve_layers(layered(values, source=source, overrides=overrides))


class _BlockValidator(Validator):
    def nearest(self, key: str, path: tuple[str, ...], known: list[str]) -> str | None:
        """The nearest name of the block, else all of them."""
        return suggestion(key, known) or f"settings here: {', '.join(known)}"
