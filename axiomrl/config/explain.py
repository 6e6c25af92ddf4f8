"""Tells what can be configured: for `config --explain` and for the reference page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from axiomrl.algorithms import ALGORITHMS, algorithm_class
from axiomrl.config.dump import json_text
from axiomrl.config.fields import Setting, settings_of
from axiomrl.config.schema import Schedule, ScoreNormalization, TrainConfig, WrapperConfig


@dataclass(frozen=True, kw_only=True)
class ExplainedSetting:
    """One setting in words."""

    name: str  # dotted, as behind `--set`
    type: str  # the values it takes
    default: str  # as written in a file; "required" if there is none
    range: str  # bounds or choices; empty if any value will do
    meaning: str


def explain(algo: str) -> list[ExplainedSetting]:
    """Every setting of a run of an algorithm, in the order of the classes that declare them.

    Raises ConfigError for an unknown algorithm.
    """
    return list(_explained(TrainConfig, "", algorithm_class(algo).config_class))


def reference_page() -> str:
    """The reference of all settings as Markdown, for `docs/reference/config.md`."""
    exempt = [
        f"`{name}`" for name, told in settings_of(TrainConfig).items() if not told.info.hashed
    ]
    sections = [
        _INTRODUCTION.replace("EXEMPT", ", ".join(exempt)),
        "## The run\n",
        _table(TrainConfig, ""),
    ]
    for name, setting in settings_of(TrainConfig).items():
        if setting.kind.is_block and setting.kind.base is not object:
            sections += [f"## `{name}`: {setting.info.help}\n", _table(setting.kind.base, name)]
    sections += [f"### Each of `environment.wrappers`\n\n{_WRAPPERS}", _table(WrapperConfig, "")]
    sections += ["### `benchmark.score_normalization`\n"]
    sections += [_table(ScoreNormalization, "benchmark.score_normalization")]
    for algo in ALGORITHMS:
        sections += [f"## `hyperparameters` of `{algo}`\n"]
        sections += [_table(algorithm_class(algo).config_class, "hyperparameters")]
    return "\n".join(sections)


def _explained(block: type, prefix: str, config_class: type) -> Iterator[ExplainedSetting]:
    for setting in settings_of(block).values():
        base = config_class if setting.kind.base is object else setting.kind.base
        is_block = setting.kind.is_block and not setting.kind.many
        if is_block:
            if setting.kind.optional:
                yield _explained_setting(setting, prefix)
            yield from _explained(base, f"{prefix}{setting.name}.", config_class)
        else:
            yield _explained_setting(setting, prefix)


def _explained_setting(setting: Setting, prefix: str) -> ExplainedSetting:
    return ExplainedSetting(
        name=prefix + setting.name,
        type=setting.kind.text(),
        default=_default_text(setting),
        range=setting.info.range_text(),
        meaning=setting.info.help,
    )


def _default_text(setting: Setting) -> str:
    if setting.required:
        return "required"
    default: Any = setting.default
    if setting.kind.is_block and not setting.kind.many and not setting.kind.optional:
        return "see below"
    if isinstance(default, Schedule):
        until = f", until: {default.until}" if default.until != 1.0 else ""
        shape = f"schedule: {default.schedule}, start: {default.start}, end: {default.end}"
        return f"{{{shape}{until}}}"
    if isinstance(default, str):
        return default
    return json_text(list(default) if isinstance(default, tuple) else default)


def _table(block: type, prefix: str) -> str:
    lines = ["| setting | type | default | range | meaning |", "|---|---|---|---|---|"]
    for setting in settings_of(block).values():
        told = _explained_setting(setting, f"{prefix}." if prefix else "")
        is_plain = told.default in ("required", "see below")
        default = told.default if is_plain else f"`{told.default}`"
        cells = [f"`{told.name}`", told.type, default, told.range, told.meaning]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


_INTRODUCTION = """# Settings

A configuration is a YAML file. `algo`, `env_id` and `total_timesteps` are required; whatever
else is left out has the default below. `axiomrl config --config FILE` checks a file and prints
it with all defaults; `axiomrl config --explain ALGO` prints this reference in the terminal.

- **On the command line** every setting can be changed with `--set key.path=value`, for example
  `--set hyperparameters.gamma=0.98` or `--set 'tags=[first, try]'`. Flags such as `--seed` win
  over `--set`, which wins over the file.
- **Scalars** are those of YAML 1.2: `3e-4` is a number, only `true` and `false` are booleans,
  dates and `1:30` are text. A key that is given twice is an error, and so is an unknown one.
- **Schedules**: where the type says *schedule*, a number may change over training, from `start`
  at the first step to `end` at the last: `{schedule: linear, start: 1e-3, end: 0}`. The
  schedules are `constant`, `linear` and `cosine`; with `until: 0.1` the end is reached after a
  tenth of the training.
- **The configuration hash** leaves out where and how a run is computed and labelled:
  EXEMPT. All other settings count.
"""

_WRAPPERS = """An entry is an import path, or a mapping of these:

```yaml
environment:
  wrappers:
    - gymnasium.wrappers:FlattenObservation
    - {path: "gymnasium.wrappers:RescaleAction", kwargs: {min_action: -1, max_action: 1}}
```
"""
