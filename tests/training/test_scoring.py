"""Scoring a saved policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from axiomrl.config import config_from_mapping
from axiomrl.errors import CheckpointError, InputError
from axiomrl.runs.record import RunRecord
from axiomrl.training.session import score, start


def config_values(folder: Path) -> dict[str, Any]:
    """A batch that only the rollouts of all environments together can fill."""
    return {
        "algo": "ppo",
        "env_id": "CartPole-v1",
        "num_envs": 4,
        "total_timesteps": 256,
        "output_dir": str(folder),
        "hyperparameters": {"n_steps": 16, "batch_size": 64, "n_epochs": 2},
        "environment": {"normalize_observation": True},
        "evaluation": {"every": 128, "episodes": 2},
        "logging": {"tensorboard": False},
    }


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    config = config_from_mapping(config_values(tmp_path_factory.mktemp("runs")))
    return RunRecord.read(start(config).directory)


def test_scores_are_the_same_every_time_and_warn_of_nothing(record: RunRecord) -> None:
    first, again = (score(record, episodes=5) for _ in range(2))
    assert first.returns == again.returns
    assert first.lengths == [int(value) for value in first.returns]
    assert len(first.returns) == 5
    assert first.return_mean == pytest.approx(sum(first.returns) / 5)
    assert first.seed == 0


def test_more_episodes_begin_with_the_same_ones(record: RunRecord) -> None:
    assert score(record, episodes=9).returns[:4] == score(record, episodes=4).returns


def test_another_seed_plays_other_episodes(record: RunRecord) -> None:
    assert score(record, episodes=8, seed=1).returns != score(record, episodes=8).returns
    assert score(record, episodes=8, seed=1).seed == 1


def test_a_policy_may_be_scored_as_it_explores(record: RunRecord) -> None:
    sampled = score(record, episodes=8, deterministic=False)
    assert sampled.returns == score(record, episodes=8, deterministic=False).returns
    assert sampled.returns != score(record, episodes=8).returns


def test_checkpoints_are_named_by_best_final_or_step(record: RunRecord) -> None:
    assert score(record, episodes=1).checkpoint == record.best_checkpoint
    final = record.checkpoints()[-1]
    assert score(record, checkpoint="final", episodes=1).checkpoint == final
    assert final.name == "step_256.pt"
    assert score(record, checkpoint="step_0", episodes=1).checkpoint.name == "step_0.pt"
    assert score(record, checkpoint=final, episodes=1).checkpoint == final


def test_a_checkpoint_that_is_not_there_lists_those_that_are(record: RunRecord) -> None:
    with pytest.raises(CheckpointError, match=r"(?s)step_7.*there are: .*step_256"):
        score(record, checkpoint="step_7", episodes=1)


@pytest.mark.parametrize("episodes", [0, -1])
def test_an_impossible_number_of_episodes_is_refused(episodes: int, record: RunRecord) -> None:
    with pytest.raises(InputError, match="at least 1"):
        score(record, episodes=episodes)


def test_without_a_best_checkpoint_the_newest_is_scored_and_the_note_says_so(
    tmp_path: Path,
) -> None:
    config = config_from_mapping({**config_values(tmp_path), "evaluation": {"every": 0}})
    unevaluated = RunRecord.read(start(config).directory)
    scored = score(unevaluated, episodes=1)
    assert scored.checkpoint.name == "step_256.pt"
    assert scored.note is not None
    assert "no best checkpoint" in scored.note
