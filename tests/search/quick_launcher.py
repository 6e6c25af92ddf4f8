"""Stands in for a launcher and for training: real run directories, in milliseconds without torch.

Each step of a run is one evaluation. With several workers the runs take turns, step by step, so
that what happens does not depend on the clock.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from axiomrl.config import TrainConfig, config_from_mapping
from axiomrl.errors import Interrupted
from axiomrl.runs.creation import remove_torn_directory
from axiomrl.runs.provenance import described_error
from axiomrl.runs.record import RunRecord
from axiomrl.runs.run import Run
from axiomrl.search.description import Search, search_from_values
from axiomrl.study.launchers.contract import Job, JobOutcome, JobProgress, OnJobProgress

Curve = Callable[[TrainConfig], list[float] | Exception]
METRIC = "eval_return_mean"


def base(**settings: Any) -> TrainConfig:
    """PPO on CartPole with an evaluation every 10 of 30 steps."""
    return config_from_mapping(
        {
            "algo": "ppo",
            "env_id": "CartPole-v1",
            "total_timesteps": 30,
            "evaluation": {"every": 10},
            "logging": {"tensorboard": False},
            **settings,
        }
    )


def described(folder: Path, *, on: TrainConfig | None = None, **block: Any) -> Search:
    """A search in a folder, over gamma if nothing else is said."""
    values = {
        "name": "search",
        "output_dir": str(folder),
        "n_trials": 6,
        "seeds": [1, 2],
        "space": {"hyperparameters.gamma": {"type": "uniform", "low": 0.5, "high": 0.9}},
        **block,
    }
    return search_from_values(values, on or base(), source="test")


def gamma_and_seed(config: TrainConfig) -> list[float]:
    """Three evaluations that end at 100 · gamma + seed."""
    end = round(100 * config.hyperparameters.gamma + config.seed, 6)
    return [end - 2, end - 1, end]


class QuickLauncher:
    """A `Launcher` that trains by writing down the curve that it is given for a configuration."""

    def __init__(
        self,
        curve: Curve = gamma_and_seed,
        *,
        n_workers: int = 1,
        before_step: Callable[[Job, int], None] = lambda job, step: None,
    ) -> None:
        self.n_workers = n_workers
        self.trained: list[str] = []  # names of jobs, in the order in which they were begun
        self._curve = curve
        self._before_step = before_step

    def run(
        self, jobs: Iterable[Job], *, on_progress: OnJobProgress | None = None
    ) -> Iterator[JobOutcome]:
        """See `Launcher.run`."""
        drawn = iter(jobs)
        active: list[Iterator[JobOutcome | None]] = []
        while True:
            while len(active) < self.n_workers:
                job = next(drawn, None)
                if job is None:
                    break
                self.trained.append(job.name)
                active.append(self._steps(job, on_progress))
            if not active:
                return
            for each in list(active):
                outcome = next(each)
                if outcome is not None:
                    active.remove(each)
                    yield outcome

    def _steps(self, job: Job, on_progress: OnJobProgress | None) -> Iterator[JobOutcome | None]:
        try:
            yield from self._train(job, on_progress)
        except Interrupted as interruption:
            if interruption.signal_number == signal.SIGINT:
                raise
            yield JobOutcome(job=job, state="interrupted")
        except Exception as error:
            yield JobOutcome(job=job, state="failed", error=described_error(error))
        else:
            yield JobOutcome(job=job, state="completed")

    def _train(self, job: Job, on_progress: OnJobProgress | None) -> Iterator[None]:
        if (job.directory / "metadata.json").exists():
            if RunRecord.read(job.directory).status == "completed":
                return
            run = Run.reopen(job.directory, command=[])
            run.restart()
        else:
            remove_torn_directory(job.directory)
            run = Run.create(job.config, directory=job.directory, command=[])
        with run:
            curve = self._curve(job.config)
            if isinstance(curve, Exception):
                raise curve
            every = job.config.evaluation.every
            run.log({METRIC: 0.0}, step=0, duration_s=0.0)
            for place, value in enumerate(curve, 1):
                self._before_step(job, place)
                # runs stop at the end of a block of steps, not at the multiple itself
                step = place * every + job.config.num_envs - 1
                run.log({METRIC: value}, step=step, duration_s=0.1 * place)
                run.record_progress(env_steps=step, gradient_steps=place, duration_s=0.1 * place)
                progress = JobProgress(
                    env_steps=step,
                    total_timesteps=job.config.total_timesteps,
                    env_steps_per_s=100.0,
                    phase="training",
                )
                if on_progress is not None and on_progress(job, progress) and place < len(curve):
                    raise Interrupted("asked to end", signal_number=signal.SIGTERM)
                yield None
