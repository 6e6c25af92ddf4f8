"""The training loop: the only one.

A block is `steps_per_update` steps of every environment followed by one update. Everything else
(log rows, evaluations, checkpoints, stopping) happens between blocks, when a multiple of its
interval has been crossed. Order at a boundary: update, evaluate, log, checkpoint, best; so that a
checkpoint knows of everything that was written before it.
"""

from __future__ import annotations

import math
import shlex
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from axiomrl.algorithms.protocol import Algorithm, Metrics, Progress
from axiomrl.config.schema import TrainConfig
from axiomrl.errors import DivergedError, Interrupted
from axiomrl.metrics import direction_of
from axiomrl.runs import layout
from axiomrl.runs.run import Run
from axiomrl.training import checkpoints
from axiomrl.training.environments import Environments, Episode
from axiomrl.training.evaluation import Evaluator
from axiomrl.training.interrupts import StopRequest
from axiomrl.training.replay_files import ReplayFiles

RECENT_EPISODES = 100  # training episodes in rollout_return_mean
REPORT_INTERVAL_S = 0.1  # between calls of on_progress


@dataclass(slots=True)
class TrainingProgress:
    """What a progress display is told, about ten times a second."""

    env_steps: int
    total_timesteps: int
    duration_s: float
    env_steps_per_s: float
    phase: str  # "training", "evaluating", "saving" or "testing"
    rollout_return_mean: float | None
    eval_return_mean: float | None
    best: float | None
    run_directory: Path
    replay_bytes: int = 0  # memory of the full replay buffer, if there is one


OnProgress = Callable[[TrainingProgress], bool | None]
"""True asks training to end at the next block boundary, as SIGTERM does."""


@dataclass(slots=True)
class Counters:
    """Where training stands; part of every checkpoint."""

    env_steps: int = 0
    evaluations: int = 0
    episodes: int = 0
    duration_s: float = 0.0
    best_value: float | None = None
    best_step: int | None = None


