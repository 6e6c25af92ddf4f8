"""One job after another in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from axiomrl.errors import Interrupted
from axiomrl.study.launchers.contract import Job, JobOutcome, JobProgress, OnJobProgress
from axiomrl.study.launchers.worker import execute


class InlineLauncher:
    """A `Launcher` that computes every job here; the caller waits meanwhile."""

    n_workers = 1

    def run(
        self, jobs: Iterable[Job], *, on_progress: OnJobProgress | None = None
    ) -> Iterator[JobOutcome]:
        """See `Launcher.run`."""
        from axiomrl.training.interrupts import stop_on_signals

        with stop_on_signals() as stop:
            for job in jobs:
                if stop.signal_number is not None:
                    raise Interrupted("interrupted", signal_number=stop.signal_number)
                try:
                    yield execute(job, _teller(job, on_progress))
                except Interrupted:
                    yield JobOutcome(job=job, state="interrupted")
                    raise


def _teller(job: Job, on_progress: OnJobProgress | None) -> Callable[[JobProgress], bool | None]:
    def told(progress: JobProgress) -> bool | None:
        return None if on_progress is None else on_progress(job, progress)

    return told
