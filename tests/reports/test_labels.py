"""What groups are called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from axiomrl.reports.grouping import Group, group_runs
from axiomrl.reports.labels import labels
from axiomrl.reports.lookup import Lookup
from axiomrl.runs.record import RunRecord

from .records import record_in


class Runs:
    """Runs of one algorithm and environment in a folder, each with a hash of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records: list[RunRecord] = []

    def add(self, config: dict[str, Any] | str | None, **metadata: Any) -> None:
        number = len(self.records)
        values = {"algo": "ppo", "env_id": "E-v0", "seed": 0, "config_hash": f"{number:08x}cdef"}
        record = record_in(self.folder / str(number), config=config, **{**values, **metadata})
        self.records.append(record)

    def groups(self, by: str = "config") -> list[Group]:
        return group_runs(self.records, by=by)

    def labels(self, **options: int) -> list[str]:
        return labels(self.groups(), Lookup(), **options)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def hyperparameters(**values: Any) -> dict[str, Any]:
    return {"seed": len(values), "total_timesteps": 100, "hyperparameters": values}


def test_group_that_is_alone_with_its_algorithm_and_environment_is_called_so(runs: Runs) -> None:
    runs.add(None)
    runs.add(None, algo="dqn")
    runs.add(None, env_id="F-v0")
    assert [group.label for group in runs.groups()] == ["dqn E-v0", "ppo E-v0", "ppo F-v0"]
    assert runs.labels() == ["dqn E-v0", "ppo E-v0", "ppo F-v0"]


def test_fractions_have_as_many_digits_as_tell_them_apart(runs: Runs) -> None:
    for learning_rate in (0.0013000000000000002, 0.00034712839, 0.000347191, 3e-5, 1234567.5):
        runs.add(hyperparameters(learning_rate=learning_rate, gamma=0.9875))
    found = [label.removeprefix("ppo E-v0 learning_rate=") for label in runs.labels()]
    assert found == ["0.0013", "0.0003471", "0.0003472", "3e-05", "1234567.5"]


def test_short_labels_have_as_many_digits_as_tell_hashes_apart(runs: Runs) -> None:
    for digits in ("11111111aaaa", "11111111bbbb", "22222222aaaa", None):
        runs.add(None, config_hash=digits)
    assert sorted(group.label for group in runs.groups()) == [
        "ppo E-v0 11111111aaaa",
        "ppo E-v0 11111111bbbb",
        "ppo E-v0 22222222",
        "ppo E-v0 without configuration",
    ]


def test_configurations_are_told_apart_by_the_settings_in_which_they_differ(runs: Runs) -> None:
    runs.add(hyperparameters(gamma=0.99, learning_rate=1e-3))
    runs.add(hyperparameters(gamma=0.9, learning_rate=1e-3))
    runs.add({**hyperparameters(gamma=0.99, learning_rate=1e-3), "note": "x", "output_dir": "y"})
    assert runs.labels() == [
        "ppo E-v0 gamma=0.99",
        "ppo E-v0 gamma=0.9",
        "ppo E-v0 gamma=0.99 note=x",
    ]


def test_settings_that_end_alike_keep_their_blocks(runs: Runs) -> None:
    runs.add({"evaluation": {"every": 1}, "other": {"every": 2}})
    runs.add({"evaluation": {"every": 3}, "other": {"every": 4}})
    assert runs.labels() == [
        "ppo E-v0 evaluation.every=1 other.every=2",
        "ppo E-v0 evaluation.every=3 other.every=4",
    ]


@pytest.mark.parametrize(
    "configs",
    [
        pytest.param([hyperparameters(a=1), None], id="one has no configuration"),
        pytest.param([hyperparameters(a=1), "{ broken"], id="one is damaged"),
        pytest.param([hyperparameters(a=1), hyperparameters(a=1)], id="they do not differ"),
        pytest.param(
            [hyperparameters(a=1, b=1, c=1, d=1), hyperparameters(a=2, b=2, c=2, d=2)],
            id="they differ in too much",
        ),
        pytest.param([{"wrappers": ["x" * 80]}, {"wrappers": ["y" * 80]}], id="it is too long"),
    ],
)
def test_hash_stands_where_settings_cannot_tell_configurations_apart(
    runs: Runs, configs: list[dict[str, Any] | str | None]
) -> None:
    for config in configs:
        runs.add(config)
    assert runs.labels() == ["ppo E-v0 00000000", "ppo E-v0 00000001"]


def test_only_those_that_are_still_alike_fall_back_to_the_hash(runs: Runs) -> None:
    for gamma in (0.9, 0.9, 0.8):
        runs.add(hyperparameters(gamma=gamma))
    assert runs.labels() == ["ppo E-v0 00000000", "ppo E-v0 00000001", "ppo E-v0 gamma=0.8"]


def test_many_groups_are_told_apart_without_reading_their_configurations(runs: Runs) -> None:
    for gamma in range(4):
        runs.add(hyperparameters(gamma=gamma))
    for record in runs.records:
        (record.directory / "config.yaml").write_text("{ broken")
    assert runs.labels(most=3) == [f"ppo E-v0 0000000{n}" for n in range(4)]
    assert all(record.problems == [] for record in runs.records)
    for gamma, record in enumerate(runs.records):
        (record.directory / "config.yaml").write_text(json.dumps(hyperparameters(gamma=gamma)))
    assert runs.labels(most=4) == [f"ppo E-v0 gamma={n}" for n in range(4)]


def test_group_is_called_by_its_preset_if_no_other_has_it(runs: Runs) -> None:
    runs.add(hyperparameters(gamma=1), benchmark={"preset_name": "one"})
    runs.add(hyperparameters(gamma=2), benchmark={"preset_name": "two"})
    runs.add(hyperparameters(gamma=3), benchmark={"preset_name": "two"})
    runs.add(hyperparameters(gamma=4), benchmark={"preset_name": ["odd"]})
    assert runs.labels() == ["one", *(f"ppo E-v0 gamma={n}" for n in (2, 3, 4))]


def test_group_whose_runs_name_different_presets_is_not_called_by_one(runs: Runs) -> None:
    for seed, preset in enumerate(["one", "two"]):
        runs.add(None, seed=seed, config_hash="0" * 16, benchmark={"preset_name": preset})
    assert runs.labels() == ["ppo E-v0"]


@pytest.mark.parametrize("by", ["algo-env", "preset", "seed", "hyperparameters.gamma"])
def test_other_groupings_are_called_by_what_they_are_formed_by(runs: Runs, by: str) -> None:
    for gamma in range(3):
        runs.add(hyperparameters(gamma=gamma), seed=gamma, benchmark={"preset_name": f"p{gamma}"})
    groups = runs.groups(by)
    assert labels(groups, Lookup()) == [group.label for group in groups]


def test_settings_named_alike_for_values_of_two_kinds_are_still_told_apart(runs: Runs) -> None:
    runs.add(hyperparameters(gamma=1))
    runs.add(hyperparameters(gamma="1"))
    assert len(set(runs.labels())) == 2
