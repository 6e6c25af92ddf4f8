"""Studies of real training: killed and resumed, replayed from a seed, read by reports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from axiomrl import train
from axiomrl.config import ExperimentsRunnerConfig, config_from_mapping
from axiomrl.errors import InputError
from axiomrl.runs.record import RunRecord
from axiomrl.runs.store import RunStore
from axiomrl.study.launchers.contract import Job
from axiomrl.study.launchers.worker import execute
from axiomrl.study.runner import run_study
from tests.training.resume_harness import differences

from .conftest import state_in, states_in, summary_in

ROOT = Path(__file__).resolve().parents[2]
SEEDS = [42, 2**31 - 1]


def values(folder: Path, **runner: Any) -> dict[str, Any]:
    return {
        "algo": "ppo",
        "env_id": "CartPole-v1",
        "total_timesteps": 256,
        "hyperparameters": {"n_steps": 64, "batch_size": 32, "n_epochs": 1, "hidden_sizes": [8]},
        "evaluation": {"every": 128, "episodes": 2},
        "checkpoint": {"every": 64, "keep": 2},
        "test": {"episodes": 3},
        "mode": "run-experiments",
        "experiments_runner": {"seeds": SEEDS, "output_base_dir": str(folder), **runner},
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that nothing has interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "study"
    assert run_study(config_from_mapping(values(folder))).is_completed
    return folder


def rows_of(directory: Path) -> list[dict[str, Any]]:
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    return [
        {name: value for name, value in json.loads(line).items() if name[:5] != "time_"}
        for line in lines
    ]


def test_every_run_is_scored_and_reports_read_it(whole: Path) -> None:
    found = RunStore(whole).scan()
    assert found.problems == []
    assert {record.metadata["seed"] for record in found.records} == set(SEEDS)
    header = list(summary_in(whole)[0])
    assert {"eval_return_mean", "test_return_mean", "test_episodes"} <= set(header)
    assert not [name for name in header if name.startswith("time_")]


def test_a_run_replayed_from_its_seed_is_the_same_bit_for_bit(whole: Path, tmp_path: Path) -> None:
    plain = {**values(tmp_path), "mode": "train", "experiments_runner": {}}
    config = config_from_mapping({**plain, "seed": SEEDS[1], "output_dir": str(tmp_path)})
    directory = train(config).directory
    assert rows_of(directory) == rows_of(whole / f"run_01_seed{SEEDS[1]}")
    assert differences(directory, whole / f"run_01_seed{SEEDS[1]}") == []


# Forks one study for each signal, which ends it in its second run, when torch is loaded already.
STOPPED = """
import json, os, signal, sys
from pathlib import Path
import torch
from axiomrl.config import config_from_mapping
from axiomrl.study.launchers import worker
from axiomrl.study.runner import Display, run_study
from axiomrl.training import session

class Stopping(Display):
    def progressed(self, plan, run, progress):
        if run.run == 1 and progress.env_steps >= 128:
            os.kill(os.getpid(), number)

worker.PROGRESS_INTERVAL_S = 0.0

for number, folder, values in json.loads(sys.argv[1]):
    child = os.fork()
    if child == 0:
        try:
            run_study(config_from_mapping(values), display=Stopping())
        except BaseException as error:
            Path(folder, "error").write_text(type(error).__name__)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Stopped:
    """A study that a signal has ended in its second run."""

    place: Path  # holds the folder `study`, and `error`: what the process ended with, if anything
    code: int


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> dict[signal.Signals, Stopped]:
    places = {each: tmp_path_factory.mktemp(each.name) for each in (signal.SIGKILL, signal.SIGTERM)}
    studies = [(each, str(place), values(place / "study")) for each, place in places.items()]
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, json.dumps(studies)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    codes = map(int, done.stdout.split())
    return {each: Stopped(places[each], code) for each, code in zip(places, codes, strict=True)}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
def test_a_stopped_study_ends_as_if_it_had_never_stopped(
    whole: Path, stopped: dict[signal.Signals, Stopped], number: signal.Signals
) -> None:
    ended, folder = stopped[number], stopped[number].place / "study"
    second = RunRecord.read(folder / f"run_01_seed{SEEDS[1]}")
    if number == signal.SIGKILL:
        assert ended.code == -signal.SIGKILL
        assert (states_in(folder), second.status) == (["completed", "running"], "dead")
    else:
        assert (ended.place / "error").read_text() == "Interrupted"
        assert (states_in(folder)[1], second.status) == ("interrupted", "interrupted")
    first = (folder / f"run_00_seed{SEEDS[0]}" / "metadata.json").read_bytes()

    assert run_study(config_from_mapping(values(folder, resume=True))).is_completed
    assert summary_in(folder) == summary_in(whole)
    for run in state_in(folder)["runs"]:
        assert differences(folder / run["directory"], whole / run["directory"]) == []
    assert (folder / f"run_00_seed{SEEDS[0]}" / "metadata.json").read_bytes() == first
    assert "resumes" in RunRecord.read(second.directory).metadata  # not begun again


def one_run(folder: Path, **changes: Any) -> Job:
    plain = {**values(folder), "mode": "train", "experiments_runner": {}}
    config = config_from_mapping({**plain, **changes})
    return Job(name="run", config=config, directory=folder / "run")


def test_executing_a_job_reports_what_went_wrong(tmp_path: Path) -> None:
    outcome = execute(one_run(tmp_path, env_id="NoSuch-v0"))
    assert outcome.state == "failed"
    assert outcome.error is not None
    assert outcome.error["type"] == "UnusableEnvironmentError"
    assert not (tmp_path / "run").exists()


def test_executing_a_job_leaves_a_completed_run_alone(tmp_path: Path) -> None:
    job = one_run(tmp_path, total_timesteps=64)
    assert execute(job).state == "completed"
    before = (job.directory / "metadata.json").read_bytes()
    assert execute(job).state == "completed"
    assert (job.directory / "metadata.json").read_bytes() == before


def test_executing_a_job_makes_again_what_a_kill_left_half_made(tmp_path: Path) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "config.yaml").write_text("{}")
    assert execute(one_run(tmp_path, total_timesteps=64)).state == "completed"


def test_a_study_is_not_trained_as_one_run(tmp_path: Path) -> None:
    config = config_from_mapping(values(tmp_path))
    assert config.experiments_runner != ExperimentsRunnerConfig()
    with pytest.raises(InputError, match="mode: run-experiments"):
        train(config)
