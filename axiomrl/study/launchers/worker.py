"""What a worker does with a job, wherever it is."""

from __future__ import annotations

import importlib
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
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
PATIENCE_S = 20.0  # with a process that writes the run, but may be about to end
_PAUSE_S = 0.1

Tell = Callable[[JobProgress], bool | None]
"""Takes the progress of one job; True asks for its early end."""


def execute(
    job: Job,
    on_progress: Tell | None = None,
    *,
    must_end: Callable[[], bool] | None = None,
    interval_s: float | None = None,
) -> JobOutcome:
    """Bring the run of a job to its end, whatever is there of it.

    A completed one is left alone; one that was begun continues from its newest checkpoint, as
    the configuration in its directory says; else a new one is trained. What goes wrong is the
    outcome's error. `on_progress` is told every `interval_s` (a second), `must_end` asked more
    often; true from either ends the run early. Raises RunAliveError if another process writes the
    run, and Interrupted after a signal, but not after having been asked for an end.
    """
    interval_s = PROGRESS_INTERVAL_S if interval_s is None else interval_s
    asked, told_at = False, -math.inf

    def told(progress: TrainingProgress) -> bool:
        nonlocal asked, told_at
        now = time.monotonic()
        if on_progress is not None and not asked and now - told_at >= interval_s:
            told_at = now
            asked = bool(on_progress(_progress(progress)))
        asked = asked or (must_end is not None and must_end())
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


def execute_patiently(
    job: Job, on_progress: Tell | None, must_end: Callable[[], bool]
) -> JobOutcome:
    """As `execute`, but another writer of the run is waited for, and nothing begun in vain.

    That writer may be a worker whose launcher was killed, and which is ending for it.
    """
    deadline = time.monotonic() + PATIENCE_S
    while not must_end():
        try:
            return execute(job, on_progress, must_end=must_end)
        except RunAliveError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
    return JobOutcome(job=job, state="interrupted")


def handed_over(job: Job, *, threads: int) -> Job:
    """The job as a worker elsewhere gets it: with all that it cannot find out there.

    Paths are absolute, `command` is this process's unless it is given, and a run that is begun
    has no more than `threads`.
    """
    return replace(
        job,
        config=replace(job.config, threads=min(job.config.threads, threads)),
        directory=Path(os.path.abspath(job.directory)),
        command=tuple(sys.argv) if job.command is None else job.command,
    )


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
        duration_s=progress.duration_s,
        run_directory=progress.run_directory,
        replay_bytes=progress.replay_bytes,
    )
