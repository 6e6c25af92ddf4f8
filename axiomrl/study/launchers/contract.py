"""What a launcher is: it brings jobs to their end, in this process or in others.

What a run gave is in its directory, which launcher and caller share; a launcher reports only how
jobs stand.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from axiomrl.config.schema import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run to bring to its end in its directory; what is there of it already is continued."""

    name: str  # for people, and distinct among the jobs of one call: run_00_seed42
    config: TrainConfig  # a plain run's, with its seed
    directory: Path  # the run directory itself
    command: tuple[str, ...] | None = None  # what is recorded as the command; None: this process's
    imports: tuple[str, ...] = ()  # modules to import first: they register environments


@dataclass(frozen=True, kw_only=True)
class JobProgress:
    """How far the run of a job is; told about once a second."""

    env_steps: int
    total_timesteps: int
    env_steps_per_s: float
    phase: str  # training, evaluating, saving or testing
    rollout_return_mean: float | None = None
    eval_return_mean: float | None = None
    best: float | None = None
    duration_s: float = 0.0  # of training, resumed parts added up
    run_directory: Path = Path()
    replay_bytes: int = 0  # memory of the full replay buffer, if there is one


@dataclass(frozen=True, kw_only=True)
class JobOutcome:
    """How a job ended.

    `interrupted`: it was asked to end early, and can be continued. `error` is that of a failed
    job, as in metadata.json: type, message and traceback.
    """

    job: Job
    state: Literal["completed", "failed", "interrupted"]
    error: dict[str, Any] | None = None


OnJobProgress = Callable[[Job, JobProgress], bool | None]
"""Called while jobs run; True asks for that job to end early, checkpointed."""


class Launcher(Protocol):
    """Brings jobs to their end."""

    n_workers: int  # jobs that run at once

    def run(
        self, jobs: Iterable[Job], *, on_progress: OnJobProgress | None = None
    ) -> Generator[JobOutcome, None, None]:
        """The outcome of every job, as they come.

        Jobs are drawn in their order, one by one, each when a worker is free for it: a generator
        may decide on the next one by the outcomes so far, all of which have been yielded before.
        A job that fails does not keep others from running. A job whose worker dies is given to
        another one, which continues its run.

        After a signal, or when the caller closes the iterator, no job is begun; those that run
        are ended early and, after a signal, their outcomes are yielded before Interrupted is
        raised. Calling `run` again with the same jobs goes on from there.
        """
