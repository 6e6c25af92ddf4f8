"""Studies whose runs are computed several at once, by worker processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest

from axiomrl.config import TrainConfig, config_from_mapping, config_to_mapping
from axiomrl.errors import InputError
from axiomrl.runs.provenance import is_alive
from axiomrl.runs.record import RunRecord
from axiomrl.study.launchers.contract import Job, JobOutcome, JobProgress
from axiomrl.study.launchers.inline import InlineLauncher
from axiomrl.study.plan import Plan, PlannedRun
from axiomrl.study.runner import Display, run_study

from .conftest import state_in, states_in, summary_in
from .launchers.jobs import SLOW_S, hurry, job, rows_of

ROOT = Path(__file__).resolve().parents[2]
SEEDS = [3, 1, 2]
DEADLINE_S = 60.0


def values(folder: Path, *, slow: bool = False, **runner: Any) -> dict[str, Any]:
    """A study of three runs, two at once; slow ones until `hurry(folder.parent)`."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    one = job(folder.parent, 0, step_s=SLOW_S if slow else None)
    launched = {"launcher": "process", "n_workers": 2, **runner}
    settings = {"seeds": SEEDS, "output_base_dir": str(folder), **launched}
    return {
        **config_to_mapping(one.config),
        "mode": "run-experiments",
        "experiments_runner": settings,
    }


def study(folder: Path, **options: Any) -> TrainConfig:
    return config_from_mapping(values(folder, **options))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study, run here and undisturbed."""
    folder = tmp_path_factory.mktemp("whole") / "study"
    assert run_study(study(folder, launcher="inline", n_workers=None)).is_completed
    return folder


def rows(folder: Path) -> list[Any]:
    names = [run["directory"] for run in state_in(folder)["runs"]]
    return [rows_of_directory(folder / name) for name in names]


def rows_of_directory(directory: Path) -> list[dict[str, Any]]:
    one = job(directory.parent, 0)
    return rows_of(type(one)(name=one.name, config=one.config, directory=directory))


def test_runs_at_once_come_to_the_same_as_one_after_another(whole: Path, folder: Path) -> None:
    seen: list[list[str]] = []

    class Looking(Display):
        def progressed(self, plan: Plan, run: PlannedRun, progress: JobProgress) -> None:
            seen.append(states_in(folder))
            if seen[-1].count("running") == 2:
                hurry(folder.parent)

    assert run_study(study(folder, slow=True), display=Looking()).is_completed
    assert ["running", "running", "pending"] in seen
    assert summary_in(folder) == summary_in(whole)
    assert rows(folder) == rows(whole)
    assert state_in(folder)["runner"] is None


def test_a_run_that_a_worker_has_is_running_whatever_others_come_to(folder: Path) -> None:
    class Begun(InlineLauncher):
        """Has drawn every job, and made nothing of the first one yet."""

        def run(self, jobs: Iterable[Job], **options: Any) -> Generator[JobOutcome, None, None]:
            first, *others = jobs
            yield from super().run(others, **options)
            states.append(states_in(folder))
            yield from super().run([first], **options)

    states: list[list[str]] = []
    config = study(folder, launcher="inline", n_workers=None)
    assert run_study(config, launcher=Begun()).is_completed
    assert states == [["running", "completed", "completed"]]


def begun(folder: Path) -> subprocess.Popen[str]:
    """`axiomrl study run` with both workers in the middle of a run."""
    path = folder.parent / "study.yaml"
    path.write_text(json.dumps(values(folder, slow=True)))
    child = subprocess.Popen(
        [sys.executable, "-m", "axiomrl", "study", "run", str(path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + DEADLINE_S
    first = [folder / f"run_{number:02}_seed{seed}" for number, seed in enumerate(SEEDS[:2])]
    # the checkpoint of a step: the run is in its loop
    while not all(list((each / "checkpoints").glob("step_[1-9]*.pt")) for each in first):
        assert time.monotonic() < deadline
        assert child.poll() is None
        time.sleep(0.05)
    return child


def test_ctrl_c_leaves_a_study_resumable(whole: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    with begun(folder) as child:
        os.killpg(child.pid, signal.SIGINT)
        output, errors = child.communicate(timeout=DEADLINE_S)
    assert (child.returncode, output) == (130, "")
    assert "interrupted after 0 of 3 runs" in errors
    assert f"axiomrl study resume {folder}" in errors
    assert "run 1 of 3: ppo on CartPole-v1, seed 3" in errors
    assert states_in(folder) == ["interrupted", "interrupted", "pending"]
    hurry(folder.parent)
    assert run_study(study(folder, resume=True), allow_config_change=True).is_completed
    assert rows(folder) == rows(whole)


def test_a_killed_study_goes_on_exactly(whole: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    with begun(folder) as child:
        child.kill()
        child.communicate(timeout=DEADLINE_S)
    assert states_in(folder) == ["running", "running", "pending"]
    hurry(folder.parent)
    first = RunRecord.read(folder / "run_00_seed3")
    assert run_study(study(folder, resume=True), allow_config_change=True).is_completed
    assert not is_alive(first.metadata["process"])
    assert rows(folder) == rows(whole)
    assert summary_in(folder) == summary_in(whole)


def test_bad_input_leaves_nothing_behind(folder: Path) -> None:
    config = config_from_mapping({**values(folder), "env_id": "no_such:Nowhere-v0"})
    with pytest.raises(InputError, match="no_such"):
        run_study(config)
    assert not folder.exists()


def test_no_run_begins_after_a_failure_if_asked_to_stop(folder: Path) -> None:
    broken = {"path": "tests.study.launchers.broken:Broken", "kwargs": {}}
    changed = {
        **values(folder, n_workers=1, on_error="stop"),
        "environment": {"wrappers": [broken]},
    }
    outcome = run_study(config_from_mapping(changed))
    assert [run.state for run in outcome.plan.runs] == ["failed", "pending", "pending"]
    error = state_in(folder)["runs"][0]["error"]
    assert (error["type"], error["message"]) == ("ZeroDivisionError", "an unlucky step")
    assert "broken.py" in error["traceback"]
