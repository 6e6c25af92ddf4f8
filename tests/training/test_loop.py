"""When the loop evaluates, logs and checkpoints, and what it calls the best."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from axiomrl.algorithms import algorithm_class
from axiomrl.algorithms.protocol import AlgorithmContext
from axiomrl.config import TrainConfig, config_from_mapping
from axiomrl.errors import DivergedError, Interrupted
from axiomrl.runs.run import Run
from axiomrl.training import checkpoints
from axiomrl.training.environments import Environments
from axiomrl.training.evaluation import Episodes
from axiomrl.training.interrupts import StopRequest
from axiomrl.training.loop import Training, TrainingProgress

from . import custom_environments

custom_environments.register()
BLOCK = 10  # env steps per block: 5 steps of 2 environments


def config_of(folder: Path, **changes: Any) -> TrainConfig:
    values: dict[str, Any] = {
        "algo": "ppo",
        "env_id": "Counting-v0",
        "num_envs": 2,
        "total_timesteps": 100,
        "output_dir": str(folder),
        "hyperparameters": {"n_steps": 5, "batch_size": 10, "n_epochs": 1, "hidden_sizes": [4]},
        "evaluation": {"every": 20},
        "checkpoint": {"every": 0, "keep": 100},
        "logging": {"every": 30, "tensorboard": False},
        **changes,
    }
    return config_from_mapping(values)


class Clock:
    """A clock that goes on by `tick` seconds whenever it is looked at."""

    def __init__(self, tick: float) -> None:
        self.now = 0.0
        self._tick = tick

    def __call__(self) -> float:
        self.now += self._tick
        return self.now


class Scripted:
    """Stands for the evaluator: each evaluation has the next return, and takes 1000 seconds."""

    def __init__(self, returns: Sequence[float], clock: Clock) -> None:
        self._returns = list(returns)
        self._clock = clock
        self.indices: list[int] = []

    def score(self, algorithm: Any, normalizer: Any, *, index: int) -> Episodes:
        self.indices.append(index)
        self._clock.now += 1000.0
        return Episodes(returns=[self._returns[len(self.indices) - 1]], lengths=[7])


class Trained:
    """A run trained with scripted evaluations, and what it left behind."""

    def __init__(
        self,
        config: TrainConfig,
        returns: Sequence[float] = (),
        *,
        tick: float = 1.0,  # more than the interval of progress reports: none is left out
        on_progress: Callable[[TrainingProgress], None] | None = None,
    ) -> None:
        self.config = config
        self.clock = Clock(tick)
        self.evaluator = Scripted(returns, self.clock) if returns else None
        self.stop = StopRequest()
        self.algorithm: Any = None
        self._on_progress = on_progress

    def train(self) -> Trained:
        config = self.config
        environments = Environments(config.env_id, config.environment, num_envs=2, seed=0)
        context = AlgorithmContext(
            observations=environments.observations,
            actions=environments.actions,
            num_envs=2,
            normalizer=None,
            engine="mlp",
            device="cpu",
            seed=0,
        )
        self.algorithm = algorithm_class("ppo")(config.hyperparameters, context)
        evaluator: Any = self.evaluator
        with Run.create(config) as run:
            self.directory = run.directory
            Training(
                config,
                run,
                environments,
                self.algorithm,
                evaluator,
                stop=self.stop,
                clock=self.clock,
                on_progress=self._on_progress,
            ).train(is_new=True)
        return self

    @property
    def rows(self) -> list[dict[str, Any]]:
        lines = (self.directory / "metrics.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    @property
    def metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = json.loads((self.directory / "metadata.json").read_text())
        return metadata

    @property
    def saved_steps(self) -> list[int]:
        files = (self.directory / "checkpoints").glob("step_*.pt")
        return sorted(int(path.stem.removeprefix("step_")) for path in files)

    def steps_with(self, metric: str) -> list[int]:
        return [row["step"] for row in self.rows if metric in row]

    @property
    def best(self) -> tuple[int, float] | None:
        """Step and value of the best checkpoint; the file's step agrees with the metadata's."""
        best = self.metadata.get("best_checkpoint")
        if not best:
            return None
        state = checkpoints.load(self.directory / "checkpoints" / Path(best["path"]).name)
        assert state["counters"]["env_steps"] == best["step"]
        assert state["counters"]["best_step"] == best["step"]
        return best["step"], best["metric_value"]


def trained(folder: Path, returns: Sequence[float] = (), **changes: Any) -> Trained:
    return Trained(config_of(folder, **changes), returns).train()


def test_training_ends_at_the_first_block_at_or_after_the_total(tmp_path: Path) -> None:
    run = trained(tmp_path, total_timesteps=95)
    assert run.metadata["progress"]["env_steps"] == 100
    assert run.metadata["progress"]["gradient_steps"] == 10
    assert run.metadata["status"] == "completed"


def test_evaluations_are_at_the_start_at_every_multiple_and_at_the_end(tmp_path: Path) -> None:
    run = trained(tmp_path, [1.0] * 5, total_timesteps=70)
    assert run.steps_with("eval_return_mean") == [0, 20, 40, 60, 70]
    assert run.evaluator is not None
    assert run.evaluator.indices == [0, 1, 2, 3, 4]


def test_an_interval_that_is_no_multiple_of_blocks_is_due_when_it_has_been_crossed(
    tmp_path: Path,
) -> None:
    # 25, 50, 75, 100 are crossed in the blocks that end at 30, 50, 80 and 100
    run = trained(tmp_path, [1.0] * 5, evaluation={"every": 25})
    assert run.steps_with("eval_return_mean") == [0, 30, 50, 80, 100]


def test_an_interval_shorter_than_a_block_is_due_once_per_block(tmp_path: Path) -> None:
    run = trained(tmp_path, [1.0] * 4, evaluation={"every": 3}, total_timesteps=30)
    assert run.steps_with("eval_return_mean") == [0, 10, 20, 30]


def test_training_metrics_are_logged_at_every_multiple_and_at_the_end(tmp_path: Path) -> None:
    run = trained(tmp_path)
    for metric in ("train_policy_loss", "rollout_episodes", "time_env_steps_per_s"):
        assert run.steps_with(metric) == [30, 60, 90, 100]
    assert run.steps_with("eval_return_mean") == []
    assert [row["step"] for row in run.rows] == [30, 60, 90, 100]


@pytest.mark.parametrize(
    ("every", "expected"), [(0, [0, 100]), (20, [0, 20, 40, 60, 80, 100]), (1000, [0, 100])]
)
def test_checkpoints_are_at_the_start_at_every_multiple_and_at_the_end(
    every: int, expected: list[int], tmp_path: Path
) -> None:
    run = trained(tmp_path, checkpoint={"every": every, "keep": 100})
    assert run.saved_steps == expected


@pytest.mark.parametrize(
    ("returns", "best"),
    [
        ([1.0, 5.0, 3.0, 4.0, 2.0, 1.0], (20, 5.0)),
        ([9.0, 5.0, 3.0, 4.0, 2.0, 1.0], (0, 9.0)),
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], (100, 6.0)),
        ([-3.0, -1.0, -2.0, -1.0, -1.0, -5.0], (20, -1.0)),
        ([math.nan, -1.0, math.nan, 2.0, math.nan, math.nan], (60, 2.0)),
        ([1.0, math.inf, 2.0, -math.inf, 0.0, 0.0], (40, 2.0)),
    ],
    ids=["in_between", "at_the_start", "at_the_end", "tie", "nan", "infinite"],
)
def test_the_best_evaluation_is_the_highest_and_ties_keep_the_earlier(
    returns: list[float], best: tuple[int, float], tmp_path: Path
) -> None:
    run = trained(tmp_path, returns)
    assert run.best == best
    assert run.metadata["latest_metrics"]["best_eval_return_mean"] == best[1]


def test_nothing_is_best_when_every_evaluation_is_nan(tmp_path: Path) -> None:
    run = trained(tmp_path, [math.nan] * 6)
    assert run.best is None
    assert not (run.directory / "checkpoints" / "best.pt").exists()
    assert run.metadata["status"] == "completed"


def test_less_may_be_better(tmp_path: Path) -> None:
    benchmark = {"best_metric": "eval_return_mean", "best_metric_mode": "min"}
    run = trained(tmp_path, [4.0, 3.0, 1.0, 1.0, 2.0, 5.0], benchmark=benchmark)
    assert run.best == (40, 1.0)


def test_without_a_best_metric_nothing_is_kept_as_best(tmp_path: Path) -> None:
    run = trained(tmp_path, [1.0] * 6, benchmark={"best_metric": None})
    assert run.best is None
    assert run.saved_steps == [0, 100]


def test_rollout_metrics_are_means_over_finished_episodes(tmp_path: Path) -> None:
    run = trained(tmp_path, total_timesteps=30)
    # every episode has 4 steps; 15 steps of 2 environments finish 3 each
    (row,) = run.rows
    assert row["rollout_episodes"] == 6
    assert row["rollout_length_mean"] == 4
    assert 100.0 <= row["rollout_return_mean"] <= 108.0  # 10 + 20 + 30 + 40 and 4 actions of 0..2


def test_time_spent_on_evaluation_is_shown_and_does_not_count_as_slow_training(
    tmp_path: Path,
) -> None:
    run = Trained(config_of(tmp_path), [1.0] * 6, tick=0.001).train()
    speeds = [row["time_env_steps_per_s"] for row in run.rows if "rollout_episodes" in row]
    assert min(speeds) > 300.0  # 30 steps in a few looks at the clock
    evaluations = [row for row in run.rows if "eval_return_mean" in row]
    assert all(1000.0 <= row["time_eval_s"] < 1001.0 for row in evaluations)


def test_progress_is_told_in_order(tmp_path: Path) -> None:
    told: list[TrainingProgress] = []
    Trained(config_of(tmp_path), [1.0, 3.0, 2.0, 2.0, 2.0, 2.0], on_progress=told.append).train()
    assert [progress.env_steps for progress in told] == sorted(p.env_steps for p in told)
    assert {progress.phase for progress in told} == {"training", "evaluating", "saving"}
    last = told[-1]
    assert (last.env_steps, last.total_timesteps, last.phase) == (100, 100, "training")
    assert (last.best, last.eval_return_mean) == (3.0, 2.0)


def test_a_signal_is_heeded_at_the_next_block_with_a_checkpoint(tmp_path: Path) -> None:
    run = Trained(config_of(tmp_path), on_progress=lambda progress: signal(run, progress))

    def signal(run: Trained, progress: TrainingProgress) -> None:
        if progress.env_steps == 40:
            run.stop.signal_number = 15

    with pytest.raises(Interrupted) as raised:
        run.train()
    assert raised.value.exit_code == 128 + 15
    assert f"axiomrl resume {run.directory}" in str(raised.value)
    assert "step 40 of 100" in str(raised.value)
    assert run.saved_steps == [0, 40]
    assert run.metadata["status"] == "interrupted"


def test_divergence_names_the_steps_and_the_last_good_checkpoint(tmp_path: Path) -> None:
    run = Trained(
        config_of(tmp_path, checkpoint={"every": 20, "keep": 9}),
        on_progress=lambda progress: poison(run, progress),
    )

    def poison(run: Trained, progress: TrainingProgress) -> None:
        if progress.env_steps == 50:
            next(iter(run.algorithm.state_dict()["network"].values()))[0, 0] = math.nan

    with pytest.raises(DivergedError) as raised:
        run.train()
    assert "between steps 50 and 60" in str(raised.value)
    assert str(run.directory / "checkpoints" / "step_40.pt") in str(raised.value)
    assert run.saved_steps == [0, 20, 40]
    assert run.metadata["status"] == "failed"
