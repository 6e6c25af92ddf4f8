"""Runs against their suites, and suites as tables and command lines."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from axiomrl.cli.app import command_line
from axiomrl.config import TrainConfig, load_config
from axiomrl.config.locations import presets_folder
from axiomrl.errors import InputError
from axiomrl.reports.manifest import align, preset_table, train_commands
from axiomrl.reports.renderers import render
from axiomrl.runs.creation import Parent
from axiomrl.runs.record import RunRecord
from axiomrl.runs.run import Run
from axiomrl.suites import Manifest, load_manifest, recorded_fingerprint, shipped_manifests

SUITES = shipped_manifests()
ANCHORS = {"type": "reference", "random_score": 22.2, "human_score": 500.0}


@pytest.fixture
def cartpole(tmp_path: Path) -> TrainConfig:
    """The shipped preset ppo-cartpole; its runs go to tmp_path/runs."""
    folder = presets_folder()
    assert folder is not None
    config = load_config(folder / "ppo" / "cartpole.yaml")
    return replace(config, output_dir=str(tmp_path / "runs"))


def recorded(config: TrainConfig, **options: Any) -> RunRecord:
    """A finished run of a configuration, as it is read."""
    with Run.create(config, **options) as run:
        pass
    return RunRecord.read(run.directory)


def changed(record: RunRecord, **benchmark: Any) -> RunRecord:
    """The run with other entries in its benchmark block; None leaves one out."""
    block = {**record.metadata["benchmark"], **benchmark}
    record.metadata["benchmark"] = {key: v for key, v in block.items() if v is not None}
    return record


MakeSuite = Callable[..., Manifest]


@pytest.fixture
def make_suite(tmp_path: Path) -> MakeSuite:
    """`make_suite(**values)`: a manifest of ppo-cartpole alone, in tmp_path."""

    def make(**values: Any) -> Manifest:
        path = tmp_path / "my suite.yaml"
        content = {
            "schema_version": 1,
            "suite": "classic-control",
            "protocol": {"name": "deterministic-10-episodes", "episodes": 10},
            "presets": [{"name": "ppo-cartpole", "config": "ppo/cartpole.yaml"}],
        }
        path.write_text(yaml.safe_dump({**content, **values}), encoding="utf-8")
        return load_manifest(path)

    return make


def test_run_of_a_preset_is_aligned(cartpole: TrainConfig) -> None:
    for config in (cartpole, replace(cartpole, seed=3, device="cpu", tags=("again",))):
        found = align(recorded(config), SUITES)
        assert (found.state, found.reasons) == ("aligned", ())
        assert (found.suite, found.preset) == ("classic-control", "ppo-cartpole")


def test_run_records_the_fingerprint_of_its_preset(cartpole: TrainConfig) -> None:
    block = recorded(cartpole).metadata["benchmark"]
    assert block["suite"] == "classic-control"
    assert block["manifest_fingerprint"] == recorded_fingerprint(cartpole.benchmark)


def test_manifest_that_cannot_be_used_stops_a_run_before_it_is_made(
    cartpole: TrainConfig, tmp_path: Path
) -> None:
    block = replace(cartpole.benchmark, manifest=str(tmp_path / "none.yaml"))
    with pytest.raises(InputError, match=r"none\.yaml: no such file"):
        Run.create(replace(cartpole, benchmark=block))
    assert list(tmp_path.iterdir()) == []


def test_run_of_a_writer_that_records_no_fingerprint_is_judged_by_its_config_hash(
    cartpole: TrainConfig,
) -> None:
    assert align(changed(recorded(cartpole), manifest_fingerprint=None), SUITES).state == "aligned"


@pytest.mark.parametrize("block", [None, {}, {"suite": None}, {"suite": 3}])
def test_run_that_names_no_suite_is_unlisted(cartpole: TrainConfig, block: Any) -> None:
    record = recorded(cartpole)
    record.metadata["benchmark"] = block
    found = align(record, SUITES)
    assert (found.state, found.reasons) == ("unlisted", ("names no suite",))


def test_run_of_a_suite_without_manifest_is_unlisted(cartpole: TrainConfig) -> None:
    found = align(changed(recorded(cartpole), suite="clasic-control"), SUITES)
    assert found.state == "unlisted"
    assert found.reasons == (
        "there is no manifest of the suite clasic-control; did you mean: classic-control",
    )
    assert align(recorded(cartpole), []).state == "unlisted"


@pytest.mark.parametrize(
    ("benchmark", "reason"),
    [
        ({"preset_name": "ppo-cartpol"}, "unknown preset ppo-cartpol; did you mean: ppo-cartpole"),
        ({"preset_name": None}, "names no preset"),
        ({"preset_name": ["ppo"]}, "names no preset"),
        ({"preset_name": "ppo-acrobot"}, "other settings than the preset (config_hash "),
        ({"protocol_name": "best-of-3"}, "has the protocol best-of-3, the suite deterministic-10"),
        ({"manifest_fingerprint": "0" * 16}, "another version of the manifest (0000000000000000"),
        ({"score_normalization": {**ANCHORS, "human_score": 400}}, "by anchors of its own"),
        ({"score_normalization": {}}, "by anchors of its own"),
    ],
)
def test_run_that_is_not_what_its_suite_describes_has_drifted(
    cartpole: TrainConfig, benchmark: dict[str, Any], reason: str
) -> None:
    found = align(changed(recorded(cartpole), **benchmark), SUITES)
    assert found.state == "drifted"
    assert any(reason in each for each in found.reasons)


def test_run_with_another_setting_has_drifted(cartpole: TrainConfig) -> None:
    found = align(recorded(replace(cartpole, total_timesteps=99)), SUITES)
    (reason,) = found.reasons
    assert reason.startswith("has other settings than the preset")


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"config_hash": None}, "records no config_hash"),
        ({"config_hash_scheme": 99}, "has a config_hash made by other rules (scheme 99)"),
    ],
)
def test_run_whose_settings_cannot_be_compared_has_drifted(
    cartpole: TrainConfig, metadata: dict[str, Any], reason: str
) -> None:
    record = recorded(cartpole)
    record.metadata.update(metadata)
    assert align(record, SUITES).reasons == (reason,)


def test_run_that_continues_another_has_drifted_and_records_no_fingerprint(
    cartpole: TrainConfig,
) -> None:
    parent = Parent(path="step_1.pt", step=1, config_hash="0" * 16)
    record = recorded(cartpole, parent=parent)
    assert "manifest_fingerprint" not in record.metadata["benchmark"]
    assert align(record, SUITES).reasons == ("continues another run",)


def test_anchors_equal_to_those_of_the_suite_are_no_drift(
    cartpole: TrainConfig, make_suite: MakeSuite
) -> None:
    record = changed(recorded(cartpole), score_normalization=ANCHORS)
    assert align(record, SUITES).state == "aligned"
    anchors = {"CartPole-v1": {"random_score": 0, "human_score": 500}}
    suite = make_suite(normalization=anchors)
    changed(record, manifest_fingerprint=None)
    assert align(record, [suite]).reasons == ("normalises scores by anchors of its own",)
    changed(record, score_normalization=anchors["CartPole-v1"])
    assert align(record, [suite]).state == "aligned"


def test_changed_manifest_makes_earlier_runs_drift(
    cartpole: TrainConfig, make_suite: MakeSuite
) -> None:
    suite = make_suite()
    block = replace(cartpole.benchmark, manifest=str(suite.path))
    record = recorded(replace(cartpole, benchmark=block))
    assert align(record, [suite]).state == "aligned"
    later = make_suite(normalization={"CartPole-v1": {"random_score": 0, "human_score": 500}})
    (reason,) = align(record, [later]).reasons
    assert reason.startswith("was made by another version of the manifest")


def test_table_has_one_row_per_preset() -> None:
    rows = preset_table(SUITES).records()
    assert len(rows) == sum(len(manifest.presets) for manifest in SUITES)
    (row,) = [row for row in rows if row["preset"] == "ppo-cartpole"]
    folder = presets_folder()
    assert folder is not None
    config = load_config(folder / "ppo" / "cartpole.yaml")
    assert (row["suite"], row["algo"], row["env_id"]) == ("classic-control", "ppo", "CartPole-v1")
    assert row["env_steps"] == config.total_timesteps
    assert row["protocol"] == "deterministic-10-episodes"


def test_table_of_the_shipped_suites_fits_80_columns() -> None:
    text = render(preset_table(SUITES), "text", width=80)
    assert max(map(len, text.splitlines())) <= 80
    rows = json.loads(render(preset_table(SUITES), "json"))["rows"]
    assert all(len(row["config_hash"]) == 16 for row in rows)


def test_commands_train_each_preset_on_the_seeds_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = presets_folder()
    assert folder is not None
    monkeypatch.chdir(folder.parent)
    commands = train_commands(SUITES)
    assert len(commands) == len(preset_table(SUITES).rows)
    assert "axiomrl train --config configs/ppo/cartpole.yaml --seeds 0,1,2,3,4" in commands
    (one,) = {command.rpartition(" --")[2] for command in train_commands(SUITES, [7])}
    assert one == "seed 7"


def test_commands_find_the_presets_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = presets_folder()
    words = shlex.split(train_commands(SUITES)[0])
    assert words[3] == f"{folder}/dqn/lunarlander.yaml"
    (tmp_path / "configs").symlink_to(str(folder))
    words = shlex.split(train_commands(SUITES)[0])
    assert words[3] == "configs/dqn/lunarlander.yaml"


def test_commands_of_an_own_suite_make_runs_that_are_aligned(
    tmp_path: Path, make_suite: MakeSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    presets = [{"name": "123", "config": "ppo/cartpole.yaml"}]  # would be read as a number
    suite = make_suite(suite="my 'own' suite", presets=presets)
    monkeypatch.chdir(tmp_path)
    (command,) = train_commands([suite], [])
    program, name, *words = shlex.split(command)
    assert (program, name) == ("axiomrl", "train")
    assert "--seed" not in command
    assert "benchmark.manifest=my suite.yaml" in words
    context: Any = typer_command(name).make_context(name, words)
    config = load_config(context.params["config"], overrides=context.params["settings"])
    assert config.benchmark.preset_name == "123"
    record = recorded(replace(config, output_dir=str(tmp_path / "runs")))
    assert record.metadata["benchmark"]["manifest_fingerprint"]
    assert align(record, [suite]).state == "aligned"


def typer_command(name: str) -> Any:
    group: Any = command_line()
    return group.commands[name]
