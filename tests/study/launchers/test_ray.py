"""Ray's ways: a cluster that loses a node, resources, whose Ray is used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from axiomrl.config import config_from_mapping, config_to_mapping
from axiomrl.errors import InputError
from axiomrl.study.launchers.opening import open_launcher
from axiomrl.study.runner import run_study

from .jobs import SLOW_S, job

ROOT = Path(__file__).resolve().parents[3]
SEEDS = [11, 12, 13, 14]

ON_CLUSTER = '''
import json, pathlib, sys, time
import ray
from ray.cluster_utils import Cluster
from axiomrl.config import config_from_mapping
from axiomrl.runs.provenance import is_alive
from axiomrl.study.launchers.opening import open_launcher
from axiomrl.study.runner import Display, run_study
from tests.study.launchers.jobs import hurry

folder, values = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
second = cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
told = {"removed_at": None}

class Removing(Display):
    """Takes one of the two nodes away while both of them are at work."""

    steps = {}

    def progressed(self, plan, run, progress):
        self.steps[run.run] = progress.env_steps
        at_work = [number for number, steps in self.steps.items() if steps > 0]
        if len(at_work) == 2 and told["removed_at"] is None:
            told["removed_at"] = dict(self.steps)
            workers = [process_of(plan.runs[number]) for number in at_work]
            cluster.remove_node(second, allow_graceful=False)
            while all(map(is_alive, workers)):  # one notices, and ends, a little later
                time.sleep(0.05)
            hurry(folder.parent)

    def ended(self, plan, run, error):
        self.steps.pop(run.run, None)  # its node may have nothing to do

def process_of(run):
    (directory,) = folder.glob(f"run_{run.run:02}_*")
    return json.loads((directory / "metadata.json").read_text())["process"]

launcher = open_launcher("ray", options={"address": cluster.address})
told["n_workers"] = launcher.n_workers
outcome = run_study(config_from_mapping(values), launcher=launcher, display=Removing())
told["states"] = [run.state for run in outcome.plan.runs]
told["is_initialized"] = ray.is_initialized()
cluster.shutdown()
print(json.dumps(told))
'''


def study_of(folder: Path, slow_in: Path | None) -> dict[str, Any]:
    """A study of the jobs that these tests use."""
    step_s = None if slow_in is None else 4 * SLOW_S  # a node may take seconds to begin
    values = config_to_mapping(job(slow_in or folder.parent, 0, step_s=step_s).config)
    runner = {"seeds": SEEDS, "output_base_dir": str(folder)}
    return {**values, "mode": "run-experiments", "experiments_runner": runner}


def rows(directory: Path) -> list[dict[str, Any]]:
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    return [
        {name: value for name, value in json.loads(line).items() if name[:5] != "time_"}
        for line in lines
    ]


@pytest.mark.slow
def test_a_study_survives_the_loss_of_a_node(tmp_path: Path) -> None:
    whole, folder = tmp_path / "whole" / "study", tmp_path / "disturbed" / "study"
    assert run_study(config_from_mapping(study_of(whole, None))).is_completed
    folder.parent.mkdir()
    values = json.dumps(study_of(folder, folder.parent))
    done = subprocess.run(
        [sys.executable, "-c", ON_CLUSTER, str(folder), values],
        env={**os.environ, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["n_workers"] == 2
    assert told["removed_at"] is not None
    assert told["states"] == ["completed"] * 4
    assert told["is_initialized"] is False  # it was connected for this study
    times_resumed = []
    for number, seed in enumerate(SEEDS):
        run = f"run_{number:02}_seed{seed}"
        assert rows(folder / run) == rows(whole / run)
        metadata = json.loads((folder / run / "metadata.json").read_text())
        times_resumed.append(len(metadata.get("resumes", [])))
    assert sorted(times_resumed) == [0, 0, 0, 1]
    assert list(folder.glob(".launcher-*")) == []


@pytest.mark.slow
def test_a_ray_that_is_started_here_is_shut_down_again(tmp_path: Path) -> None:
    import ray

    launcher = open_launcher("ray", n_workers=1)
    assert not ray.is_initialized()
    outcomes = launcher.run([job(tmp_path, 1)])
    assert next(outcomes).state == "completed"
    assert ray.is_initialized()
    assert {node["NodeManagerAddress"] for node in ray.nodes()} == {"127.0.0.1"}
    outcomes.close()
    assert not ray.is_initialized()


def test_as_many_runs_as_the_resources_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    cores = len(os.sched_getaffinity(0))
    assert open_launcher("ray").n_workers <= cores
    options = {"num_cpus": 0, "num_gpus": 0.5}
    assert open_launcher("ray", options=options).n_workers == 6
    with pytest.raises(InputError, match="a run is to have 4 GPU, but there are 3 in all"):
        open_launcher("ray", options={"num_gpus": 4})


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for name in ("ray", "slurm"):
        with pytest.raises(InputError) as caught:
            open_launcher(name)
        assert caught.value.hint == f"install it: pip install 'axiomrl[{name}]'"
