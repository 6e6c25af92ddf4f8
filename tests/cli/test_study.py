"""`axiomrl study`, and `axiomrl train` with a study's configuration."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from axiomrl.cli.study import SUBCOMMANDS
from axiomrl.runs.record import RunRecord

from .conftest import QUICK, Command

STUDY = (
    QUICK.replace("256", "128")
    + """\
mode: run-experiments
experiments_runner:
  seeds: [42, 101]
  output_base_dir: outputs/my_study
"""
)
FOLDER = Path("outputs/my_study")


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    """A study of two short runs."""
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    return path


@pytest.fixture
def finished(axiomrl: Command, study_file: Path) -> Path:
    """A completed study."""
    outcome = axiomrl("train", "--config", study_file, "--quiet")
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, f"{FOLDER}\n", "")
    return FOLDER


def rows(directory: Path) -> list[dict[str, Any]]:
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k[:5] != "time_"} for line in lines]


def states() -> list[str]:
    state = json.loads((FOLDER / "runner_state.json").read_text())
    return [run["state"] for run in state["runs"]]


@pytest.mark.parametrize("words", [("train", "--config"), ("study", "run")])
def test_a_study_shows_its_progress_and_its_tables(
    axiomrl: Command, study_file: Path, words: tuple[str, ...]
) -> None:
    outcome = axiomrl(*words, study_file)
    assert (outcome.code, outcome.stdout) == (0, f"{FOLDER}\n")
    lines = outcome.error_lines
    assert "run 1 of 2: ppo on CartPole-v1, seed 42" in lines
    assert "run 2 of 2 (1 completed): ppo on CartPole-v1, seed 101" in lines
    heads = [line.split() for line in lines if line.startswith(("run  ", "metric "))]
    assert heads == [
        ["run", "seed", "state", "steps", "time", "eval_return_mean"],
        ["metric", "n", "mean", "std", "best", "best", "run", "nearest", "to", "mean"],
    ]
    assert lines[-2:] == [
        f"every metric: {FOLDER}/summary.csv", f"next: axiomrl zoo --runs-dir {FOLDER}",
    ]  # fmt: skip
    assert max(map(len, lines)) <= 80


def test_study_run_needs_no_mode_in_the_file(axiomrl: Command, config_file: Path) -> None:
    seeds = "experiments_runner.seeds=[5]"
    outcome = axiomrl("study", "run", config_file, "--set", seeds, "--quiet")
    assert (outcome.code, outcome.stdout) == (0, "outputs/experiments_runner\n")
    assert Path("outputs/experiments_runner/run_00_seed5/metadata.json").exists()


def test_zoo_reads_the_runs_of_a_study(axiomrl: Command, finished: Path) -> None:
    outcome = axiomrl("zoo", "--runs-dir", finished, "--format", "report", "--output-format", "csv")
    assert outcome.code == 0
    assert {row["seed"] for row in csv.DictReader(io.StringIO(outcome.stdout))} == {"42", "101"}


def test_one_seed_of_a_study_is_replayed_as_one_plain_run(
    axiomrl: Command, study_file: Path, finished: Path
) -> None:
    outcome = axiomrl("train", "--config", study_file, "--seed", "101", "--quiet")
    assert outcome.code == 0
    replayed = Path(outcome.stdout.strip())
    assert replayed.parent == Path("runs")
    assert rows(replayed) == rows(finished / "run_01_seed101")
    assert RunRecord.read(replayed).config()["mode"] == "train"


def test_the_configuration_in_a_run_of_a_study_is_that_of_one_run(
    axiomrl: Command, finished: Path
) -> None:
    outcome = axiomrl("train", "--config", finished / "run_01_seed101/config.yaml", "--quiet")
    assert outcome.code == 0
    made = Path(outcome.stdout.strip())
    assert made.parent == finished  # where that run's configuration says
    assert rows(made) == rows(finished / "run_01_seed101")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("train", "--config", "study.yaml", "--seeds", "1,2"), "--seeds: study.yaml is a study"),
        (("train", "--config", "quick.yaml", "--retry-failed"), "--retry-failed: quick.yaml"),
        (("train", "--config", "study.yaml", "--seed", "1", "--allow-config-change"),
         "--allow-config-change: study.yaml"),
        (("study", "run", "quick.yaml"), "experiments_runner.n_runs are both missing"),
        (("study", "run", "nothing.yaml"), "nothing.yaml"),
        (("study", "run", "."), "is a folder"),
        (("study", "resume", "study.yaml"), f"{FOLDER}: holds no study"),
        (("study", "status", "."), "holds no study"),
        (("study", "summary", "nowhere"), "nowhere"),
        (("train", "--config", "study.yaml", "--set", "experiments_runner.n_runs=3"),
         "n_runs is 3, but seeds has 2"),
        (("train", "--config", "study.yaml", "--set", "env_id=NoSuch-v0"), "NoSuch"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_bad_input_starts_nothing(
    axiomrl: Command, study_file: Path, config_file: Path, words: tuple[str, ...], told: str
) -> None:
    outcome = axiomrl(*words)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert told in outcome.stderr
    assert sorted(os.listdir()) == ["quick.yaml", "study.yaml"]


def test_a_study_is_begun_once(axiomrl: Command, study_file: Path, finished: Path) -> None:
    for words in (("train", "--config", study_file), ("study", "run", study_file)):
        outcome = axiomrl(*words)
        assert (outcome.code, outcome.stdout) == (2, "")
        assert outcome.error_lines[0] == f"error: {FOLDER}: already holds a study"
        assert f"axiomrl study resume {FOLDER}" in outcome.error_lines[1]


def test_a_changed_configuration_is_refused_with_a_diff_on_stderr(
    axiomrl: Command, study_file: Path, finished: Path
) -> None:
    study_file.write_text(STUDY + "  resume: true\nnum_envs: 2\n")
    for words in (("train", "--config", study_file), ("study", "resume", study_file)):
        outcome = axiomrl(*words)
        assert (outcome.code, outcome.stdout) == (2, "")
        lines = [line.strip() for line in outcome.error_lines]
        assert lines[3:5] == ["- num_envs: 1", "+ num_envs: 2"]
    outcome = axiomrl("train", "--config", study_file, "--allow-config-change")
    assert outcome.code == 0
    assert "run 2 of 2 (2 completed), seed 101: already completed" in outcome.error_lines


@pytest.mark.parametrize("target", [FOLDER, FOLDER / "runner_state.json", Path("study.yaml")])
def test_an_interrupted_study_is_resumed(
    axiomrl: Command, study_file: Path, finished: Path, target: Path
) -> None:
    whole = rows(finished / "run_01_seed101")
    summary = (finished / "summary.csv").read_text()
    (finished / "run_01_seed101").rename("elsewhere")
    outcome = axiomrl("study", "resume", target, "--quiet", "--threads", "1")
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, f"{FOLDER}\n", "")
    assert rows(finished / "run_01_seed101") == whole
    assert summary.splitlines()[0] == (finished / "summary.csv").read_text().splitlines()[0]


def test_ctrl_c_saves_the_study_and_says_how_to_go_on(
    axiomrl: Command, study_file: Path, tmp_path: Path
) -> None:
    study_file.write_text(STUDY.replace("128\n", "200000\n", 1))
    process = subprocess.Popen(
        [sys.executable, "-m", "axiomrl", "train", "--config", "study.yaml"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    metrics = FOLDER / "run_00_seed42" / "checkpoints" / "step_0.pt"
    while not metrics.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, "")
    assert stderr.splitlines()[-1].strip() == f"axiomrl study resume {FOLDER}"
    assert states() == ["interrupted", "pending"]
    status = axiomrl("study", "status", FOLDER, "--output-format", "json")
    assert [row["state"] for row in json.loads(status.stdout)["rows"]] == states()


def test_a_failed_run_is_told_and_repeated_on_request(
    axiomrl: Command, study_file: Path, finished: Path
) -> None:
    # a run that cannot go on: its newest checkpoint is damaged, and it says that it is not over
    broken = finished / "run_00_seed42"
    metadata = json.loads((broken / "metadata.json").read_text())
    (broken / "metadata.json").write_text(json.dumps({**metadata, "status": "interrupted"}))
    kept = {path: path.read_bytes() for path in (broken / "checkpoints").glob("step_*.pt")}
    for path in kept:
        path.write_bytes(b"damaged")
    outcome = axiomrl("study", "resume", finished, "--quiet")
    assert (outcome.code, outcome.stdout) == (1, f"{FOLDER}\n")
    assert outcome.stderr.startswith("error: ")
    assert states() == ["failed", "completed"]

    for path, content in kept.items():
        path.write_bytes(content)
    outcome = axiomrl("study", "resume", finished)
    assert outcome.code == 1
    assert "seed 42: failed before; repeat it with --retry-failed" in outcome.stderr
    shown = axiomrl("study", "status", finished)
    assert "CheckpointError" in shown.stdout
    assert axiomrl("study", "resume", finished, "--retry-failed", "--quiet").code == 0
    assert states() == ["completed", "completed"]


def test_output_dir_is_where_the_study_goes(axiomrl: Command, study_file: Path) -> None:
    outcome = axiomrl("train", "--config", study_file, "--output-dir", "there", "--quiet")
    assert (outcome.code, outcome.stdout) == (0, "there\n")
    assert Path("there/run_00_seed42/metadata.json").exists()


def test_status_and_summary_in_every_format(
    axiomrl: Command, study_file: Path, finished: Path
) -> None:
    outcome = axiomrl("study", "status", study_file, "--output-format", "csv")
    table = list(csv.DictReader(io.StringIO(outcome.stdout)))
    assert [(row["run"], row["seed"], row["state"]) for row in table] == [
        ("0", "42", "completed"), ("1", "101", "completed"),
    ]  # fmt: skip
    outcome = axiomrl("study", "summary", finished, "--output-format", "json")
    (row,) = json.loads(outcome.stdout)["rows"]
    assert (row["metric"], row["n"]) == ("eval_return_mean", 2)
    chosen = axiomrl("study", "summary", finished, "--metric", "train_loss", "--metric",
                     "eval_length_mean")  # fmt: skip
    assert [line.split()[0] for line in chosen.stdout.splitlines()] == [
        "metric", "train_loss", "eval_length_mean",
    ]  # fmt: skip


def test_an_unknown_metric_is_answered_with_the_nearest_one(
    axiomrl: Command, study_file: Path, finished: Path
) -> None:
    outcome = axiomrl("study", "summary", finished, "--metric", "eval_return_men")
    assert outcome.code == 2
    assert "did you mean: eval_return_mean" in outcome.stderr
    study_file.write_text(STUDY + "  resume: true\n  summary_metrics: [eval_return_men]\n")
    outcome = axiomrl("train", "--config", study_file)
    assert outcome.code == 0
    assert "warning: no run has the metric eval_return_men; did you mean" in outcome.stderr


def test_settings_cannot_be_changed_for_a_study_named_by_its_folder(
    axiomrl: Command, finished: Path
) -> None:
    outcome = axiomrl("study", "resume", finished, "--set", "num_envs=2")
    assert outcome.code == 2
    assert "name the configuration file" in outcome.stderr


def test_every_subcommand_has_examples(axiomrl: Command) -> None:
    for verb in SUBCOMMANDS:
        outcome = axiomrl("study", verb, "--help")
        assert f"axiomrl study {verb} " in outcome.stdout.partition("Examples:")[2]
