"""Worker processes: what they get of the machine, and what becomes of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiomrl.runs.provenance import is_alive
from axiomrl.runs.record import RunRecord
from axiomrl.study.launchers import process
from axiomrl.study.launchers.contract import Job, JobProgress
from axiomrl.study.launchers.machine import share_of_cores, share_of_gpus
from axiomrl.study.launchers.opening import open_launcher

from .jobs import SLOW_S, STEPPING, hurry, job, metadata_of
from .test_contract import program, rest_of, wait_for_steps

ROOT = Path(__file__).resolve().parents[3]
DEADLINE_S = 60.0


def await_that(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, "it does not come to that"
        time.sleep(0.05)


def await_end(process: dict[str, object]) -> None:
    await_that(lambda: not is_alive(process))


def test_workers_of_a_killed_launcher_end_checkpointed(tmp_path: Path) -> None:
    with program("process", tmp_path, 1, step_s=SLOW_S) as child:
        wait_for_steps(child, "seed1")
        child.kill()
        child.wait()
    orphan = job(tmp_path, 1)
    await_end(metadata_of(orphan)["process"])
    assert metadata_of(orphan)["status"] == "interrupted"
    assert RunRecord.read(orphan.directory).checkpoints()


@pytest.mark.slow
def test_a_run_that_an_orphan_is_about_to_leave_is_waited_for(tmp_path: Path) -> None:
    with program("process", tmp_path, 1, step_s=SLOW_S) as child:
        wait_for_steps(child, "seed1")
        child.kill()
        child.wait()
        hurry(tmp_path)
        (outcome,) = open_launcher("process", n_workers=1).run([job(tmp_path, 1)])
    assert outcome.state == "completed"


def test_a_second_signal_kills_the_workers(tmp_path: Path) -> None:
    # no block of this run ever ends
    with program("process", tmp_path, 1, step_s=1000.0) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "progress seed1 0\n"
        await_that((tmp_path / STEPPING).exists)
        process = metadata_of(job(tmp_path, 1))["process"]
        os.killpg(child.pid, signal.SIGINT)
        time.sleep(0.5)  # two of one kind at once may be delivered as one
        os.killpg(child.pid, signal.SIGTERM)
        assert rest_of(child) == {}
        assert child.wait(DEADLINE_S) == 128 + signal.SIGTERM
    await_end(process)
    assert RunRecord.read(job(tmp_path, 1).directory).status == "dead"


def test_a_program_is_not_imported_again_by_its_workers(tmp_path: Path) -> None:
    script = tmp_path / "mine" / "script.py"  # without `if __name__ == "__main__"`
    script.parent.mkdir()
    (script.parent / "my_module.py").write_text("print('my_module is imported')\n")
    script.write_text(
        "import dataclasses, pathlib, sys\n"
        "from axiomrl.study.launchers.opening import open_launcher\n"
        "from tests.study.launchers.jobs import job\n"
        "print('the script is run')\n"
        f"one = job(pathlib.Path({str(tmp_path)!r}), 1)\n"
        "one = dataclasses.replace(one, imports=['my_module'])\n"
        "print([o.state for o in open_launcher('process', n_workers=1).run([one])])\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    # what workers print goes to stderr; the parent needs no torch
    assert done.stdout.splitlines() == ["the script is run", "['completed']", "False"]
    assert done.stderr.splitlines() == ["my_module is imported"]
    assert metadata_of(job(tmp_path, 1))["command"] == [str(script)]


def test_threads_are_limited_so_that_workers_share_the_cores(tmp_path: Path) -> None:
    cores = len(os.sched_getaffinity(0))
    wide = job(tmp_path, 1, threads=cores + 5)
    list(open_launcher("process", n_workers=cores).run([wide]))
    assert '"threads": 1' in (wide.directory / "config.yaml").read_text()


def test_a_job_gets_its_cores_and_gpus(tmp_path: Path) -> None:
    seen: list[tuple[set[int], str]] = []

    def look(job: Job, progress: JobProgress) -> None:
        pid = metadata_of(job)["process"]["pid"]
        assert os.getpgid(pid) != os.getpgid(0)  # Ctrl-C in a terminal does not reach it
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        (gpus,) = [each for each in variables if each.startswith(b"CUDA_VISIBLE_DEVICES=")]
        seen.append((os.sched_getaffinity(pid), gpus.decode()))

    launcher = open_launcher("process", n_workers=2, options={"gpus": "4,7"})
    list(launcher.run([job(tmp_path, 1, step_s=0.001)], on_progress=look))
    cores = sorted(os.sched_getaffinity(0))
    assert seen[0] == (set(share_of_cores(cores, 0, 2)), "CUDA_VISIBLE_DEVICES=4")


@given(st.sets(st.integers(0, 63), min_size=1), st.integers(1, 80))
def test_shares_of_cores_are_disjoint_while_they_last(cores: set[int], n_slots: int) -> None:
    shares = [share_of_cores(sorted(cores), slot, n_slots) for slot in range(n_slots)]
    assert all(shares)
    assert set().union(*shares) == cores
    if n_slots <= len(cores):
        assert sorted(core for share in shares for core in share) == sorted(cores)


def test_gpus_are_given_out_in_turn() -> None:
    gpus = ["0", "1", "2", "3"]
    assert [share_of_gpus(gpus, slot, 1) for slot in range(5)] == [
        ["0"],
        ["1"],
        ["2"],
        ["3"],
        ["0"],
    ]
    assert [share_of_gpus(gpus, slot, 2) for slot in range(3)] == [
        ["0", "1"],
        ["2", "3"],
        ["0", "1"],
    ]
    assert share_of_gpus(["0"], 1, 2) == ["0"]
    assert share_of_gpus([], 1, 2) == []


@pytest.mark.parametrize("name", ["retries", "gpus"])
def test_options_may_come_from_a_file(name: str) -> None:
    open_launcher("process", n_workers=1, options={name: 2})


def test_what_watches_a_worker_may_end_later_than_its_news(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = process._Worker._await_end

    def watch_and_linger(worker: process._Worker) -> None:
        watch(worker)
        time.sleep(0.3)

    monkeypatch.setattr(process._Worker, "_await_end", watch_and_linger)
    deadly = replace(job(tmp_path, 1), imports=("tests.study.launchers.deadly",))
    launcher = open_launcher("process", n_workers=1, options={"retries": 1})
    (outcome,) = launcher.run([deadly])
    assert outcome.state == "failed"
    assert outcome.error is not None
    assert "SIGKILL" in outcome.error["message"]


def test_what_a_worker_is_warned_of_is_said_in_the_launchers_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "warnoptions", [])  # else the worker takes warnings for errors
    large = {"n_steps": 32, "batch_size": 4096, "n_epochs": 1, "hidden_sizes": [8]}
    with pytest.warns(UserWarning, match="batch_size 4096 is larger"):
        (outcome,) = open_launcher("process", n_workers=1).run(
            [job(tmp_path, 1, hyperparameters=large)]
        )
    assert outcome.state == "completed"
