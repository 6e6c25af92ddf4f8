"""Runs that fail: they say so, and keep what was good."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from axiomrl.cli.app import main
from axiomrl.errors import DivergedError
from axiomrl.training import checkpoints, session

from . import interruptions  # noqa: F401 - registers environments
from .resume_cases import small_config
from .resume_harness import (
    checkpoint_names,
    differences,
    metadata_of,
    only_run,
    resume,
    rows_of,
    train,
    train_arguments,
)
from .resume_runs import CONFIG, END, finished_run, newest_checkpoint, record, resolved

NAN_REWARD = small_config(
    "ppo", "NaNRewardCartPole-v0", environment={"kwargs": {"nan_at": 1000}}
) | {"evaluation": {"every": 0}}
OVERFLOWS = pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered")
HUGE_STEPS = small_config("ppo", "CartPole-v1", hyperparameters={"learning_rate": 1e30})


def is_finite(checkpoint: Path) -> bool:
    """Whether all saved network parameters are finite numbers."""
    network = checkpoints.load(checkpoint)["algorithm"]["network"]
    return all(np.isfinite(value).all() for value in network.values())


@pytest.mark.parametrize(
    ("config", "begins_at"), [(NAN_REWARD, 960), (HUGE_STEPS, 0)], ids=["reward", "rate"]
)
@OVERFLOWS
def test_diverging_run_fails_with_the_step_and_keeps_its_last_good_checkpoint(
    config: dict[str, Any], begins_at: int, tmp_path: Path, capsys: Any
) -> None:
    assert main(train_arguments(config, tmp_path)) == 1
    printed = capsys.readouterr().err
    run = only_run(tmp_path)
    metadata = metadata_of(run)
    assert f"diverged between steps {begins_at:,} and {begins_at + 64:,}" in printed
    assert str(newest_checkpoint(run)) in printed
    assert "Traceback" not in printed
    assert metadata["status"] == "failed"
    assert metadata["error"]["type"] == DivergedError.__name__
    assert f"{begins_at:,}" in metadata["error"]["message"]
    assert all(is_finite(path) for path in (run / "checkpoints").iterdir())
    assert all(row["step"] <= begins_at for row in rows_of(run))


@OVERFLOWS
def test_diverged_run_diverges_at_the_same_step_when_it_is_resumed(
    tmp_path: Path,
) -> None:
    def infinite(row: dict[str, Any]) -> bool:
        return any(isinstance(value, float) and not math.isfinite(value) for value in row.values())

    with pytest.raises(DivergedError) as first:
        session.start(resolved(tmp_path, HUGE_STEPS))
    (run,) = tmp_path.iterdir()
    rows = rows_of(run)
    with pytest.raises(DivergedError) as second:
        session.resume(record(run))
    assert second.value.message == first.value.message
    assert second.value.hint == first.value.hint
    assert rows_of(run) == rows
    assert not any(infinite(row) for row in rows)


def test_full_disk_fails_the_run_and_leaves_what_was_there(tmp_path: Path) -> None:
    whole = finished_run(tmp_path / "whole")
    # every file may grow to this size from the moment that the second checkpoint is complete
    limit = newest_checkpoint(whole).stat().st_size // 2
    ended = train(CONFIG, tmp_path, file_limit=f"{limit} step_512.pt")
    run = only_run(tmp_path)
    assert ended.code == 1
    assert "Traceback" not in ended.stderr
    assert "cannot be written" in ended.stderr
    assert "File too large" in ended.stderr
    assert metadata_of(run)["status"] == "failed"
    assert all(name.endswith(".pt") for name in checkpoint_names(run))
    assert newest_checkpoint(run).name == "step_512.pt"
    assert all(checkpoints.is_valid(path) for path in (run / "checkpoints").iterdir())
    resumed = session.resume(record(run))
    assert resumed.env_steps == END
    assert differences(run, whole) == []


@pytest.mark.slow
def test_full_disk_while_metrics_are_written_loses_no_row(tmp_path: Path) -> None:
    config = CONFIG | {"checkpoint": {"every": 0}, "logging": {"every": 1}}
    whole = finished_run(tmp_path / "whole", config)
    limit = (whole / "metrics.jsonl").stat().st_size // 2
    ended = train(config, tmp_path, file_limit=f"{limit} best.pt")
    run = only_run(tmp_path)
    assert ended.code == 1
    assert "cannot be written" in ended.stderr
    assert metadata_of(run)["status"] == "failed"
    resumed = resume(run)
    assert resumed.code == 0, resumed.stderr
    assert differences(run, whole) == []
