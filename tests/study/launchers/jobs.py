"""Jobs for tests of launchers: tiny runs, or runs that last long enough to be disturbed."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import gymnasium

from axiomrl.config import config_from_mapping
from axiomrl.study.launchers.contract import Job

TOTAL_STEPS = 1024
SLOW_S = 0.006  # per step of each environment: with two of them, six seconds for such a run
FLAG = "slow"  # a file in the folder of slow jobs: without it, they are as quick as any
STEPPING = "stepping"  # a file beside it that is there once a slow step has begun


class Slow(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Takes its time for every step while a file is there, and does nothing else."""

    def __init__(self, env: gymnasium.Env[Any, Any], flag: str, seconds: float) -> None:
        super().__init__(env)
        self._flag = Path(flag)
        self._seconds = seconds

    def step(self, action: Any) -> Any:
        if self._flag.exists():
            self._flag.with_name(STEPPING).touch()
            time.sleep(self._seconds)
        return self.env.step(action)


def hurry(folder: Path) -> None:
    """Let slow jobs be quick from now on."""
    (folder / FLAG).unlink(missing_ok=True)


def job(folder: Path, seed: int, *, step_s: float | None = None, **settings: Any) -> Job:
    """A tiny run; with `step_s` every step takes so long until `hurry` is called."""
    flag = folder / FLAG
    slow = {
        "path": "tests.study.launchers.jobs:Slow",
        "kwargs": {"flag": str(flag), "seconds": step_s},
    }
    if step_s is not None:
        flag.touch()
    values = {
        "algo": "ppo",
        "env_id": "CartPole-v1",
        "total_timesteps": TOTAL_STEPS,
        "num_envs": 2,
        "seed": seed,
        "output_dir": str(folder),
        "hyperparameters": {"n_steps": 32, "batch_size": 32, "n_epochs": 1, "hidden_sizes": [8]},
        "environment": {"wrappers": [] if step_s is None else [slow]},
        "evaluation": {"every": 0, "episodes": 1},
        "checkpoint": {"every": 64, "keep": 2},
        "logging": {"every": 64, "tensorboard": False},
        **settings,
    }
    config = config_from_mapping(values)
    return Job(name=f"seed{seed}", config=config, directory=folder / f"run_seed{seed}")


def metadata_of(job: Job) -> dict[str, Any]:
    """What the run of a job says of itself."""
    read: dict[str, Any] = json.loads((job.directory / "metadata.json").read_text())
    return read


def rows_of(job: Job) -> list[dict[str, Any]]:
    """The rows of its metrics.jsonl, without wall-clock values."""
    lines = (job.directory / "metrics.jsonl").read_text().splitlines()
    return [
        {name: value for name, value in json.loads(line).items() if name[:5] != "time_"}
        for line in lines
    ]
