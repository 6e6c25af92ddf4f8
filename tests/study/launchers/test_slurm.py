"""Slurm's ways: time limits, secrets in the files of submitted jobs, what is missing."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from axiomrl.errors import InputError
from axiomrl.study.launchers.contract import Job, JobProgress
from axiomrl.study.launchers.opening import open_launcher
from axiomrl.study.launchers.slurm import _parameters
from axiomrl.study.launchers.worker import execute

from .jobs import SLOW_S, hurry, job, metadata_of, rows_of

LOCAL = {"executor": "local"}


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.slow
def test_a_job_whose_time_is_up_is_queued_again_and_goes_on(tmp_path: Path) -> None:
    whole = job(tmp_path / "whole", 1)
    assert execute(whole).state == "completed"
    slow = job(tmp_path, 1, step_s=SLOW_S)
    workers: list[int] = []

    def time_is_up(job: Job, progress: JobProgress) -> None:
        worker = metadata_of(job)["process"]["pid"]
        if progress.env_steps > 0 and not workers:
            workers.append(worker)
            os.kill(worker, signal.SIGUSR2)  # as Slurm does, some time before it kills
        elif workers and worker != workers[0]:
            hurry(tmp_path)

    launcher = open_launcher("slurm", n_workers=1, options={**LOCAL, "retries": 0})
    (outcome,) = launcher.run([slow], on_progress=time_is_up)
    assert outcome.state == "completed"  # without a retry: it was the same Slurm job
    metadata = metadata_of(slow)
    assert metadata["process"]["pid"] != workers[0]
    assert len(metadata["resumes"]) == 1
    assert rows_of(slow) == rows_of(whole)


def test_what_is_submitted_is_private_and_goes_when_it_is_done(tmp_path: Path) -> None:
    secret = "hf_abcdefghijklmnopqrstuvwxyz"
    slow = job(tmp_path, 2, step_s=0.001)
    failing = job(tmp_path, 1, env_id="no_such:Nowhere-v0", environment={"kwargs": {"key": secret}})
    seen: list[tuple[int, bool]] = []

    def look(job: Job, progress: JobProgress) -> None:
        (folder,) = tmp_path.glob(".launcher-*")
        holds_it = any(secret.encode() in path.read_bytes() for path in files_below(folder))
        seen.append((stat.S_IMODE(folder.stat().st_mode), holds_it))

    launcher = open_launcher("slurm", n_workers=2, options=LOCAL)
    outcomes = list(launcher.run([slow, failing], on_progress=look))
    assert sorted(outcome.state for outcome in outcomes) == ["completed", "failed"]
    assert {mode for mode, _ in seen} == {0o700}
    assert list(tmp_path.glob(".launcher-*")) == []


def test_the_log_of_a_lost_job_stays(tmp_path: Path) -> None:
    deadly = job(tmp_path, 1, env_id="tests.study.launchers.deadly:CartPole-v1")
    launcher = open_launcher("slurm", n_workers=1, options={**LOCAL, "retries": 0})
    (outcome,) = launcher.run([deadly])
    assert outcome.error is not None
    (folder,) = tmp_path.glob(".launcher-*")
    logs = files_below(folder)
    assert {path.suffix for path in logs} == {".out", ".err"}
    assert any(str(path) in outcome.error["message"] for path in logs)


def test_options_reach_submitit_under_its_names() -> None:
    assert _parameters(
        {"timeout_min": 5, "partition": "gpu", "setup": "module load a; source b", "retries": 1}
    ) == {"timeout_min": 5, "slurm_partition": "gpu", "slurm_setup": ["module load a", "source b"]}


def test_without_slurm_it_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="no sbatch on this machine"):
        open_launcher("slurm")


def test_jobs_that_may_run_at_once_are_submitted_as_one_array(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With an sbatch that only notes what it is given, and refuses it."""
    programs, noted = tmp_path / "bin", tmp_path / "noted"
    programs.mkdir()
    refuse = f'cat "$1" > {noted}; echo "invalid partition" >&2; exit 1'
    for name, body in {"sbatch": refuse, "srun": "true", "sacct": "true"}.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    options = {"timeout_min": 90, "partition": "gpu", "mem_gb": "2", "cpus_per_task": 2}
    launcher = open_launcher("slurm", n_workers=3, options=options)
    drawn: list[int] = []

    def jobs() -> Iterator[Job]:
        for seed in range(9):
            drawn.append(seed)
            yield job(tmp_path / "runs", seed)

    with pytest.raises(InputError, match=r"were not accepted: .*invalid partition"):
        next(launcher.run(jobs()))
    assert drawn == [0, 1, 2]
    lines = noted.read_text().splitlines()
    for wanted in ("array=0-2%3", "partition=gpu", "time=90", "mem=2GB", "cpus-per-task=2"):
        assert f"#SBATCH --{wanted}" in lines
    assert not any((tmp_path / "runs").iterdir())
