"""A process killed at the worst moments leaves a run that resumes exactly."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from axiomrl.algorithms import ALGORITHMS
from axiomrl.runs.layout import checkpoint_step
from axiomrl.runs.record import RunRecord

from .resume_cases import NORMALIZED, Case, brief, schedule_case, simple_env, small_config
from .resume_harness import (
    ROOT,
    Ended,
    WholeRun,
    checkpoint_names,
    differences,
    metadata_of,
    only_run,
    resume,
    resume_here,
    rows_of,
    train,
    variables,
)

KILLED = -signal.SIGKILL
Whole = Callable[[Case], WholeRun]


def killed_run(case: Case, folder: Path, moment: str) -> Path:
    """The directory of a run whose process was killed at that moment."""
    ended = train(case.config, folder, interruption=f"SIGKILL {moment}")
    assert ended.code == KILLED, ended.stderr
    return only_run(folder)


def require_resumes_exactly(
    run: Path, whole: WholeRun, *, resume: Callable[[Path], Ended] = resume
) -> None:
    resumed = resume(run)
    assert resumed.code == 0, resumed.stderr
    assert differences(run, whole.directory) == []


def test_run_killed_before_its_first_checkpoint_starts_again(whole: Whole, tmp_path: Path) -> None:
    case = brief(schedule_case("ppo"))
    run = killed_run(case, tmp_path, "rename step_0.pt")
    assert RunRecord.read(run).status == "dead"
    assert RunRecord.read(run).checkpoints() == []
    require_resumes_exactly(run, whole(case), resume=resume_here)


@pytest.mark.slow
def test_run_killed_between_a_best_checkpoint_and_its_marking_resumes_exactly(
    whole: Whole, tmp_path: Path
) -> None:
    case = schedule_case("ppo")
    run = killed_run(case, tmp_path, "rename best.pt 2")
    best = metadata_of(run)["best_checkpoint"]["step"]
    newest = checkpoint_step(RunRecord.read(run).checkpoints()[-1])
    assert newest is not None
    assert newest > best
    require_resumes_exactly(run, whole(case))


def test_run_killed_while_it_is_being_resumed_resumes_exactly(whole: Whole, tmp_path: Path) -> None:
    case = brief(schedule_case("ppo"))
    run = killed_run(case, tmp_path, f"step {whole(case).env_steps // 2}")
    rows = len(rows_of(run))
    again = resume(run, interruption="SIGKILL truncate * 2")
    assert again.code == KILLED, again.stderr
    assert len(rows_of(run)) <= rows
    require_resumes_exactly(run, whole(case), resume=resume_here)


@pytest.mark.slow
@pytest.mark.parametrize("algo", sorted(ALGORITHMS))
def test_run_killed_before_its_first_periodic_checkpoint_resumes_from_step_0(
    algo: str, whole: Whole, tmp_path: Path
) -> None:
    config = small_config(
        algo, simple_env(algo), environment=NORMALIZED, checkpoint={"every": 2000}
    )
    case = Case(f"{algo}-late", {**config, "evaluation": {"every": 0}})
    run = killed_run(case, tmp_path, "step 1000")
    assert checkpoint_names(run) == {"step_0.pt"}
    require_resumes_exactly(run, whole(case))


@pytest.mark.slow
@pytest.mark.parametrize("algo", sorted(ALGORITHMS))
def test_run_killed_before_any_of_its_changes_to_files_resumes_exactly(
    algo: str, whole: Whole, tmp_path: Path
) -> None:
    case = short_case(algo)
    number, code = 0, KILLED
    while code == KILLED:
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        code = train(case.config, folder, interruption=f"SIGKILL change * {number}").code
        run = only_run(folder)
        if (run / "metadata.json").exists():
            require_resumes_exactly(run, whole(case))
    assert code == 0
    assert number > 20


@pytest.mark.slow
@pytest.mark.parametrize("algo", sorted(ALGORITHMS))
def test_run_killed_before_any_change_that_resuming_makes_resumes_exactly(
    algo: str, whole: Whole, tmp_path: Path
) -> None:
    case = short_case(algo)
    number, code = 0, KILLED
    while code == KILLED:
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        run = killed_run(case, folder, f"step {whole(case).env_steps // 2}")
        code = resume(run, interruption=f"SIGKILL change * {number}").code
        if code == KILLED:
            require_resumes_exactly(run, whole(case))
    assert code == 0
    assert number > 10


def short_case(algo: str) -> Case:
    """A run of few blocks, each of which changes files."""
    config = small_config(algo, simple_env(algo), num_envs=2)
    config |= {"total_timesteps": 1000, "checkpoint": {"every": 200, "keep": 1}}
    return Case(f"{algo}-short", {**config, "evaluation": {"every": 200, "episodes": 2}})


@pytest.mark.slow
def test_kill_benchmark_finds_no_damage_in_a_few_random_kills() -> None:
    ended = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "kill_test.py"), "--kills", "8"],
        env=variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
