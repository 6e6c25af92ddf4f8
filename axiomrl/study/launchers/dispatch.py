"""Hands jobs to a pool of workers, and tells how they ended: what all launchers but one share.

A pool knows how to have a job computed somewhere; when to draw one, what a worker's death means
and what a signal asks for is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from axiomrl.errors import Interrupted, RunAliveError, WorkerLostError
from axiomrl.runs.provenance import described_error
from axiomrl.study.launchers.contract import Job, JobOutcome, JobProgress, OnJobProgress

PAUSE_S = 0.2  # between two looks at whether a signal has come


@dataclass(frozen=True, kw_only=True)
class Told:
    """A worker has told how far a job is."""

    ticket: int
    progress: JobProgress


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A worker is done with a job."""

    ticket: int
    state: Literal["completed", "failed", "interrupted"]
    error: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Lost:
    """The worker of a job is gone, for sure; `why` completes `the worker …`."""

    ticket: int
    why: str


@dataclass(frozen=True, kw_only=True)
class Busy:
    """Some other living process writes the run of a job."""

    ticket: int
    message: str
    hint: str | None


Event = Told | Ended | Lost | Busy


class Pool(Protocol):
    """Somewhere that jobs can be computed; each is known by a number, its ticket."""

    def begin(self, ticket: int, job: Job) -> None:
        """Have a job computed; also again, by another worker, after it was lost."""

    def wait(self, timeout_s: float) -> list[Event]:
        """What has happened since the last call; waits for something, but not for long."""

    def ask_to_end(self, ticket: int) -> None:
        """Ask for an early, checkpointed end of a job; its outcome is still told."""

    def close(self, *, at_once: bool) -> None:
        """End what still runs, checkpointed unless `at_once`, and the workers."""


def dispatch(
    open_pool: Callable[[], Pool],
    jobs: Iterable[Job],
    *,
    n_workers: int,
    retries: int,
    on_progress: OnJobProgress | None,
) -> Generator[JobOutcome, None, None]:
    """See `Launcher.run`; a job whose worker is lost is begun again `retries` times at most."""
    from axiomrl.training.interrupts import stop_on_signals

    with stop_on_signals() as stop:
        desk = _Desk(open_pool(), retries, on_progress)
        waiting = iter(jobs)
        at_once, is_drawn_empty = False, False
        try:
            while True:
                yield from desk.outcomes(0.0)
                if stop.signal_number is not None:
                    desk.end_early()
                elif not is_drawn_empty and desk.n_running < n_workers:
                    job = next(waiting, None)
                    is_drawn_empty = job is None
                    if job is not None:
                        desk.begin(job)
                    continue
                if not desk.n_running:
                    break
                yield from desk.outcomes(PAUSE_S)
            if stop.signal_number is not None:
                raise Interrupted("interrupted", signal_number=stop.signal_number)
        except (Interrupted, KeyboardInterrupt):
            at_once = desk.n_running > 0  # the second signal
            raise
        finally:
            desk.pool.close(at_once=at_once)


class _Desk:
    """The jobs that run, and what is known of them."""

    def __init__(self, pool: Pool, retries: int, on_progress: OnJobProgress | None) -> None:
        self.pool = pool
        self._retries = retries
        self._on_progress = on_progress
        self._jobs: dict[int, Job] = {}
        self._losses: dict[int, int] = {}
        self._asked: set[int] = set()  # to end early
        self._next_ticket = 0

    @property
    def n_running(self) -> int:
        return len(self._jobs)

    def begin(self, job: Job) -> None:
        ticket, self._next_ticket = self._next_ticket, self._next_ticket + 1
        self._jobs[ticket] = job
        self.pool.begin(ticket, job)

    def end_early(self) -> None:
        """Ask for the end of everything, once."""
        for ticket in self._jobs.keys() - self._asked:
            self._ask(ticket)

    def outcomes(self, timeout_s: float) -> Iterator[JobOutcome]:
        """The outcomes that are there now; waits for the next event if there is none."""
        events = self.pool.wait(timeout_s) if self._jobs else []
        while events:
            for event in events:
                job = self._jobs.get(event.ticket)
                outcome = None if job is None else self._outcome(event, job)
                if outcome is not None:
                    del self._jobs[event.ticket]
                    self._asked.discard(event.ticket)
                    yield outcome
            events = self.pool.wait(0.0) if self._jobs else []  # what came while they were told

    def _outcome(self, event: Event, job: Job) -> JobOutcome | None:
        if isinstance(event, Told):
            if self._on_progress is not None and self._on_progress(job, event.progress):
                self._ask(event.ticket)
            return None
        if isinstance(event, Ended):
            return JobOutcome(job=job, state=event.state, error=event.error)
        if isinstance(event, Busy):
            raise RunAliveError(event.message, hint=event.hint)
        return self._after_loss(event, job)

    def _after_loss(self, event: Lost, job: Job) -> JobOutcome | None:
        if event.ticket in self._asked:  # it was to end anyway
            return JobOutcome(job=job, state="interrupted")
        losses = self._losses[event.ticket] = self._losses.get(event.ticket, 0) + 1
        if losses <= self._retries:
            self.pool.begin(event.ticket, job)
            return None
        error = WorkerLostError(
            f"{job.name}: the worker {event.why}, the last of {losses} that were lost with it",
            hint="see whether memory was short; the launcher option `retries` allows more of them",
        )
        return JobOutcome(job=job, state="failed", error=described_error(error))

    def _ask(self, ticket: int) -> None:
        if ticket not in self._asked:
            self._asked.add(ticket)
            self.pool.ask_to_end(ticket)
