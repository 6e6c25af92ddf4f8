from pathlib import Path

import pytest

from axiomrl.config import TrainConfig, load_config

FOLDER = Path(__file__).parents[2] / "configs"
OTHERS = {"suites", "search"}  # folders that hold no presets
PRESETS = sorted(each for each in FOLDER.glob("*/*.yaml") if each.parent.name not in OTHERS)
PPO = {
    "cartpole": ("CartPole-v1", 100_000),
    "acrobot": ("Acrobot-v1", 300_000),
    "mountaincar-continuous": ("MountainCarContinuous-v0", 50_000),
    "pendulum": ("Pendulum-v1", 100_000),
    "lunarlander": ("LunarLander-v3", 1_000_000),
    "bipedalwalker": ("BipedalWalker-v3", 5_000_000),
    "halfcheetah": ("HalfCheetah-v5", 1_000_000),
    "hopper": ("Hopper-v5", 1_000_000),
}


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_preset_is_valid_and_says_where_it_belongs(path: Path) -> None:
    config = load_config(path)
    assert config.algo == path.parent.name
    assert config.benchmark.preset_name == f"{config.algo}-{path.stem}"
    assert config.benchmark.suite in ("classic-control", "box2d", "mujoco")
    assert config.benchmark.protocol_name


@pytest.mark.parametrize("name", PPO)
def test_ppo_preset_trains_its_environment_for_its_budget(name: str) -> None:
    config = load_config(FOLDER / "ppo" / f"{name}.yaml")
    assert (config.env_id, config.total_timesteps) == PPO[name]


@pytest.mark.parametrize("path", list((FOLDER / "ppo").glob("*.yaml")), ids=lambda path: path.stem)
def test_ppo_preset_fills_its_minibatches(path: Path) -> None:
    config: TrainConfig = load_config(path)
    rollout = config.hyperparameters.n_steps * config.num_envs
    assert rollout % config.hyperparameters.batch_size == 0
