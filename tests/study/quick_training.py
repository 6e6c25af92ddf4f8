"""Stands in for training: run directories as real as any, made in milliseconds without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from axiomrl.config import TrainConfig, config_from_mapping
from axiomrl.runs.creation import remove_torn_directory
from axiomrl.runs.provenance import described_error
from axiomrl.runs.record import RunRecord
from axiomrl.runs.run import Run
from axiomrl.study import runner
from axiomrl.study.launchers.contract import Job, JobOutcome
from axiomrl.study.launchers.inline import InlineLauncher


@dataclass(frozen=True)
class RunOutcome:
    """How training ended, as a stand-in for it says."""

    state: Literal["completed", "failed"]
    error: Exception | None
    directory: Path


def run_study(
    config: TrainConfig, *, train: Callable[..., RunOutcome], **options: Any
) -> runner.StudyOutcome:
    """A study whose runs are made here by `train`."""

    def execute(job: Job, tell: Any) -> JobOutcome:
        ended = train(job.config, job.directory, command=job.command, on_progress=tell)
        error = None if ended.error is None else described_error(ended.error)
        return JobOutcome(job=job, state=ended.state, error=error)

    return runner.run_study(config, launcher=InlineLauncher(execute), **options)


def study(folder: Path, *, changes: Mapping[str, Any] | None = None, **runner: Any) -> TrainConfig:
    """A study in a folder; `runner` are settings of experiments_runner."""
    values = {
        "algo": "ppo",
        "env_id": "CartPole-v1",
        "total_timesteps": 100,
        "mode": "run-experiments",
        "logging": {"tensorboard": False},
        "experiments_runner": {"output_base_dir": str(folder), **runner},
    }
    return config_from_mapping({**values, **(changes or {})})


class QuickTraining:
    """Gives each seed the metrics that it is told to give, or an error; `last_words` before it."""

    def __init__(
        self,
        metrics: Mapping[int, Mapping[str, float] | Exception],
        *,
        last_words: Mapping[str, float] | None = None,
    ) -> None:
        self.metrics = dict(metrics)
        self.last_words = last_words
        self.trained: list[int] = []  # seeds, in the order in which they were asked for

    def __call__(
        self,
        config: TrainConfig,
        directory: Path,
        *,
        command: Sequence[str] | None = None,
        on_progress: Any = None,
    ) -> RunOutcome:
        self.trained.append(config.seed)
        try:
            self._train(config, directory, command)
        except Exception as error:
            return RunOutcome("failed", error, directory)
        return RunOutcome("completed", None, directory)

    def _train(self, config: TrainConfig, directory: Path, command: Sequence[str] | None) -> None:
        if (directory / "metadata.json").exists():
            if RunRecord.read(directory).status == "completed":
                return
            run = Run.reopen(directory, command=command)
            run.restart()
        else:
            remove_torn_directory(directory)
            run = Run.create(config, directory=directory, command=command)
        with run:
            metrics = self.metrics[config.seed]
            run.record_progress(env_steps=100, gradient_steps=1, duration_s=0.25)
            if isinstance(metrics, Exception):
                run.log(self.last_words or {}, step=100, duration_s=0.25)
                raise metrics
            run.log(metrics, step=100, duration_s=0.25)
