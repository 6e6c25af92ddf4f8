"""What every launcher does alike: order, failures, early ends, dead workers, going on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from axiomrl.study.launchers.contract import Job, JobOutcome, JobProgress, Launcher
from axiomrl.study.launchers.opening import open_launcher
from axiomrl.study.launchers.worker import execute

from .jobs import SLOW_S, hurry, job, metadata_of, rows_of

ROOT = Path(__file__).resolve().parents[3]
OPTIONS: dict[str, dict[str, str]] = {
    "inline": {},
    "process": {},
    "ray": {},
    "slurm": {"executor": "local"},
}
SLOW = {"ray": pytest.mark.slow, "slurm": pytest.mark.slow}
ALL = [pytest.param(name, marks=SLOW.get(name, ())) for name in OPTIONS]
ELSEWHERE = ALL[1:]  # jobs run in other processes
SEEDS = (3, 1, 2)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """The metrics of every run that these tests make, made in one go."""
    folder = tmp_path_factory.mktemp("undisturbed")
    jobs = [job(folder, seed) for seed in SEEDS]
    assert [execute(each).state for each in jobs] == ["completed"] * len(jobs)
    return {each.name: rows_of(each) for each in jobs}


def opened(name: str, n_workers: int = 1) -> Launcher:
    return open_launcher(name, n_workers=n_workers, options=OPTIONS[name])


@pytest.fixture(scope="module")
def _one_ray() -> Iterator[None]:
    """Starting a Ray takes seconds: that of a program is used by all the launchers in it."""
    import ray

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture(autouse=True)
def _ray_if_needed(request: pytest.FixtureRequest) -> None:
    if "[ray" in request.node.name:
        request.getfixturevalue("_one_ray")


@pytest.fixture(params=ALL)
def launcher(request: pytest.FixtureRequest) -> Launcher:
    """Each launcher, with one worker."""
    return opened(request.param)


def states(outcomes: list[JobOutcome]) -> dict[str, str]:
    return {outcome.job.name: outcome.state for outcome in outcomes}


def test_outcomes_come_before_the_next_job_is_drawn(launcher: Launcher, tmp_path: Path) -> None:
    told = []

    def jobs() -> Iterator[Job]:
        for seed in SEEDS:
            told.append(f"drawn seed{seed}")
            yield job(tmp_path, seed)

    for outcome in launcher.run(jobs()):
        told.append(f"{outcome.state} {outcome.job.name}")
    assert told == [line for seed in SEEDS
                    for line in (f"drawn seed{seed}", f"completed seed{seed}")]  # fmt: skip


def test_a_failing_job_keeps_no_other_from_running(launcher: Launcher, tmp_path: Path) -> None:
    jobs = [job(tmp_path, 1, env_id="no_such_module:Nowhere-v0"), job(tmp_path, 2)]
    failed, completed = launcher.run(jobs)
    assert (failed.job, failed.state) == (jobs[0], "failed")
    assert (completed.job, completed.state) == (jobs[1], "completed")
    assert failed.error is not None
    assert failed.error["type"] == "UnusableEnvironmentError"
    assert "no_such_module" in failed.error["message"]


def test_a_job_asked_to_end_is_checkpointed_and_goes_on_exactly(
    launcher: Launcher, tmp_path: Path, undisturbed: dict[str, list[dict[str, Any]]]
) -> None:
    jobs = [job(tmp_path, 1, step_s=SLOW_S)]

    def stop(job: Job, progress: JobProgress) -> bool:
        return progress.env_steps > 0

    assert states(list(launcher.run(jobs, on_progress=stop))) == {"seed1": "interrupted"}
    metadata = metadata_of(jobs[0])
    assert metadata["status"] == "interrupted"
    hurry(tmp_path)
    assert 0 < metadata["progress"]["env_steps"] < jobs[0].config.total_timesteps
    assert states(list(launcher.run(jobs))) == {"seed1": "completed"}
    assert rows_of(jobs[0]) == undisturbed["seed1"]


def test_completed_jobs_are_left_alone(launcher: Launcher, tmp_path: Path) -> None:
    jobs = [job(tmp_path, 1)]
    list(launcher.run(jobs))
    before = (jobs[0].directory / "metadata.json").read_bytes()
    assert states(list(launcher.run(jobs))) == {"seed1": "completed"}
    assert (jobs[0].directory / "metadata.json").read_bytes() == before


def test_a_closed_launcher_leaves_what_it_had_begun_resumable(
    launcher: Launcher, tmp_path: Path, undisturbed: dict[str, list[dict[str, Any]]]
) -> None:
    jobs = [job(tmp_path, 1), job(tmp_path, 2)]
    outcomes = launcher.run(iter(jobs))
    assert next(outcomes).job is jobs[0]
    outcomes.close()
    assert states(list(launcher.run(jobs))) == {"seed1": "completed", "seed2": "completed"}
    assert {each.name: rows_of(each) for each in jobs} == {
        name: undisturbed[name] for name in ("seed1", "seed2")
    }


@contextmanager
def program(name: str, folder: Path, *seeds: int, step_s: float = SLOW_S, n_workers: int = 1) -> (
    Iterator[subprocess.Popen[str]]
):  # fmt: skip
    """A process, in a group of its own, that runs a launcher."""
    words = [name, json.dumps(OPTIONS[name]), n_workers, folder, step_s, *seeds]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.study.launchers.program", *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def wait_for_steps(child: subprocess.Popen[str], *names: str) -> None:
    """Read what a program tells until all these jobs are beyond their first step."""
    assert child.stdout is not None
    missing = set(names)
    while missing:
        words = child.stdout.readline().split()
        assert words, "the program has ended"
        if words[0] == "progress" and int(words[2]) > 0:
            missing.discard(words[1])


def rest_of(child: subprocess.Popen[str]) -> dict[str, str]:
    """The outcomes that a program still tells of."""
    assert child.stdout is not None
    lines = [line.split() for line in child.stdout]
    return {words[1]: words[2] for words in lines if words[0] == "ended"}


@pytest.mark.parametrize("name", ALL)
def test_an_interrupt_leaves_everything_resumable(
    name: str, tmp_path: Path, undisturbed: dict[str, list[dict[str, Any]]]
) -> None:
    with program(name, tmp_path, *SEEDS) as child:
        wait_for_steps(child, "seed3")
        os.killpg(child.pid, signal.SIGINT)  # as a terminal does at Ctrl-C
        assert rest_of(child) == {"seed3": "interrupted"}
        assert child.wait(60) == 128 + signal.SIGINT
    hurry(tmp_path)
    jobs = [job(tmp_path, seed) for seed in SEEDS]
    assert metadata_of(jobs[0])["status"] == "interrupted"
    assert not jobs[1].directory.exists()
    assert set(states(list(opened(name).run(jobs))).values()) == {"completed"}
    assert {each.name: rows_of(each) for each in jobs} == undisturbed
    assert len(metadata_of(jobs[0])["resumes"]) == 1


@pytest.mark.parametrize("name", ELSEWHERE)
def test_the_run_of_a_killed_worker_goes_on_from_its_checkpoint(
    name: str, tmp_path: Path, undisturbed: dict[str, list[dict[str, Any]]]
) -> None:
    jobs = [job(tmp_path, 1, step_s=SLOW_S), job(tmp_path, 2)]
    killed: list[int] = []

    def kill(job: Job, progress: JobProgress) -> None:
        if progress.env_steps > 0 and not killed:
            killed.append(metadata_of(job)["process"]["pid"])
            os.kill(killed[0], signal.SIGKILL)
            hurry(tmp_path)

    assert states(list(opened(name).run(jobs, on_progress=kill))) == {
        "seed1": "completed",
        "seed2": "completed",
    }
    assert killed
    assert killed[0] != os.getpid()
    metadata = metadata_of(jobs[0])
    assert metadata["process"]["pid"] != killed[0]
    assert len(metadata["resumes"]) == 1  # it was not begun again
    assert {each.name: rows_of(each) for each in jobs} == {
        name: undisturbed[name] for name in ("seed1", "seed2")
    }


@pytest.mark.parametrize("name", ELSEWHERE)
def test_several_jobs_run_at_once(name: str, tmp_path: Path) -> None:
    jobs = [job(tmp_path, seed, step_s=SLOW_S) for seed in (1, 2)]
    running: set[str] = set()

    def stop_when_both_run(job: Job, progress: JobProgress) -> bool:
        if progress.env_steps > 0:
            running.add(job.name)
        return len(running) == 2

    outcomes = list(opened(name, n_workers=2).run(jobs, on_progress=stop_when_both_run))
    assert running == {"seed1", "seed2"}
    assert set(states(outcomes).values()) <= {"interrupted", "completed"}
    pids = {metadata_of(each)["process"]["pid"] for each in jobs}
    assert len(pids - {os.getpid()}) == 2


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_job_whose_workers_always_die_fails_and_says_so(name: str, tmp_path: Path) -> None:
    launcher = open_launcher(name, n_workers=1, options={**OPTIONS[name], "retries": "1"})
    deadly = job(tmp_path, 1, env_id="tests.study.launchers.deadly:CartPole-v1")
    failed, completed = launcher.run([deadly, job(tmp_path, 2)])
    assert (failed.state, completed.state) == ("failed", "completed")
    assert failed.error is not None
    assert failed.error["type"] == "WorkerLostError"
    assert "the last of 2 that were lost with it" in failed.error["message"]
