"""Starting, resuming and scoring runs: what the commands and the Python interface call."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axiomrl.config.schema import TrainConfig
from axiomrl.errors import CheckpointError, InputError
from axiomrl.runs.creation import Parent
from axiomrl.runs.layout import CHECKPOINTS, checkpoint_name
from axiomrl.runs.run import Run
from axiomrl.training import checkpoints
from axiomrl.training.assembly import Parts, build
from axiomrl.training.evaluation import Episodes
from axiomrl.training.interrupts import stop_on_signals
from axiomrl.training.loop import OnProgress, Training, TrainingProgress
from axiomrl.training.recorded import (
    checkpoint_named,
    config_of,
    is_same_step,
    newest_whole,
    refuse_living,
    require_same_work,
)
from axiomrl.training.scoring import lacks_final_test, play_final_test, score_state

if TYPE_CHECKING:
    from axiomrl.runs.record import RunRecord

__all__ = ["Finished", "OnProgress", "Scores", "TrainingProgress", "resume", "score", "start"]


@dataclass(frozen=True)
class Finished:
    """How a call of `start` or `resume` ended, when it ended well."""

    directory: Path
    status: str
    env_steps: int
    note: str | None = None  # what the user should know, in one sentence


@dataclass
class Scores(Episodes):
    """Episodes scored with a saved policy."""

    checkpoint: Path = field(default_factory=Path)
    seed: int = 0
    note: str | None = None


def start(
    config: TrainConfig,
    *,
    directory: Path | None = None,
    command: Sequence[str] | None = None,
    on_progress: OnProgress | None = None,
) -> Finished:
    """Train a new run to its end, in the exact `directory` or in a new one of its own.

    Raises InputError before any run directory exists, Interrupted after a signal (the run is
    checkpointed), DivergedError when the parameters stop being finite.
    """
    if config.mode != "train":
        raise InputError(
            f"mode: {config.mode} asks for a study, not for one run",
            hint="run it with `axiomrl train`, or set mode: train",
        )
    parts = build(config)
    run = Run.create(
        config,
        directory=directory,
        command=command,
        device=parts.device,
        engine=parts.engine,
    )
    return _train(parts, run, on_progress)


def resume(
    record: RunRecord,
    *,
    checkpoint: Path | None = None,
    total_timesteps: int | None = None,
    runs_dir: Path | None = None,
    device: str | None = None,
    threads: int | None = None,
    command: Sequence[str] | None = None,
    on_progress: OnProgress | None = None,
) -> Finished:
    """Continue a run exactly where a checkpoint left it.

    From its newest whole checkpoint an unfinished run goes on in its own directory. Another
    total, or an older checkpoint, makes a new run with `parent`, in `runs_dir` (default: beside
    the parent). A run that was killed before its first checkpoint starts again, which gives the
    same numbers. A finished run without a larger total is left alone.

    Raises RunAliveError, CheckpointError, ResumeMismatchError, and what `start` raises.
    """
    refuse_living(record)
    config = config_of(record, device=device, threads=threads)
    if checkpoint is None and record.status == "completed":
        wanted = config.total_timesteps if total_timesteps is None else total_timesteps
        if wanted <= config.total_timesteps:  # whether or not its checkpoints are still there
            reached = (record.metadata.get("progress") or {}).get("env_steps")
            reached = reached or config.total_timesteps
            return _already_complete(record, config, reached, wanted, command)
    newest = newest_whole(record)
    source = newest if checkpoint is None else checkpoint
    if source is None:
        return _start_again(record, config, total_timesteps, command, on_progress)
    state = checkpoints.load(source)
    require_same_work(state, config, source)
    reached = int(state["counters"]["env_steps"])
    total = config.total_timesteps if total_timesteps is None else total_timesteps
    is_newest = newest is not None and is_same_step(source, newest)
    if is_newest and reached >= total:
        if record.status == "completed" or reached >= config.total_timesteps:
            return _already_complete(record, config, reached, total, command)
        raise InputError(
            f"--total-timesteps: {total} is not beyond step {reached}, which the run has reached"
        )
    if reached >= total:
        raise InputError(
            f"--total-timesteps: {total} is not beyond step {reached} of {source.name}"
        )
    if is_newest and total == config.total_timesteps and record.status != "completed":
        parts = build(config)
        parts.restore(state, source.parent)
        run = Run.reopen(
            record.directory, command=command, device=parts.device, engine=parts.engine
        )
        finished = _train(parts, run, on_progress, state=state, source=source)
        return replace(finished, note=f"continued from step {reached:,}")
    parent = Parent(
        path=str(source.resolve()),
        step=reached,
        config_hash=str(record.metadata.get("config_hash") or ""),
        run_id=record.metadata.get("run_id"),
    )
    beside = record.directory.parent if runs_dir is None else runs_dir
    finished = start_child(
        replace(config, total_timesteps=total, output_dir=str(beside)),
        parent,
        state,
        command=command,
        on_progress=on_progress,
    )
    return replace(
        finished,
        note=f"a new run that continues {record.directory.name} from step {reached:,}",
    )


def start_child(
    config: TrainConfig,
    parent: Parent,
    state: dict[str, Any],
    *,
    command: Sequence[str] | None = None,
    on_progress: OnProgress | None = None,
) -> Finished:
    """Train a new run that goes on from a checkpoint of another, whose `state` has been read."""
    source = Path(parent.path)
    parts = build(config)
    parts.restore(state, source.parent)
    run = Run.create(
        config, command=command, parent=parent, device=parts.device, engine=parts.engine
    )
    return _train(parts, run, on_progress, state=state, source=source, is_child=True)


def score(
    target: RunRecord,
    *,
    checkpoint: str | Path = "best",
    episodes: int = 100,
    seed: int | None = None,
    deterministic: bool = True,
) -> Scores:
    """Play fresh episodes with a saved policy; no seed of theirs was used in training.

    `checkpoint` is best, final, step_<n>, or a file. Without a best checkpoint the newest one is
    scored, and `note` says so. Raises CheckpointError and InputError.
    """
    if episodes < 1:
        raise InputError(f"--episodes: {episodes} is not at least 1")
    config = config_of(target, device=None, threads=None)
    config = replace(config, seed=config.seed if seed is None else seed)
    path, note = checkpoint_named(target, checkpoint)
    state = checkpoints.load(path)
    require_same_work(state, config, path)
    scored = score_state(config, state, episodes=episodes, deterministic=deterministic)
    return Scores(
        returns=scored.returns,
        lengths=scored.lengths,
        checkpoint=path,
        seed=config.seed,
        note=note,
    )


def _train(
    parts: Parts,
    run: Run,
    on_progress: OnProgress | None,
    *,
    state: dict[str, Any] | None = None,
    source: Path | None = None,
    is_child: bool = False,
) -> Finished:
    """Run the loop within the run directory; `state` was read from the checkpoint `source`."""
    with run, stop_on_signals() as stop:
        training = Training(
            parts.config,
            run,
            parts.environments,
            parts.algorithm,
            parts.evaluator,
            stop=stop,
            on_progress=on_progress,
        )
        try:
            if state is not None and source is not None:
                training.load_state_dict(state, source.parent, in_place=not is_child)
                if not is_child:
                    _rewind(run, parts.config, state)
            training.train(is_new=state is None or is_child)
        finally:
            parts.close()
        if parts.config.test.episodes:
            training.report("testing", force=True)
            final = checkpoint_name(training.counters.env_steps)
            play_final_test(parts.config, run, run.directory / CHECKPOINTS / final, stop=stop)
    return Finished(run.directory, "completed", training.counters.env_steps)


def _rewind(run: Run, config: TrainConfig, state: dict[str, Any]) -> None:
    counters, latest = state["counters"], dict(state["latest_metrics"])
    metric, best = config.benchmark.best_metric, None
    if metric is not None and counters["best_step"] is not None:
        best = {
            "step": counters["best_step"],
            "metric_name": metric,
            "metric_value": counters["best_value"],
        }
        # the checkpoint of a new best is taken just before it is marked as such
        latest[f"best_{metric}"] = counters["best_value"]
    run.rewind(
        state["positions"],
        step=counters["env_steps"],
        best=best,
        latest_metrics=latest,
        non_finite=state["non_finite_metrics"],
    )


def _start_again(
    record: RunRecord,
    config: TrainConfig,
    total_timesteps: int | None,
    command: Sequence[str] | None,
    on_progress: OnProgress | None,
) -> Finished:
    """A run killed before its first checkpoint: from where it began, in its directory."""
    if total_timesteps not in (None, config.total_timesteps):
        is_over = record.status == "completed"
        again = "" if is_over else "leave out --total-timesteps to start it again, or "
        raise CheckpointError(
            f"{record.directory}: has no checkpoint to continue from",
            hint=f"{again}train a new run",
        )
    parent = record.metadata.get("parent")
    state, source = None, None
    if parent is not None:
        source = Path(parent["path"])
        state = checkpoints.load(source)
        require_same_work(state, config, source)
    parts = build(config)
    if state is not None and source is not None:
        parts.restore(state, source.parent)
    run = Run.reopen(record.directory, command=command, device=parts.device, engine=parts.engine)
    run.restart()
    finished = _train(
        parts, run, on_progress, state=state, source=source, is_child=parent is not None
    )
    return replace(finished, note="it had no checkpoint yet and was started again")


def _already_complete(
    record: RunRecord,
    config: TrainConfig,
    reached: int,
    total: int,
    command: Sequence[str] | None,
) -> Finished:
    """A run that needs no more steps; one that was killed just before saying so is completed."""
    note = (
        f"already complete at step {reached:,}; to train on: "
        + shlex.join(["axiomrl", "resume", str(record.directory)])
        + f" --total-timesteps {2 * config.total_timesteps}"
    )
    lacks_test = lacks_final_test(config, record.metadata.get("latest_metrics"))
    is_unfinished = record.status != "completed"
    if (is_unfinished or lacks_test) and total == config.total_timesteps:
        final = record.checkpoints()[-1]
        state = checkpoints.load(final)
        with Run.reopen(record.directory, command=command) as run, stop_on_signals() as stop:
            if is_unfinished:
                _rewind(run, config, state)
            run.record_progress(
                env_steps=reached,
                gradient_steps=state["gradient_steps"],
                duration_s=state["counters"]["duration_s"],
            )
            play_final_test(config, run, final, stop=stop)
    return Finished(record.directory, "completed", reached, note)
