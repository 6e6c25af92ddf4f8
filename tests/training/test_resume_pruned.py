"""Runs from which checkpoints have been removed still resume exactly, and finished ones not at all.

See `axiomrl.runs.pruning`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from axiomrl.errors import CheckpointError
from axiomrl.runs.pruning import prune
from axiomrl.training import session

from .resume_cases import simple_env, small_config
from .resume_harness import checkpoint_names, differences
from .resume_runs import copied, finished_run, record, snapshot, unfinished_run


def config(algo: str) -> dict[str, object]:
    return small_config(algo, simple_env(algo), checkpoint={"keep": 4})


@pytest.mark.parametrize("algo", ["dqn", "ppo"])
def test_unfinished_run_resumes_exactly_after_pruning(algo: str, tmp_path: Path) -> None:
    whole = finished_run(tmp_path / "whole", config(algo))
    run = unfinished_run(tmp_path / "stopped", 1700, config(algo))
    before = checkpoint_names(run)
    prune(record(run), ["latest"])
    assert len(checkpoint_names(run)) < len(before)
    session.resume(record(run))
    earlier = sorted(before | checkpoint_names(whole))
    assert differences(run, whole, optional=earlier) == []


def test_finished_run_without_its_checkpoints_is_left_alone(tmp_path: Path) -> None:
    run = copied(finished_run(tmp_path / "whole", config("dqn")), tmp_path)
    prune(record(run), ["best"])
    assert checkpoint_names(run) == {"best.pt"}
    before = snapshot(run)
    finished = session.resume(record(run))
    assert finished.note is not None
    assert "already complete at step 3,000" in finished.note
    with pytest.raises(CheckpointError, match="has no checkpoint to continue from"):
        session.resume(record(run), total_timesteps=6000)
    assert snapshot(run) == before


def test_finished_run_is_extended_after_pruning(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "whole", config("dqn"))
    untouched = copied(run, tmp_path)
    prune(record(run), ["best", "latest"])
    children = [
        session.resume(record(each), total_timesteps=4000).directory for each in (run, untouched)
    ]
    assert differences(*children) == []
