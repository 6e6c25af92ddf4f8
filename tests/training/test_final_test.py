"""The final test: fresh episodes, once, when training is complete."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from axiomrl.config import FinalTestConfig, TrainConfig, config_from_mapping
from axiomrl.errors import Interrupted
from axiomrl.fingerprint import config_hash
from axiomrl.metrics import METRICS
from axiomrl.runs.record import RunRecord
from axiomrl.training.evaluation import Evaluator
from axiomrl.training.seeding import Stream
from axiomrl.training.session import resume, score, start

NAMES = {"test_return_mean", "test_return_std", "test_length_mean", "test_episodes"}


def make_config(folder: Path, *, episodes: int | None = 6, **changes: Any) -> TrainConfig:
    values: dict[str, Any] = {
        "algo": "ppo",
        "env_id": "CartPole-v1",
        "total_timesteps": 128,
        "output_dir": str(folder),
        "hyperparameters": {"n_steps": 64, "batch_size": 32, "n_epochs": 1, "hidden_sizes": [8]},
        "environment": {"normalize_observation": True},
        "evaluation": {"every": 64, "episodes": 2},
        "logging": {"tensorboard": False},
        "test": {"episodes": episodes},
    }
    return config_from_mapping({**values, **changes})


def rows_of(directory: Path) -> list[dict[str, Any]]:
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    return [
        {name: value for name, value in json.loads(line).items() if name[:5] != "time_"}
        for line in lines
    ]


def final_scores(directory: Path) -> dict[str, Any]:
    latest = RunRecord.read(directory).metadata["latest_metrics"]
    return {name: value for name, value in latest.items() if name.startswith("test_")}


def test_final_test_scores_the_last_checkpoint_on_episodes_of_its_own(tmp_path: Path) -> None:
    directory = start(make_config(tmp_path)).directory
    scores = score(RunRecord.read(directory), checkpoint="final", episodes=6)
    assert final_scores(directory) == {
        "test_return_mean": scores.return_mean,
        "test_return_std": scores.return_std,
        "test_length_mean": scores.length_mean,
        "test_episodes": 6,
    }
    assert rows_of(directory)[-1] == {"step": 128, **final_scores(directory)}
    assert set(METRICS) >= NAMES


@pytest.mark.parametrize("episodes", [None, 0])
def test_without_a_test_there_is_nothing_of_it(tmp_path: Path, episodes: int | None) -> None:
    directory = start(make_config(tmp_path, episodes=episodes)).directory
    assert final_scores(directory) == {}
    assert len(rows_of(directory)) == 3


def test_a_test_changes_neither_the_hash_nor_what_is_learned(tmp_path: Path) -> None:
    plain, with_test = make_config(tmp_path, episodes=None), make_config(tmp_path)
    assert config_hash(plain) == config_hash(with_test)
    assert rows_of(start(plain).directory) == rows_of(start(with_test).directory)[:-1]


def test_episodes_of_the_test_are_met_neither_in_training_nor_in_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams: list[Stream] = []
    begin = Evaluator._begin

    def noted(self: Evaluator, *arguments: int) -> object:
        streams.append(self._stream)
        return begin(self, *arguments)

    monkeypatch.setattr(Evaluator, "_begin", noted)
    start(make_config(tmp_path))
    assert streams == [Stream.EVALUATION] * 6 + [Stream.SCORING] * 6


def test_a_run_stopped_in_its_test_is_tested_when_it_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = start(make_config(tmp_path / "whole")).directory
    begin = Evaluator._begin

    def stopping(self: Evaluator, row: int, index: int, episode: int) -> object:
        if self._stream is Stream.SCORING and episode == 3:
            signal.raise_signal(signal.SIGINT)
        return begin(self, row, index, episode)

    with monkeypatch.context() as patch:
        patch.setattr(Evaluator, "_begin", stopping)
        with pytest.raises(Interrupted, match="final test") as caught:
            start(make_config(tmp_path / "stopped"))
    assert caught.value.exit_code == 130
    (directory,) = (tmp_path / "stopped").iterdir()
    record = RunRecord.read(directory)
    assert (record.status, final_scores(directory)) == ("interrupted", {})
    resume(record)
    assert RunRecord.read(directory).status == "completed"
    assert final_scores(directory) == final_scores(whole)
    assert rows_of(directory) == rows_of(whole)


def test_a_run_stopped_in_training_is_tested_at_its_end(tmp_path: Path) -> None:
    whole = start(make_config(tmp_path / "whole")).directory

    def stop(progress: Any) -> None:
        if progress.env_steps == 64:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted):
        start(make_config(tmp_path / "stopped"), on_progress=stop)
    (directory,) = (tmp_path / "stopped").iterdir()
    resume(RunRecord.read(directory))
    assert rows_of(directory) == rows_of(whole)


def test_a_test_is_not_repeated(tmp_path: Path) -> None:
    directory = start(make_config(tmp_path)).directory
    before = (directory / "metadata.json").read_bytes()
    resume(RunRecord.read(directory))
    assert (directory / "metadata.json").read_bytes() == before


def test_a_finished_run_whose_configuration_is_given_a_test_is_tested(tmp_path: Path) -> None:
    config = make_config(tmp_path, episodes=None)
    directory = start(config).directory
    expected = final_scores(start(replace(config, test=FinalTestConfig(episodes=6))).directory)
    path = directory / "config.yaml"
    path.write_text(path.read_text().replace('"episodes": null', '"episodes": 6'))
    resume(RunRecord.read(directory))
    assert final_scores(directory) == expected
    assert RunRecord.read(directory).status == "completed"