class Training:
    """One run in progress: its parts, and the state that none of them holds."""

    def __init__(
        self,
        config: TrainConfig,
        run: Run,
        environments: Environments,
        algorithm: Algorithm,
        evaluator: Evaluator | None,
        *,
        stop: StopRequest,
        on_progress: OnProgress | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.config = config
        self.run = run
        self.environments = environments
        self.algorithm = algorithm
        self.evaluator = evaluator
        self.counters = Counters()
        replay = algorithm.replay
        self._replay_files = (
            ReplayFiles(run.directory / layout.CHECKPOINTS, replay) if replay is not None else None
        )
        self._replay_counts: dict[int, int] = {}  # step of a checkpoint -> replay rows by then
        self._recent: deque[tuple[float, int]] = deque(maxlen=RECENT_EPISODES)
        self._stop = stop
        self._on_progress = on_progress
        self._clock = clock
        self._resumed_at = clock()
        self._duration_before = 0.0
        self._reported_at = -math.inf
        self._speed_mark = (clock(), 0)  # when and at how many env steps speed was last logged
        self._first_step = 0  # env steps taken before this process
        self._last_eval: float | None = None
        self._saved: tuple[int, Path] | None = None  # newest checkpoint of this run directory

    def train(self, *, is_new: bool) -> None:
        """Train to `total_timesteps`; `is_new`: this run directory has no checkpoint yet.

        Raises Interrupted after a signal, with the run checkpointed, and DivergedError when the
        parameters are no longer finite, with the last good checkpoint kept.
        """
        if is_new:
            self._begin()
        self._first_step = self.counters.env_steps
        self._speed_mark = (self._clock(), self.counters.env_steps)
        while self.counters.env_steps < self.config.total_timesteps:
            self._leave_if_asked()
            self._block()
        self._leave_if_asked()
        self.report("training", force=True)

    def _begin(self) -> None:
        """Evaluate and checkpoint before the first step of this run directory."""
        metrics = self._evaluate() if self.evaluator is not None else {}
        if metrics:
            self.run.log(metrics, step=self.counters.env_steps, duration_s=self._duration())
        is_best = self._note_best(metrics)
        path = self._checkpoint()
        if is_best:
            self._mark_best(path)

    def _block(self) -> None:
        """Collect, observe, update; then whatever is due at this boundary."""
        config, counters, algorithm = self.config, self.counters, self.algorithm
        steps, before = algorithm.steps_per_update, counters.env_steps
        fraction = min(before / config.total_timesteps, 1.0)
        act = algorithm.explorer(steps, Progress(before, fraction, False))
        transitions, episodes = self.environments.collect(act, steps)
        counters.env_steps = after = before + steps * config.num_envs
        self._count(episodes)
        is_last = after >= config.total_timesteps
        will_log = is_last or after // config.logging.every > before // config.logging.every
        algorithm.observe(transitions)
        metrics = algorithm.update(Progress(after, fraction, will_log))
        if not algorithm.is_finite():
            raise self._diverged(before, after)
        if will_log:
            metrics = {**self._rollout_metrics(), **metrics}
        evaluates = self.evaluator is not None and _is_due(
            config.evaluation.every, before, after, is_last
        )
        if evaluates:
            metrics = {**metrics, **self._evaluate()}
        if metrics:
            self.run.log(metrics, step=after, duration_s=self._duration())
        is_best = evaluates and self._note_best(metrics)
        if is_best or _is_due(config.checkpoint.every, before, after, is_last):
            path = self._checkpoint()
            if is_best:
                self._mark_best(path)
        self.run.record_progress(
            env_steps=after,
            gradient_steps=algorithm.gradient_steps,
            duration_s=self._duration(),
        )
        self.report("training")

    def _count(self, episodes: list[Episode]) -> None:
        self.counters.episodes += len(episodes)
        for episode in episodes:
            self._recent.append((episode.episode_return, episode.length))

    def _rollout_metrics(self) -> Metrics:
        now, steps = self._clock(), self.counters.env_steps
        since, steps_before = self._speed_mark
        self._speed_mark = (now, steps)
        metrics: Metrics = {"rollout_episodes": float(self.counters.episodes)}
        if self._recent:
            count = len(self._recent)
            metrics["rollout_return_mean"] = sum(r for r, _ in self._recent) / count
            metrics["rollout_length_mean"] = sum(length for _, length in self._recent) / count
        metrics["time_env_steps_per_s"] = (steps - steps_before) / max(now - since, 1e-9)
        return metrics

    def _evaluate(self) -> Metrics:
        assert self.evaluator is not None
        self.report("evaluating", force=True)
        started = self._clock()
        scored = self.evaluator.score(
            self.algorithm, self.environments.normalizer, index=self.counters.evaluations
        )
        self.counters.evaluations += 1
        taken = self._clock() - started
        self._speed_mark = (self._speed_mark[0] + taken, self._speed_mark[1])
        self._last_eval = scored.return_mean
        return {
            "eval_return_mean": scored.return_mean,
            "eval_return_std": scored.return_std,
            "eval_length_mean": scored.length_mean,
            "eval_episodes": float(len(scored.returns)),
            "time_eval_s": taken,
        }

    def _note_best(self, metrics: Metrics) -> bool:
        """Whether this evaluation is the best so far; a tie keeps the earlier.

        A NaN or an infinity is never the best.
        """
        metric = self.config.benchmark.best_metric
        value = metrics.get(metric, math.nan) if metric is not None else math.nan
        if metric is None or not math.isfinite(value):
            return False
        mode = self.config.benchmark.best_metric_mode or direction_of(metric)
        best = self.counters.best_value
        if best is not None and not (value < best if mode == "min" else value > best):
            return False
        self.counters.best_value = value
        self.counters.best_step = self.counters.env_steps
        return True

    def _mark_best(self, checkpoint: Path) -> None:
        metric, value = self.config.benchmark.best_metric, self.counters.best_value
        assert metric is not None, "marked best without a metric"
        assert value is not None, "marked best without a value"
        self.run.mark_best(checkpoint, step=self.counters.env_steps, metric=metric, value=value)

    def _checkpoint(self) -> Path:
        self.report("saving")
        step = self.counters.env_steps
        path = self.run.save_checkpoint(
            step, lambda target: checkpoints.save(target, self.state_dict())
        )
        self._saved = (step, path)
        self._prune_replay(step)
        return path

    def _prune_replay(self, step: int) -> None:
        """Delete the replay rows that none of the newest checkpoints needs."""
        if self._replay_files is None or self.algorithm.replay is None:
            return
        self._replay_counts[step] = self.algorithm.replay.count
        saved = layout.checkpoint_files(self.run.directory)
        self._replay_counts = {
            step: count for step, count in self._replay_counts.items() if step in saved
        }
        # the best one is for scoring; it can be resumed only while it is among the newest
        newest = [step for step in self._replay_counts if step != self.counters.best_step]
        newest = [step, *newest[-self.config.checkpoint.keep :]]
        self._replay_files.prune([self._replay_counts[step] for step in newest])

    def _counts_saved(self, *, up_to: int) -> dict[int, int]:
        """How many replay rows there were at each checkpoint of this directory that reads."""
        counts = {}
        for step, path in layout.checkpoint_files(self.run.directory).items():
            if step <= up_to and checkpoints.is_valid(path):
                counts[step] = int(checkpoints.load(path)["replay"]["count"])
        return counts

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides this run's future, and what it has written so far."""
        self.counters.duration_s = self._duration()
        return {
            "algo": self.config.algo,
            "env_id": self.config.env_id,
            "counters": asdict(self.counters),
            "gradient_steps": self.algorithm.gradient_steps,
            "recent_episodes": [list(episode) for episode in self._recent],
            "algorithm": self.algorithm.state_dict(),
            "environments": self.environments.state_dict(),
            "replay": self._replay_files.save() if self._replay_files is not None else None,
            "positions": self.run.positions(),
            "latest_metrics": dict(self.run.metadata["latest_metrics"]),
            "non_finite_metrics": dict(self.run.metadata["non_finite_metrics"]),
        }

    def load_state_dict(self, state: dict[str, Any], source: Path, *, in_place: bool) -> None:
        """Continue from a checkpoint in the folder `source`, to which the parts are restored.

        `in_place`: in the run directory that it belongs to; else a new run starts from it, and
        looks for its own best. Raises CheckpointError when replay rows are missing or damaged.
        """
        counters = Counters(**state["counters"])
        if in_place:  # this directory has that checkpoint
            name = layout.checkpoint_name(counters.env_steps)
            path = self.run.directory / layout.CHECKPOINTS / name
            self._saved = (counters.env_steps, path)
        else:
            counters.best_value = counters.best_step = None
        self.counters = counters
        self._duration_before = counters.duration_s
        self._recent.extend((float(r), int(n)) for r, n in state["recent_episodes"])
        if self._replay_files is not None and in_place:
            self._replay_files.restore(state["replay"], source, in_place=True)
            self._replay_counts = self._counts_saved(up_to=counters.env_steps)

    def _duration(self) -> float:
        return self._duration_before + self._clock() - self._resumed_at

    def _leave_if_asked(self) -> None:
        number = self._stop.signal_number
        if number is None:
            return
        if self._saved is None or self._saved[0] != self.counters.env_steps:
            self._checkpoint()
        raise Interrupted(
            f"interrupted at step {self.counters.env_steps:,} of "
            f"{self.config.total_timesteps:,}; the run is saved",
            signal_number=number,
            hint=shlex.join(["axiomrl", "resume", str(self.run.directory)]),
        )

    def _diverged(self, before: int, after: int) -> DivergedError:
        kept = f"the last good checkpoint is {self._saved[1]}; " if self._saved else ""
        return DivergedError(
            f"training diverged between steps {before:,} and {after:,}: "
            "the network's parameters are no longer finite numbers",
            hint=f"{kept}try a smaller hyperparameters.learning_rate",
        )

    def report(self, phase: str, *, force: bool = False) -> None:
        """Tell `on_progress` where training stands, unless it was told a moment ago."""
        if self._on_progress is None:
            return
        now = self._clock()
        if not force and now - self._reported_at < REPORT_INTERVAL_S:
            return
        self._reported_at = now
        elapsed = max(now - self._resumed_at, 1e-9)
        recent = [episode_return for episode_return, _ in self._recent]
        is_asked_to_stop = self._on_progress(
            TrainingProgress(
                env_steps=self.counters.env_steps,
                total_timesteps=self.config.total_timesteps,
                duration_s=self._duration(),
                env_steps_per_s=(self.counters.env_steps - self._first_step) / elapsed,
                phase=phase,
                rollout_return_mean=sum(recent) / len(recent) if recent else None,
                eval_return_mean=self._last_eval,
                best=self.counters.best_value,
                run_directory=self.run.directory,
                replay_bytes=self.algorithm.replay.nbytes if self.algorithm.replay else 0,
            )
        )
        if is_asked_to_stop:
            self._stop.request()


def _is_due(every: int, before: int, after: int, is_last: bool) -> bool:
    """Whether a multiple of `every` was crossed, or training ends; `every` 0: only at the end."""
    return is_last or (every > 0 and after // every > before // every)
