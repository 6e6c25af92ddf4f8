"""Handing out jobs, with a pool whose events are made up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from axiomrl.errors import RunAliveError
from axiomrl.study.launchers.contract import Job, JobProgress
from axiomrl.study.launchers.dispatch import Busy, Ended, Event, Lost, Told, dispatch

from .jobs import job

PROGRESS = JobProgress(env_steps=1, total_timesteps=2, env_steps_per_s=1.0, phase="training")


class Pool:
    """Gives the events of a script, one list at a time, and notes what it is asked for."""

    def __init__(self, *script: list[Event]) -> None:
        self.script = list(script)
        self.noted: list[str] = []

    def begin(self, ticket: int, job: Job) -> None:
        self.noted.append(f"begin {ticket}")

    def wait(self, timeout_s: float) -> list[Event]:
        return self.script.pop(0) if timeout_s else []

    def ask_to_end(self, ticket: int) -> None:
        self.noted.append(f"end {ticket}")

    def close(self, *, at_once: bool) -> None:
        self.noted.append("close at once" if at_once else "close")


class Eager(Pool):
    """Ends every job of its own accord, one at a look, once so many have been begun."""

    def __init__(self, begun: int) -> None:
        super().__init__()
        self.begun = begun
        self.n_ended = 0

    def wait(self, timeout_s: float) -> list[Event]:
        n_begun = len(self.noted)
        if n_begun < self.begun or self.n_ended == n_begun:
            return []
        self.n_ended += 1
        return [Ended(ticket=self.n_ended - 1, state="completed")]


def handed_out(pool: Pool, jobs: Iterator[Job], **options: Any) -> Iterator[Any]:
    settings: dict[str, Any] = {"n_workers": 2, "retries": 1, "on_progress": None}
    return dispatch(lambda: pool, jobs, **{**settings, **options})


@pytest.fixture
def jobs(tmp_path: Path) -> Callable[[int], Iterator[Job]]:
    return lambda count: (job(tmp_path, seed) for seed in range(count))


@pytest.mark.parametrize(
    ("begun", "order"),
    [
        (1, ["drawn 0", "ended 0", "drawn 1", "ended 1", "drawn 2", "ended 2"]),
        (2, ["drawn 0", "drawn 1", "ended 0", "ended 1", "drawn 2", "ended 2"]),
    ],
)
def test_all_outcomes_that_are_known_come_before_the_next_job_is_drawn(
    begun: int, order: list[str], tmp_path: Path
) -> None:
    told: list[str] = []

    def drawn() -> Iterator[Job]:
        for seed in range(3):
            told.append(f"drawn {seed}")
            yield job(tmp_path, seed)

    for outcome in handed_out(Eager(begun), drawn()):
        told.append(f"ended {outcome.job.config.seed}")
    assert told == order


def test_a_lost_job_is_begun_again_as_often_as_allowed(jobs: Any) -> None:
    lost: list[Event] = [Lost(ticket=0, why="was ended by SIGKILL")]
    pool = Pool(lost, [Ended(ticket=0, state="completed")])
    assert [each.state for each in handed_out(pool, jobs(1))] == ["completed"]
    assert pool.noted == ["begin 0", "begin 0", "close"]
    pool = Pool(lost, lost)
    (outcome,) = handed_out(pool, jobs(1))
    assert outcome.state == "failed"
    assert "the worker was ended by SIGKILL, the last of 2" in outcome.error["message"]


def test_an_end_is_asked_for_once_and_a_loss_after_that_is_no_failure(jobs: Any) -> None:
    told: list[Event] = [Told(ticket=0, progress=PROGRESS)]
    pool = Pool(told, told, [Lost(ticket=0, why="is gone")])
    outcomes = handed_out(pool, jobs(1), on_progress=lambda job, progress: True)
    assert [each.state for each in outcomes] == ["interrupted"]
    assert pool.noted == ["begin 0", "end 0", "close"]


def test_a_run_that_another_process_writes_ends_everything(jobs: Any) -> None:
    pool = Pool([Busy(ticket=1, message="process 7 writes it", hint="wait")])
    with pytest.raises(RunAliveError, match="process 7"):
        list(handed_out(pool, jobs(2)))
    assert pool.noted[-1] == "close"


def test_what_the_caller_raises_ends_the_workers(jobs: Any) -> None:
    def fail(job: Job, progress: JobProgress) -> bool:
        raise ZeroDivisionError

    pool = Pool([Told(ticket=0, progress=PROGRESS)])
    with pytest.raises(ZeroDivisionError):
        list(handed_out(pool, jobs(1), on_progress=fail))
    assert pool.noted[-1] == "close"
