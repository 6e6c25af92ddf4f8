"""`axiomrl zoo --format report`: one row per run."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from .conftest import Command


def test_each_run_is_one_row(axiomrl: Command, run_directory: Path) -> None:
    outcome = axiomrl("zoo", "--format", "report", "--output-format", "json")
    assert (outcome.code, outcome.stderr) == (0, "")
    content = json.loads(outcome.stdout)
    assert (content["schema_version"], content["kind"]) == (1, "report")
    (row,) = content["runs"]
    stored = json.loads((run_directory / "metadata.json").read_text())
    assert row["run"] == run_directory.name
    assert row["directory"] == str(run_directory)
    assert row["status"] == "completed"
    assert (row["algo"], row["env_id"], row["seed"]) == ("ppo", "CartPole-v1", 0)
    assert row["env_steps"] == 256
    assert row["eval_return_mean"] == stored["latest_metrics"]["eval_return_mean"]
    assert row["best_metric_value"] == stored["best_checkpoint"]["metric_value"]
    assert row["duration_s"] == stored["progress"]["duration_s"]


def test_text_names_the_columns(axiomrl: Command, run_directory: Path) -> None:
    head, row = axiomrl("zoo").stdout.splitlines()
    assert " ".join(head.split()) == "run algo env seed status steps final best time"
    assert row.startswith(run_directory.name)


def test_text_on_a_terminal_fits_it_with_short_names(
    axiomrl: Command, run_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    lines = axiomrl("zoo").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].split()[0] == "ppo__CartPole-v1__seed0"


def test_unreadable_run_is_a_problem_and_not_a_failure(
    axiomrl: Command, run_directory: Path
) -> None:
    broken = run_directory.parent / "broken"
    broken.mkdir()
    (broken / "metadata.json").write_text("{")
    outcome = axiomrl("zoo", "--output-format", "json")
    content = json.loads(outcome.stdout)
    assert outcome.code == 0
    assert len(content["runs"]) == 1
    assert [Path(each["path"]).parent.name for each in content["problems"]] == ["broken"]
    assert outcome.stderr.startswith("warning: ")


def test_several_folders_are_read_and_each_run_counts_once(
    axiomrl: Command, run_directory: Path
) -> None:
    shutil.copytree("runs", "moved")
    words = ("--runs-dir", "runs", "--runs-dir", "moved", "--runs-dir", "./runs")
    outcome = axiomrl("zoo", *words, "--output-format", "csv")
    rows = list(csv.DictReader(outcome.stdout.splitlines()))
    assert [Path(row["directory"]).parent.name for row in rows] == ["moved", "runs"]


def test_output_file_is_not_overwritten_without_force(
    axiomrl: Command, run_directory: Path
) -> None:
    file = Path("report.md")
    words = ("zoo", "--output-format", "markdown", "--output-file", file)
    assert axiomrl(*words).code == 0
    assert file.read_text().startswith("| run |")
    file.write_text("mine")
    assert axiomrl(*words).code == 2
    assert file.read_text() == "mine"
    assert axiomrl(*words, "--force").code == 0
    assert file.read_text() != "mine"


def test_folder_without_runs_is_said_to_be_one(axiomrl: Command) -> None:
    outcome = axiomrl("zoo")
    assert outcome.code == 0
    assert "no runs found" in outcome.stderr
