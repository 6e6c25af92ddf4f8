"""`axiomrl tune`, with real training that takes a moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from axiomrl.cli.app import main
from axiomrl.config.dump import json_text
from axiomrl.runs.record import RunRecord

ROOT = Path(__file__).resolve().parents[2]
BASE = {
    "algo": "ppo",
    "env_id": "CartPole-v1",
    "total_timesteps": 256,
    "num_envs": 2,
    "hyperparameters": {"n_steps": 32, "batch_size": 32, "n_epochs": 1},
    "evaluation": {"every": 128, "episodes": 1},
    "logging": {"tensorboard": False},
}
SPACE = {
    "hyperparameters.gamma": {"type": "choice", "values": [0.9, 0.98, 0.99]},
    "hyperparameters.learning_rate": {"type": "loguniform", "low": 1e-4, "high": 1e-2},
}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_search(base: Any = BASE, **block: Any) -> str:
    search = {"name": "tiny", "n_trials": 3, "seeds": [1, 2], "space": SPACE, **block}
    Path("search.yaml").write_text(json_text({"mode": "tune", "base": base, "search": search}))
    return "search.yaml"


def tune(*words: str) -> int:
    return main(["tune", *words])


def test_a_search_is_run_reported_and_its_best_trained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert tune("--config", write_search()) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{Path('searches/tiny')}\n"
    assert "trial 0 of 3 (the base): gamma=0.99" in shown.err
    assert "next: axiomrl tune confirm searches/tiny" in shown.err

    assert tune("report", "searches/tiny", "--output-format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [trial["state"] for trial in told["trials"]] == ["completed"] * 3
    assert told["trials"][0]["is_base"]

    assert tune("best", "searches/tiny", "--output-file", "best.yaml") == 0
    assert tune("best", "searches/tiny", "--output-file", "best.yaml") == 2
    assert "--force" in capsys.readouterr().err
    assert tune("best", "searches/tiny", "--output-file", "best.yaml", "--force") == 0
    capsys.readouterr()
    assert main(["train", "--config", "best.yaml", "--quiet"]) == 0
    trained = RunRecord.read(Path(capsys.readouterr().out.strip()))
    assert trained.metadata["config_hash"] == told["best"]["config_hash"]


def test_the_runs_of_a_search_are_runs_like_any(capsys: pytest.CaptureFixture[str]) -> None:
    assert tune("--config", write_search(n_trials=2), "--quiet") == 0
    capsys.readouterr()
    assert main(["runs", "list", "--runs-dir", "searches/tiny", "--output-format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert len(rows) == 4
    assert {row["status"] for row in rows} == {"completed"}


def test_formats_of_the_report_go_by_the_files_suffix(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert tune("--config", write_search(n_trials=2), "--quiet") == 0
    for name, start in (("a.csv", "number,state,score"), ("a.md", ""), ("a.json", "{")):
        assert tune("report", "searches/tiny", "--output-file", name) == 0
        assert Path(name).read_text().startswith(start)
    assert tune("report", "searches/tiny", "--output-file", "a.xyz") == 2
    assert tune("report", "searches/tiny", "--output-file", "a.csv") == 2
    capsys.readouterr()


def test_the_best_are_confirmed_on_fresh_seeds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tune("--config", write_search(), "--quiet") == 0
    capsys.readouterr()
    words = ["confirm", "searches/tiny", "--top", "1", "--seeds", "3"]
    assert tune(*words, "--output-format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["seeds"]) == 3
    assert [each["n"] for each in told["candidates"]] == [3, 3]
    assert told["candidates"][0]["name"] == "base"
    assert told["verdict"]
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("metadata.json")}
    assert tune(*words[:2]) == 0
    assert "fresh seeds" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in Path().rglob("metadata.json")}
    with monkeypatch.context() as patch:
        patch.setattr("axiomrl.search.confirm.newly_best", lambda search, trials, plan: trials[2:])
        assert tune(*words[:2]) == 0
    assert "among the best since this confirmation was planned: trial 2" in capsys.readouterr().err


def test_plots_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert tune("--config", write_search(n_trials=5), "--quiet") == 0
    for kind in ("history", "slice", "importances"):
        assert tune("plot", kind, "searches/tiny", "--output-file", f"{kind}.svg") == 0
        assert Path(f"{kind}.svg").read_text().startswith("<?xml")
    assert tune("plot", "histroy", "searches/tiny") == 2
    assert "did you mean: history" in capsys.readouterr().err


def test_a_search_is_begun_or_gone_on_with_not_both(capsys: pytest.CaptureFixture[str]) -> None:
    path = write_search(n_trials=1)
    assert tune() == 2
    assert tune("--config", path, "--resume", "searches/tiny") == 2
    assert tune("--resume", "searches/tiny") == 2
    assert "holds no search" in capsys.readouterr().err
    assert tune("--config", path, "--quiet") == 0
    assert tune("--config", path) == 2
    assert "axiomrl tune --resume searches/tiny" in capsys.readouterr().err
    assert tune("--resume", "searches/tiny", "--set", "search.n_trials=5") == 2
    assert "for more trials: --n-trials N" in capsys.readouterr().err
    assert tune("--resume", "searches/tiny", "--quiet") == 0


def test_a_search_is_extended(capsys: pytest.CaptureFixture[str]) -> None:
    assert tune("--config", write_search(n_trials=5), "--n-trials", "1", "--quiet") == 0
    assert len(list(Path("searches/tiny/trials").iterdir())) == 1
    assert tune("--resume", "searches/tiny", "--n-trials", "2", "--quiet") == 0
    assert len(list(Path("searches/tiny/trials").iterdir())) == 2
    for n_trials, told in (("1", "has 2 trials"), ("0", "--n-trials"), ("many", "--n-trials")):
        capsys.readouterr()
        assert tune("--resume", "searches/tiny", "--n-trials", n_trials) == 2
        assert told in capsys.readouterr().err


def test_set_changes_base_and_search(capsys: pytest.CaptureFixture[str]) -> None:
    path = write_search()
    words = ["--set", "search.n_trials=1", "--set", "search.name=other", "--set", "num_envs=4"]
    assert tune("--config", path, "--quiet", *words) == 0
    (run, _) = sorted(Path("searches/other/trials").glob("*/*"))
    assert RunRecord.read(run).config()["num_envs"] == 4


def test_when_all_trials_fail_the_exit_code_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert tune("--config", write_search({**BASE, "env_id": "no_such:Env-v0"})) == 1
    told = capsys.readouterr().err
    assert "trial 0: failed: seed 1" in told
    assert "all trials failed" in told


def test_bad_words_are_refused_before_anything_is_made(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write_search()
    for words, told in (
        (["--launcher", "proces"], "did you mean: process"),
        (["--n-workers", "0"], "--n-workers"),
        (["--set", "search.sampler=tpee"], "did you mean: tpe"),
        (["--set", "search.pruner=medain"], "did you mean: median"),
        (["--set", "search.space.num_env={type: uniform, low: 1, high: 2}"], "num_env is not"),
    ):
        assert tune("--config", path, *words) == 2
        assert told in capsys.readouterr().err
    assert not Path("searches").exists()


def test_a_search_killed_while_it_trains_goes_on_with_the_same_numbers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    slow = {**BASE, "total_timesteps": 6_000, "checkpoint": {"every": 500}}
    path = write_search(slow, n_trials=2, seeds=[1])
    assert tune("--config", path, "--quiet", "--set", "search.name=whole") == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "axiomrl", "tune", "--config", path, "--quiet"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    checkpoints = Path("searches/tiny/trials/0001/seed1/checkpoints")
    deadline = time.monotonic() + 60
    while len(list(checkpoints.glob("step_*.pt"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert RunRecord.read(checkpoints.parent).status == "dead"
    assert tune("--resume", "searches/tiny", "--quiet") == 0
    capsys.readouterr()
    told = []
    for name in ("whole", "tiny"):
        assert tune("report", f"searches/{name}", "--output-format", "json") == 0
        trials = json.loads(capsys.readouterr().out)["trials"]
        told.append([(each["params"], each["score"]) for each in trials])
    assert told[0] == told[1]


def test_an_interrupt_says_how_to_go_on() -> None:
    slow = {**BASE, "total_timesteps": 1_000_000}
    process = subprocess.Popen(
        [sys.executable, "-m", "axiomrl", "tune", "--config", write_search(slow)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    run = Path("searches/tiny/trials/0000/seed1")
    deadline = time.monotonic() + 60
    while not list(run.glob("checkpoints/step_0.pt")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "axiomrl tune --resume searches/tiny" in told
    assert RunRecord.read(run).status == "interrupted"
