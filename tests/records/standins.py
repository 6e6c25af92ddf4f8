"""A small configuration, and a stand-in for training that writes real run directories quickly."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from axiomrl.config import TrainConfig, config_from_mapping
from axiomrl.runs.record import RunRecord
from axiomrl.runs.run import Run

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


class StandIn:
    """A `Trainer` whose runs have the same rows and checkpoints every time.

    `during` is called in the middle of every run; what it raises ends the run.
    """

    def __init__(self, during: Callable[[Run], None] | None = None) -> None:
        self.calls: list[tuple[str, str]] = []  # start or resume, and the name of the directory
        self._during = during

    def start(self, config: TrainConfig, *, directory: Path, on_progress: object = None) -> None:
        self.calls.append(("start", directory.name))
        self._train(Run.create(config, directory=directory))

    def resume(self, record: RunRecord, *, on_progress: object = None) -> None:
        self.calls.append(("resume", record.directory.name))
        run = Run.reopen(record.directory)
        run.restart()
        self._train(run)

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
