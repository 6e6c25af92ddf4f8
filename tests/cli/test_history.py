"""`axiomrl history`: experiments that were tracked, listed, shown and compared."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from axiomrl import ExperimentManager
from axiomrl.cli.history import SUBCOMMANDS

from .conftest import Command


@pytest.fixture
def manager() -> ExperimentManager:
    """Three versions of `mlp`, the last one active, and one of `big/net`, in the default folder."""
    made = ExperimentManager()
    made.start_experiment("big/net", {"lr": 0.5})
    made.log_metrics({"loss": [0.5, 0.75]})
    for number, losses in enumerate([[0.9, 0.5], [0.25, 1.5], [0.1, float("nan")]]):
        made.start_experiment("mlp", {"lr": 0.1 * number})
        made.log_metrics({"loss": losses})
    return made


def rows(text: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(text)["rows"]
    return found


def test_list_has_a_row_per_experiment(axiomrl: Command, manager: ExperimentManager) -> None:
    outcome = axiomrl("history", "list", "--output-format", "json")
    assert (outcome.code, outcome.stderr) == (0, "")
    big, mlp = rows(outcome.stdout)
    assert (mlp["experiment_id"], mlp["versions"], mlp["status"]) == ("mlp", 3, "running")
    assert (big["config_name"], big["versions"], big["status"]) == ("big/net", 1, "completed")


def test_list_without_experiments_says_so(axiomrl: Command) -> None:
    outcome = axiomrl("history", "list")
    assert outcome.code == 0
    assert "no experiments found" in outcome.stderr


def test_damaged_history_is_a_problem_and_not_a_failure(
    axiomrl: Command, manager: ExperimentManager
) -> None:
    (manager.log_dir / "torn.json").write_text("{")
    outcome = axiomrl("history", "list", "--output-format", "json")
    assert outcome.code == 0
    assert len(rows(outcome.stdout)) == 2
    assert "torn.json" in json.loads(outcome.stdout)["problems"][0]
    assert outcome.stderr.startswith("warning: ")
    shown = axiomrl("history", "show", "torn")
    assert (shown.code, shown.stdout) == (2, "")
    assert "torn.json" in shown.error_lines[0]


@pytest.mark.parametrize("name", ["mlp", "big/net"])
def test_show_takes_an_id_or_a_config_name(
    axiomrl: Command, manager: ExperimentManager, name: str
) -> None:
    outcome = axiomrl("history", "show", name, "--output-format", "csv")
    shown = list(csv.DictReader(outcome.stdout.splitlines()))
    assert [int(row["version"]) for row in shown] == list(range(1, len(shown) + 1))
    assert {row["config_name"] for row in shown} == {name}
    assert shown[0]["metric_loss"] == {"mlp": "0.5", "big/net": "0.75"}[name]


def test_show_prints_text_and_one_version(axiomrl: Command, manager: ExperimentManager) -> None:
    head, row = axiomrl("history", "show", "mlp", "--version", "2").stdout.splitlines()
    assert head.split() == ["version", "status", "started", "lr", "loss"]
    assert row.split()[:2] == ["2", "completed"]
    assert row.split()[-2:] == ["0.1", "1.5"]
    outcome = axiomrl("history", "show", "mlp", "--version", "7")
    assert outcome.code == 2
    assert outcome.error_lines == ["error: mlp has no version 7", "       there are: 1, 2, 3"]


def test_text_on_a_terminal_fits_it(
    axiomrl: Command, manager: ExperimentManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for words in (("list",), ("show", "mlp"), ("compare", "mlp", "big/net", "--metric", "loss")):
        lines = axiomrl("history", *words).stdout.splitlines()
        assert max(map(len, lines)) <= 80


def test_compare_has_a_row_per_experiment(axiomrl: Command, manager: ExperimentManager) -> None:
    words = ("history", "compare", "mlp", "big/net", "--metric", "loss")
    outcome = axiomrl(*words, "--output-format", "json")
    assert (outcome.code, outcome.stderr) == (0, "")
    mlp, big = rows(outcome.stdout)
    assert (mlp["versions"], mlp["n"], mlp["mean"], mlp["min"]) == (3, 2, 1.0, 0.5)
    assert (big["n"], big["mean"], big["std"]) == (1, 0.75, None)
    best = axiomrl(*words, "--reduce", "best", "--direction", "min", "--output-format", "json")
    mlp, big = rows(best.stdout)
    assert (mlp["n"], mlp["min"], mlp["max"], big["mean"]) == (3, 0.1, 0.5, 0.5)
    markdown = axiomrl(*words, "--output-format", "markdown").stdout
    assert markdown.startswith("| experiment | versions | n | mean |")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("show", "mpl"), "did you mean: mlp"),
        (("show", "big/nets"), "did you mean: big/net"),
        (("show", "unlike"), "axiomrl history list"),
        (("compare", "mlp", "mpl", "--metric", "loss"), "did you mean: mlp"),
        (("compare", "mlp", "--metric", "los"), "did you mean: loss"),
        (("compare", "mlp", "--metric", "loss", "--reduce", "best"), "give a direction"),
        (("list", "--log-dir", "elsewhere"), "--log-dir elsewhere: no such folder"),
        (("show",), "see: axiomrl history show --help"),
        (("compare", "mlp"), "--metric"),
        ((), "see: axiomrl history --help"),
        (("lst",), "see: axiomrl history --help"),
    ],
)
def test_bad_input_is_told_in_two_lines_and_exits_with_2(
    axiomrl: Command, manager: ExperimentManager, words: tuple[str, ...], told: str
) -> None:
    outcome = axiomrl("history", *words)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("error: ")
    assert len(outcome.error_lines) <= 2
    assert told in outcome.stderr


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_help_of_every_part_fits_80_columns_and_holds_an_example(
    axiomrl: Command, name: str
) -> None:
    outcome = axiomrl("history", name, "--help")
    assert outcome.code == 0
    assert f"    axiomrl history {name}" in outcome.stdout
    assert max(map(len, outcome.stdout.splitlines())) <= 80
    assert not {"{", "}"} & set(outcome.stdout)


def test_log_dir_says_where_to_look(axiomrl: Command, tmp_path: Path) -> None:
    ExperimentManager(tmp_path / "other").start_experiment("mlp")
    outcome = axiomrl("history", "list", "--log-dir", tmp_path / "other")
    assert outcome.stdout.splitlines()[1].startswith("mlp ")
