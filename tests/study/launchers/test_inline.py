"""Jobs in this process: order, failures, an early end, and going on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from axiomrl.config import config_from_mapping
from axiomrl.errors import InputError
from axiomrl.study.launchers.contract import Job, JobProgress
from axiomrl.study.launchers.opening import open_launcher


def job(folder: Path, seed: int, **settings: Any) -> Job:
    config = config_from_mapping(
        {
            "algo": "ppo",
            "env_id": "CartPole-v1",
            "total_timesteps": 256,
            "num_envs": 2,
            "seed": seed,
            "output_dir": str(folder),
            "hyperparameters": {"n_steps": 32, "batch_size": 32, "n_epochs": 1},
            "evaluation": {"every": 0, "episodes": 1},
            **settings,
        }
    )
    return Job(name=f"seed{seed}", config=config, directory=folder / f"run_seed{seed}")


def status_of(job: Job) -> str:
    status: str = json.loads((job.directory / "metadata.json").read_text())["status"]
    return status


def test_outcomes_come_before_the_next_job_is_drawn(tmp_path: Path) -> None:
    told = []

    def jobs() -> Iterator[Job]:
        for seed in (3, 1):
            told.append(f"drawn {seed}")
            yield job(tmp_path, seed)

    for outcome in open_launcher("inline").run(jobs()):
        told.append(f"{outcome.state} {outcome.job.config.seed}")
    assert told == ["drawn 3", "completed 3", "drawn 1", "completed 1"]


def test_a_failing_job_keeps_no_other_from_running(tmp_path: Path) -> None:
    jobs = [job(tmp_path, 1, env_id="no_such_module:Nowhere-v0"), job(tmp_path, 2)]
    failed, completed = open_launcher("inline").run(jobs)
    assert (failed.state, completed.state) == ("failed", "completed")
    assert failed.error is not None
    assert "no_such_module" in failed.error["message"]


def test_a_job_asked_to_end_is_checkpointed_and_goes_on_later(tmp_path: Path) -> None:
    jobs = [job(tmp_path, 1)]

    def stop(job: Job, progress: JobProgress) -> bool:
        return progress.env_steps < progress.total_timesteps

    (outcome,) = open_launcher("inline").run(jobs, on_progress=stop)
    assert outcome.state == "interrupted"
    assert status_of(jobs[0]) == "interrupted"
    (outcome,) = open_launcher("inline").run(jobs)
    assert outcome.state == "completed"
    assert status_of(jobs[0]) == "completed"


def test_an_unknown_launcher_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="inline, process, ray, slurm") as caught:
        open_launcher("proces")
    assert caught.value.hint == "did you mean: process"
