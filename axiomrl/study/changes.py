"""What was changed in a configuration since a study was planned with it, and going on with that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from axiomrl import fingerprint
from axiomrl.config import config_from_mapping, config_to_mapping
from axiomrl.config.dump import json_text
from axiomrl.config.fields import settings_of
from axiomrl.config.schema import TrainConfig
from axiomrl.config.secrets import mask_mapping
from axiomrl.errors import InputError
from axiomrl.study.plan import STATE, Plan, draw_seeds, planned_runs


def differences(plan: Plan, config: TrainConfig) -> list[str]:
    """What a configuration says otherwise than the one a study was planned with.

    Lines of a diff: `- setting: value`, `+ setting: value`. What counts is what may change
    results, the final test, and which runs there are; settings that say where and how a run is
    computed may differ.
    """
    lines = []
    before, after = _counted(config_from_mapping(plan.config)), _counted(config)
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            lines += [f"- {name}: {json_text(before[name])}"] if name in before else []
            lines += [f"+ {name}: {json_text(after[name])}"] if name in after else []
    if not lines and fingerprint.config_hash(config) != plan.config_hash:
        lines = ["+ a secret, which is masked here, has another value"]
    runner = config.experiments_runner
    if runner.seeds and list(runner.seeds) != plan.seeds:
        lines += _pair("seeds", plan.seeds, list(runner.seeds))
    elif runner.n_runs is not None and runner.n_runs != len(plan.runs):
        lines += _pair("n_runs", len(plan.runs), runner.n_runs)
    return lines


def continued(
    plan: Plan, config: TrainConfig, folder: Path, *, allow_config_change: bool, source: str
) -> Plan:
    """The plan to go on with: as it was, or extended to what the configuration says now.

    Raises InputError, with a diff, for a changed configuration unless changes are allowed, and
    for one in which runs of the plan are missing.
    """
    lines = differences(plan, config)
    if lines and not allow_config_change:
        told = "\n".join([f"--- {folder / STATE}", f"+++ {source}", *lines])
        raise InputError(
            f"{folder}: the configuration has changed since the study was planned\n{told}",
            hint="undo that, choose another experiments_runner.output_base_dir, or go on with "
            "--allow-config-change",
        )
    return replace(
        plan,
        config=mask_mapping(config_to_mapping(config)),
        config_hash=fingerprint.config_hash(config),
        config_hash_scheme=fingerprint.SCHEME,
        runs=[*plan.runs, *planned_runs(_new_seeds(plan, config, folder), first=len(plan.runs))],
    )


def _new_seeds(plan: Plan, config: TrainConfig, folder: Path) -> list[int]:
    """The seeds that a configuration adds to those planned."""
    runner = config.experiments_runner
    if not runner.seeds:
        count = len(plan.runs) if runner.n_runs is None else runner.n_runs
        if count < len(plan.runs):
            raise InputError(
                f"{folder}: experiments_runner.n_runs is {count}, but {len(plan.runs)} runs are "
                "planned",
                hint="a study can be extended, not cut; choose another output_base_dir",
            )
        return draw_seeds(count - len(plan.runs), besides=plan.seeds)
    missing = [seed for seed in plan.seeds if seed not in runner.seeds]
    if missing:
        raise InputError(
            f"{folder}: seed {missing[0]} is planned, but experiments_runner.seeds lacks it",
            hint="a study can be extended, not cut; choose another output_base_dir",
        )
    return [seed for seed in runner.seeds if seed not in plan.seeds]


def _counted(config: TrainConfig) -> dict[str, Any]:
    """The settings that must not change, by their dotted names, secrets masked."""
    told = settings_of(TrainConfig)
    values = mask_mapping(config_to_mapping(config))
    return dict(
        _flat({name: values[name] for name in values if told[name].info.hashed or name == "test"})
    )


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _pair(name: str, before: Any, after: Any) -> list[str]:
    name = f"experiments_runner.{name}"
    return [f"- {name}: {json_text(before)}", f"+ {name}: {json_text(after)}"]
