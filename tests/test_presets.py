"""The shipped presets: each one loads, fits its environment and trains."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from axiomrl.config import load_config
from axiomrl.config.schema import TrainConfig
from axiomrl.training.session import start

CONFIGS = Path(__file__).parent.parent / "configs"
PRESETS = sorted(CONFIGS.glob("*/*.yaml"))
EXPECTED_PPO = {
    "acrobot",
    "bipedalwalker",
    "cartpole",
    "halfcheetah",
    "hopper",
    "lunarlander",
    "mountaincar-continuous",
    "pendulum",
}


def preset_id(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def shortened(config: TrainConfig, folder: Path) -> TrainConfig:
    """The preset with two small updates, and nothing else changed that could break it."""
    settings = config.hyperparameters
    steps = min(settings.n_steps, -(-200 // config.num_envs))
    return replace(
        config,
        total_timesteps=2 * steps * config.num_envs,
        output_dir=str(folder),
        hyperparameters=replace(settings, n_steps=steps, n_epochs=2),
        evaluation=replace(config.evaluation, every=0),
    )


def test_every_promised_ppo_preset_is_there() -> None:
    assert {path.stem for path in PRESETS if path.parent.name == "ppo"} >= EXPECTED_PPO


@pytest.mark.parametrize("path", PRESETS, ids=preset_id)
def test_preset_loads_and_names_itself(path: Path) -> None:
    config = load_config(path)
    assert config.algo == path.parent.name
    assert config.benchmark.preset_name == preset_id(path)
    assert config.evaluation.every > 0


@pytest.mark.filterwarnings("ignore:hyperparameters.batch_size:UserWarning")
@pytest.mark.parametrize("path", PRESETS, ids=preset_id)
def test_preset_trains_a_few_hundred_steps(path: Path, tmp_path: Path) -> None:
    config = shortened(load_config(path), tmp_path)
    finished = start(config)
    metadata = json.loads((finished.directory / "metadata.json").read_text())
    assert metadata["status"] == "completed"
    assert metadata["progress"]["env_steps"] >= config.total_timesteps
    assert metadata["progress"]["gradient_steps"] > 0
    assert metadata["latest_metrics"]["train_value_loss"] is not None
