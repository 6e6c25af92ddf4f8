"""A small configuration, and a stand-in for training that writes real run directories quickly."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from axiomrl.config import TrainConfig, config_from_mapping
from axiomrl.records.store import RecordStore
from axiomrl.results import RunResult
from axiomrl.runs.provenance import described_error
from axiomrl.runs.record import RunRecord
from axiomrl.runs.run import Run
from axiomrl.study.launchers.contract import Job, JobOutcome
from axiomrl.study.launchers.inline import InlineLauncher
from axiomrl.study.pairs import IfExists, run_pairs

SMALL: dict[str, Any] = {
    "algo": "ppo",
    "env_id": "CartPole-v1",
    "total_timesteps": 256,
    "hyperparameters": {"n_steps": 128, "n_epochs": 1, "hidden_sizes": [8]},
    "evaluation": {"every": 128, "episodes": 1},
    "logging": {"tensorboard": False},
}


def small(seed: int = 1, **changes: Any) -> TrainConfig:
    return config_from_mapping({**SMALL, "seed": seed, **changes})


def run_pair(
    store: RecordStore, config: TrainConfig, training: StandIn, *, if_exists: IfExists = "skip"
) -> tuple[RunResult, bool]:
    """The result of one pair, and whether it is an earlier one."""
    launcher = InlineLauncher(training)
    ((_, result, is_earlier),) = run_pairs(store, [config], launcher, if_exists=if_exists)
    return result, is_earlier


class StandIn:
    """Stands in for `execute`; its runs have the same rows and checkpoints every time.

    `during` is called in the middle of every run; what it raises ends the run.
    """

    def __init__(self, during: Callable[[Run], None] | None = None) -> None:
        self.calls: list[tuple[str, str]] = []  # start or resume, and the name of the directory
        self._during = during

    def __call__(self, job: Job, tell: object) -> JobOutcome:
        try:
            if (job.directory / "metadata.json").exists():
                self.calls.append(("resume", job.directory.name))
                run = Run.reopen(RunRecord.read(job.directory).directory)
                run.restart()
            else:
                self.calls.append(("start", job.directory.name))
                run = self.create(job)
            self._train(run)
        except Exception as error:
            return JobOutcome(job=job, state="failed", error=described_error(error))
        return JobOutcome(job=job, state="completed")

    def create(self, job: Job) -> Run:
        return Run.create(job.config, directory=job.directory)

    def _train(self, run: Run) -> None:
        seed = run.metadata["seed"]
        with run:
            for step, value in ((0, 2.0 + seed), (256, 1.5 + seed)):
                run.log({"eval_return_mean": value, "train_loss": 1 / value}, step=step,
                        duration_s=0.5)  # fmt: skip
                if step and self._during is not None:
                    self._during(run)
                path = run.save_checkpoint(step, partial(_write, f"{seed} {step}".encode()))
                if not step:
                    run.mark_best(path, step=step, metric="eval_return_mean", value=value)
            run.record_progress(env_steps=256, gradient_steps=2, duration_s=0.5)


def _write(data: bytes, path: Path) -> None:
    path.write_bytes(data)
