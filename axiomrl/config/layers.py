"""Puts file, `--set` and flags on top of one another, and remembers who said what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from axiomrl.errors import ConfigError

KeyPath = tuple[str, ...]

_SET_HINT = "write it as key.path=value, for example: --set hyperparameters.gamma=0.98"


@dataclass
class Layers:
    """Raw values, not validated yet, each with the source that gave it."""

    values: dict[str, Any]
    source: str  # of whatever no later layer has set
    sources: dict[KeyPath, str] = field(default_factory=dict)

    def put(self, path: KeyPath, value: Any, source: str) -> None:
        """Set one value, making the blocks on the way to it; a later one wins."""
        block = self.values
        for key in path[:-1]:
            inner = block.get(key)
            block[key] = dict(inner) if isinstance(inner, Mapping) else {}
            block = block[key]
        block[path[-1]] = value
        below = [known for known in self.sources if known[: len(path)] == path]
        for known in below:
            del self.sources[known]
        self.sources[path] = source

    def source_of(self, path: KeyPath) -> str:
        """Who gave the value at a path, a block around it, or something within it."""
        path = tuple(key.partition("[")[0] for key in path)  # an item belongs to its list
        for length in range(len(path), 0, -1):
            if path[:length] in self.sources:
                return self.sources[path[:length]]
        within = [said for known, said in self.sources.items() if known[: len(path)] == path]
        return within[-1] if within else self.source


def layered(
    values: Mapping[str, Any],
    *,
    source: str,
    overrides: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
) -> Layers:
    """The values of a file, then `--set`s in their order, then flags that are not None."""
    layers = Layers(dict(values), source)
    for override in overrides:
        path, value = parse_override(override)
        layers.put(path, value, "--set")
    for key, value in (flags or {}).items():
        if value is not None:
            layers.put(tuple(key.split(".")), value, "--" + key.replace("_", "-"))
    return layers


def parse_override(text: str) -> tuple[KeyPath, Any]:
    """The path and the value of one `key.path=value`; values are written as in YAML.

    Raises ConfigError if there is no `=`, a part of the path is empty, or the value is broken.
    """
    from axiomrl.config.yaml_files import parse_value

    key, equals, value = text.partition("=")
    path = tuple(part.strip() for part in key.split("."))
    if not equals:
        raise ConfigError(f"--set {text}: there is no value", hint=_SET_HINT)
    if not all(path):
        raise ConfigError(f"--set {text}: {key!r} is not a path of keys", hint=_SET_HINT)
    try:
        return path, parse_value(value, source=f"--set {key.strip()}")
    except ValueError:  # Python refuses to read thousands of digits
        raise ConfigError(f"--set {key.strip()}: the number is too long") from None
