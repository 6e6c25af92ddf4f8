"""The shipped presets: each one loads, fits its environment and trains."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from axiomrl.config import load_config
from axiomrl.config.schema import TrainConfig
from axiomrl.training.session import start

CONFIGS = Path(__file__).parent.parent / "configs"
OTHERS = {"suites", "search"}  # folders that hold no presets
PRESETS = sorted(each for each in CONFIGS.glob("*/*.yaml") if each.parent.name not in OTHERS)
EXPECTED = {
    "dqn": {"acrobot", "cartpole", "lunarlander", "mountaincar"},
    "ppo": {"acrobot", "bipedalwalker", "cartpole", "halfcheetah", "hopper", "lunarlander"}
    | {"mountaincar-continuous", "pendulum"},
    "sac": {"ant", "bipedalwalker", "halfcheetah", "hopper", "lunarlander-continuous"}
    | {"mountaincar-continuous", "pendulum"},
}


def preset_id(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def shortened(config: TrainConfig, folder: Path) -> TrainConfig:
    """The preset with a few small updates, and nothing else changed that could break it."""
    settings = config.hyperparameters
    if config.algo == "ppo":
        steps = min(settings.n_steps, -(-200 // config.num_envs))
        settings = replace(settings, n_steps=steps, n_epochs=2)
        total = 2 * steps * config.num_envs
    else:
        total = 200 + max(20, 2 * settings.train_every * config.num_envs)
        settings = replace(settings, learning_starts=200, buffer_size=1000)
        if settings.gradient_steps > 2:
            settings = replace(settings, gradient_steps=2)
    return replace(
        config,
        total_timesteps=total,
        output_dir=str(folder),
        hyperparameters=settings,
        evaluation=replace(config.evaluation, every=0),
    )


@pytest.mark.parametrize("algo", sorted(EXPECTED))
def test_every_promised_preset_is_there(algo: str) -> None:
    assert {path.stem for path in PRESETS if path.parent.name == algo} >= EXPECTED[algo]


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
    loss = "train_loss" if config.algo == "dqn" else "train_value_loss"
    assert metadata["latest_metrics"][loss] is not None
