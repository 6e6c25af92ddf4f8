"""The words of configuration errors: how values are shown, and which name was meant."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from axiomrl.algorithms import ALGORITHMS, algorithm_class
from axiomrl.config.fields import Kind, settings_of
from axiomrl.config.schema import TrainConfig

SCHEDULE_HINT = "write a number, or {schedule: linear, start: 1e-3, end: 0}"
_LONGEST_SHOWN = 60


def shown(value: Any) -> str:
    """A value as its writer knows it, cut short."""
    if value is None:
        return "null"
    text = bare(value) if isinstance(value, bool | int | float) else repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def bare(value: Any) -> str:
    """A scalar as YAML writes it, without quotes."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def dotted(path: Sequence[str]) -> str:
    """A path of keys as behind `--set`."""
    return ".".join(path)


def with_article(kind: Kind) -> str:
    """The type of a field within a sentence: `an integer`, `a number or null`, `text`."""
    text = kind.text()
    if text.startswith(("true", "text")):
        return text
    return f"an {text}" if text[0] in "aeiou" else f"a {text}"


def remedy(kind: Kind, key: str, value: Any) -> str | None:
    """What to do about a value of another type than the field's, if that can be guessed."""
    if isinstance(value, float) and not math.isfinite(value):
        return "numbers must be finite"
    if isinstance(value, Mapping) and "schedule" in value:
        return f"{key} cannot follow a schedule"
    if kind.base is bool:
        return "write true or false"
    if kind.base is str and not isinstance(value, list | tuple | Mapping):
        return f'put it into quotes: "{bare(value)}"'
    if isinstance(value, str) and re.fullmatch(r"\s*[-+]?[\d.]+(e[-+]?\d+)?\s*", value):
        return "write it without quotes"
    if isinstance(value, str) and re.fullmatch(r"\d+([_,]\d+)+", value):
        return "write its digits without separators, or in groups of three: 1_000_000"
    return SCHEDULE_HINT if kind.schedulable else None


def suggestion(name: str, known: Sequence[str]) -> str | None:
    """`did you mean: …?` with the nearest of the known names; None if nothing is near."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean: {near[0]}?" if near else None


def nearest_setting(key: str, path: tuple[str, ...], known: Sequence[str], algo: Any) -> str:
    """What was probably meant by a key that is no setting of the block at `path`.

    In this order: the same name in another block, a near name here, a near name in another
    block, and failing these the names that there are.
    """
    elsewhere = _settings_elsewhere(path, algo)
    if key in elsewhere:
        block = elsewhere[key].rpartition(".")[0]
        where = f"under {block}: {elsewhere[key]}" if block else "at the top level"
        return f"{key} belongs {where}"
    if hint := suggestion(key, known):
        return hint
    near = difflib.get_close_matches(key, elsewhere, n=1, cutoff=0.7)
    return f"did you mean: {elsewhere[near[0]]}?" if near else _short_list(known)


def _settings_elsewhere(path: tuple[str, ...], algo: Any) -> dict[str, str]:
    """The dotted name of every setting outside the block at `path`, by its bare name."""
    blocks: dict[tuple[str, ...], type] = {(): TrainConfig}
    for name, setting in settings_of(TrainConfig).items():
        if dataclasses.is_dataclass(setting.kind.base):
            blocks[(name,)] = setting.kind.base
    if isinstance(algo, str) and algo in ALGORITHMS:
        blocks[("hyperparameters",)] = algorithm_class(algo).config_class
    blocks.pop(path, None)
    itself = path[-1] if path else None
    return {
        name: dotted((*prefix, name))
        for prefix, block in reversed(blocks.items())  # the outermost name wins
        for name in settings_of(block)
        if name != itself  # a block has no place in itself
    }


def _short_list(names: Sequence[str]) -> str:
    listed = ""
    for name in names:
        if len(listed) + len(name) > 80:
            return f"settings here: {listed}, …"
        listed = f"{listed}, {name}" if listed else name
    return f"settings here: {listed}"
