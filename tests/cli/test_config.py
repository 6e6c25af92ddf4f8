"""`axiomrl config`: checking a configuration and explaining settings."""

from __future__ import annotations

import json
from pathlib import Path

from axiomrl.cli.config import config_as_yaml
from axiomrl.config import load_config
from axiomrl.config.yaml_files import parse_yaml

from .conftest import Command


def test_printed_yaml_is_the_same_configuration(axiomrl: Command, config_file: Path) -> None:
    outcome = axiomrl("config", "--config", config_file, "--set", "num_envs=2")
    assert (outcome.code, outcome.stderr) == (0, "")
    Path("printed.yaml").write_text(outcome.stdout)
    assert load_config("printed.yaml") == load_config(config_file, overrides=["num_envs=2"])


def test_printed_json_is_the_same_configuration(axiomrl: Command, config_file: Path) -> None:
    outcome = axiomrl("config", "--config", config_file, "--output-format", "json")
    Path("printed.yaml").write_text(outcome.stdout)
    assert json.loads(outcome.stdout)["env_id"] == "CartPole-v1"
    assert load_config("printed.yaml") == load_config(config_file)


def test_text_that_looks_like_a_number_survives_yaml() -> None:
    values = {"tags": ["3e-4", "1:30", "0o17", "yes", "null", "2024-01-01", ".5"], "x": 1e-5}
    assert parse_yaml(config_as_yaml(values), source="printed") == values


def test_every_setting_is_explained_in_80_columns(axiomrl: Command) -> None:
    outcome = axiomrl("config", "--explain", "ppo")
    assert outcome.code == 0
    lines = outcome.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    for name in ("seed", "hyperparameters.clip_range", "environment.frame_stack"):
        assert name in lines
    place = lines.index("evaluation.episodes")
    assert lines[place + 2] == "    integer, >= 1; default 10"


def test_explanation_as_json_is_versioned(axiomrl: Command) -> None:
    outcome = axiomrl("config", "--explain", "ppo", "--output-format", "json")
    content = json.loads(outcome.stdout)
    assert (content["schema_version"], content["algo"]) == (1, "ppo")
    gamma = next(s for s in content["settings"] if s["name"] == "hyperparameters.gamma")
    assert set(gamma) == {"name", "type", "default", "range", "meaning"}
    assert gamma["default"] == "0.99"
