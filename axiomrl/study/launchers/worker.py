"""What a worker does with a job, wherever it is."""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from axiomrl.errors import Interrupted, RunAliveError
from axiomrl.runs import layout
from axiomrl.runs.creation import remove_torn_directory
from axiomrl.runs.provenance import described_error
from axiomrl.runs.record import RunRecord
from axiomrl.study.launchers.contract import Job, JobOutcome, JobProgress

if TYPE_CHECKING:
    from axiomrl.training.loop import OnProgress, TrainingProgress

PROGRESS_INTERVAL_S = 1.0


def execute(
    job: Job, on_progress: Callable[[JobProgress], bool | None] | None = None
) -> JobOutcome:
    """Bring the run of a job to its end, whatever is there of it.

    A completed one is left alone; one that was begun continues from its newest checkpoint, as
    the configuration in its directory says; else a new one is trained. What goes wrong is the
    outcome's error. Raises RunAliveError if another process writes the run, and Interrupted
    after a signal, but not if it was `on_progress` that asked for an end.
    """
    asked, told_at = False, -math.inf

    def told(progress: TrainingProgress) -> bool:
        nonlocal asked, told_at
        now = time.monotonic()
        if on_progress is not None and not asked and now - told_at >= PROGRESS_INTERVAL_S:
            told_at = now
            asked = bool(on_progress(_progress(progress)))
        return asked

    try:
        for module in job.imports:
            importlib.import_module(module)
        _train(job, told)
    except RunAliveError:
        raise
    except Interrupted:
        if not asked:
            raise
        return JobOutcome(job=job, state="interrupted")
    except Exception as error:  # of any kind: an environment may raise what it likes
        return JobOutcome(job=job, state="failed", error=described_error(error))
    return JobOutcome(job=job, state="completed")


def _train(job: Job, on_progress: OnProgress) -> None:
    from axiomrl.training import session

    if (job.directory / layout.METADATA).exists():
        record = RunRecord.read(job.directory)
        if record.status != "completed":
            session.resume(record, command=job.command, on_progress=on_progress)
    else:
        remove_torn_directory(job.directory)
        session.start(
            job.config, directory=job.directory, command=job.command, on_progress=on_progress
        )


def _progress(progress: TrainingProgress) -> JobProgress:
    return JobProgress(
        env_steps=progress.env_steps,
        total_timesteps=progress.total_timesteps,
        env_steps_per_s=progress.env_steps_per_s,
        phase=progress.phase,
        rollout_return_mean=progress.rollout_return_mean,
        eval_return_mean=progress.eval_return_mean,
        best=progress.best,
    )
