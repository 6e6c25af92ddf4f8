"""One job after another in this process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable

from axiomrl.errors import Interrupted
from axiomrl.study.launchers.contract import Job, JobOutcome, JobProgress, OnJobProgress
from axiomrl.study.launchers.worker import Tell, execute

Execute = Callable[[Job, Tell | None], JobOutcome]
"""Brings one job to its end: `execute`, or a stand-in for it."""


class InlineLauncher:
    """A `Launcher` that computes every job here; the caller waits meanwhile."""

    def __init__(self, execute: Execute = execute) -> None:
        self.n_workers = 1
        self._execute = execute

    def run(
        self, jobs: Iterable[Job], *, on_progress: OnJobProgress | None = None
    ) -> Generator[JobOutcome, None, None]:
        """See `Launcher.run`."""
        from axiomrl.training.interrupts import stop_on_signals

        with stop_on_signals() as stop:
            waiting = iter(jobs)
            while stop.signal_number is None:
                job = next(waiting, None)
                if job is None:
                    return
                try:
                    outcome = self._execute(job, _teller(job, on_progress))
                except Interrupted:
                    yield JobOutcome(job=job, state="interrupted")
                    raise
                yield outcome
            raise Interrupted("interrupted", signal_number=stop.signal_number)


def _teller(job: Job, on_progress: OnJobProgress | None) -> Tell:
    def told(progress: JobProgress) -> bool | None:
        return None if on_progress is None else on_progress(job, progress)

    return told
