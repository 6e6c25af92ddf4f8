"""The settings of studies and of final tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from axiomrl.config import config_from_mapping, config_to_mapping, load_config
from axiomrl.errors import ConfigError
from axiomrl.fingerprint import config_hash

PLAIN = {"algo": "ppo", "env_id": "CartPole-v1", "total_timesteps": 1000}


def study(**runner: Any) -> dict[str, Any]:
    return {**PLAIN, "mode": "run-experiments", "experiments_runner": runner}


def test_a_configuration_is_one_run_without_a_test_unless_it_says_otherwise() -> None:
    config = config_from_mapping(PLAIN)
    assert config.mode == "train"
    assert not config.test.episodes
    runner = config.experiments_runner
    assert runner.output_base_dir == "outputs/experiments_runner"
    assert (runner.save_summary, runner.resume, runner.on_error) == (True, False, "continue")
    assert runner.summary_metrics == ("eval_return_mean",)


@pytest.mark.parametrize("runner", [{"seeds": [42, 101]}, {"n_runs": 2}])
def test_a_study_says_its_seeds_or_how_many_there_are(runner: dict[str, Any]) -> None:
    config = config_from_mapping(study(**runner))
    assert config_from_mapping(config_to_mapping(config)) == config
    assert config_hash(config) == config_hash(config_from_mapping(PLAIN))


def test_seeds_and_number_of_runs_may_both_be_given_if_they_agree() -> None:
    runner = config_from_mapping(study(seeds=[42, 101, 28], n_runs=3)).experiments_runner
    assert runner.seeds == (42, 101, 28)


@pytest.mark.parametrize(
    ("runner", "told"),
    [
        ({}, "experiments_runner.seeds and experiments_runner.n_runs are both missing"),
        ({"seeds": []}, "both missing"),
        ({"seeds": [1, 2], "n_runs": 3}, "experiments_runner.n_runs is 3, but seeds has 2"),
        ({"seeds": [1, 2, 1]}, "experiments_runner.seeds holds 1 twice"),
        ({"seeds": [1, 1.0]}, "experiments_runner.seeds holds 1 twice"),
        ({"seeds": [-1]}, r"experiments_runner.seeds\[0\] is -1, but must be >= 0"),
        ({"n_runs": 0}, "experiments_runner.n_runs is 0, but must be >= 1"),
        ({"seeds": 1}, "experiments_runner.seeds is 1, but must be a list"),
        ({"n_runs": 1, "on_error": "retry"}, "one of continue, stop"),
    ],
)
def test_a_study_that_cannot_be_is_refused(runner: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        config_from_mapping(study(**runner))


def test_the_source_of_a_wrong_relation_is_named(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("algo: ppo\nenv_id: CartPole-v1\ntotal_timesteps: 10\n")
    with pytest.raises(ConfigError, match=r"^--set: experiments_runner\.seeds and"):
        load_config(path, overrides=["mode=run-experiments"])


def test_episodes_of_the_test_may_be_null() -> None:
    assert config_from_mapping({**PLAIN, "test": {"episodes": None}}).test.episodes is None
    assert config_from_mapping({**PLAIN, "test": {"episodes": 5}}).test.episodes == 5
    with pytest.raises(ConfigError, match=r"test\.episodes is -1"):
        config_from_mapping({**PLAIN, "test": {"episodes": -1}})
