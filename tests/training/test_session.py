"""What `resume` and `score` refuse because of the configuration they read back."""

import json
from pathlib import Path

import pytest

from axiomrl.config import config_from_mapping
from axiomrl.errors import InputError
from axiomrl.runs.record import RunRecord
from axiomrl.training.session import resume, score, start


def a_run(folder: Path) -> Path:
    config = config_from_mapping(
        {
            "algo": "ppo",
            "env_id": "CartPole-v1",
            "total_timesteps": 64,
            "output_dir": str(folder),
            "hyperparameters": {"n_steps": 32, "n_epochs": 1, "batch_size": 32},
            "evaluation": {"every": 0},
        }
    )
    return start(config).directory


def rewrite(path: Path, change: dict[str, object]) -> None:
    values = json.loads(path.read_text())
    values.update(change)
    path.write_text(json.dumps(values))


def test_a_configuration_changed_since_the_start_is_refused(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    rewrite(run / "config.yaml", {"num_envs": 2})
    with pytest.raises(InputError, match="has been changed since the run was started"):
        resume(RunRecord.read(run), total_timesteps=128)


def test_a_masked_secret_is_refused_and_works_once_written_back(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    environment = json.loads((run / "config.yaml").read_text())["environment"]
    rewrite(run / "config.yaml", {"environment": {**environment, "kwargs": {"api_token": "***"}}})
    with pytest.raises(InputError, match="masked secret"):
        score(RunRecord.read(run), checkpoint="final", episodes=1)
    rewrite(run / "config.yaml", {"environment": environment})
    assert len(score(RunRecord.read(run), checkpoint="final", episodes=1).returns) == 1


def test_device_and_threads_are_no_change(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    finished = resume(RunRecord.read(run), total_timesteps=128, device="cpu", threads=2)
    assert finished.env_steps == 128
    assert finished.directory != run


def test_warm_up_that_never_ends_is_a_warning(tmp_path: Path) -> None:
    config = config_from_mapping(
        {
            "algo": "dqn",
            "env_id": "CartPole-v1",
            "total_timesteps": 40,
            "output_dir": str(tmp_path),
            "hyperparameters": {"learning_starts": 40, "buffer_size": 100},
            "evaluation": {"every": 0},
        }
    )
    with pytest.warns(UserWarning, match="nothing will be learned"):
        finished = start(config)
    metadata = json.loads((finished.directory / "metadata.json").read_text())
    assert metadata["progress"]["gradient_steps"] == 0
