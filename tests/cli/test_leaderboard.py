"""`axiomrl leaderboard` and `axiomrl zoo` as they are typed."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from reports.run_files import write_group, write_run

from .conftest import Command

GOLDEN = Path(__file__).resolve().parent.parent / "golden"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `runs` in the current one: two algorithms, two environments, and oddities."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "runs"
    curve = [(100, 10.0), (200, 60.0), (300, 480.0)]
    write_group(root, "ppo", [480, 490, 500, 470, 495], config_hash="a" * 16, curve=curve)
    write_group(root, "dqn", [300, 350, 500, 410], algo="dqn", config_hash="b" * 16)
    write_group(root, "slow", [-100, -120], env_id="Acrobot-v1", config_hash="c" * 16)
    write_run(root / "failed", algo="sac", status="failed", config_hash="d" * 16)
    write_run(root / "empty", algo="sac", score=None, config_hash="e" * 16)
    (root / "broken").mkdir()
    (root / "broken" / "metadata.json").write_text("{")
    return root


def table_of(text: str) -> list[list[str]]:
    """The rows of a pipe table, as GitHub reads them."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [line.strip("|").replace("\\|", "\0").split("|") for line in lines]
    return [[cell.strip().replace("\0", "|") for cell in row] for row in rows]


def test_text_is_as_it_was_looked_at(axiomrl: Command, runs: Path) -> None:
    outcome = axiomrl("leaderboard")
    assert outcome.code == 0
    assert max(map(len, outcome.stdout.splitlines())) <= 100
    assert outcome.stdout == (GOLDEN / "leaderboard.txt").read_text()
    assert outcome.stderr.count("warning:") == 1
    assert "broken" in outcome.stderr


def test_text_on_a_terminal_fits_80_columns_and_has_colour(
    axiomrl: Command, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    text = axiomrl("leaderboard").stdout
    assert "\x1b[1m" in text
    plain = text.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) <= 80
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in axiomrl("leaderboard").stdout


def test_json_is_versioned_and_names_everything(axiomrl: Command, runs: Path) -> None:
    data = json.loads(axiomrl("leaderboard", "--output-format", "json").stdout)
    assert (data["schema_version"], data["kind"]) == (1, "leaderboard")
    assert {"metric", "statistic", "groups", "unranked", "runs", "problems"} <= set(data)
    keys = "rank rank_low rank_high group algo env_id config_hash n_runs n_seeds seeds estimate"
    keys += " ci_low ci_high ci_method std min max"
    assert set(keys.split()) <= set(data["groups"][0])
    assert len(data["runs"]) == 12  # the failed one is left out, the broken one is a problem
    assert [set(each) for each in data["problems"]] == [{"path", "reason"}]


def test_csv_has_one_row_per_group(axiomrl: Command, runs: Path) -> None:
    text = axiomrl("leaderboard", "--output-format", "csv").stdout
    rows = list(csv.DictReader(text.splitlines()))
    assert [(row["env_id"], row["algo"], row["rank"]) for row in rows] == [
        ("Acrobot-v1", "ppo", "1"),
        ("CartPole-v1", "ppo", "1"),
        ("CartPole-v1", "dqn", "2"),
    ]
    assert rows[0]["ci_low"] == ""
    assert float(rows[1]["estimate"]) == 487.0


def test_markdown_is_a_table_per_environment(axiomrl: Command, runs: Path) -> None:
    text = axiomrl("leaderboard", "--output-format", "markdown").stdout
    rows = table_of(text)
    assert rows[0][:4] == ["rank", "places", "group", "seeds"]
    assert {len(row) for row in rows} <= {len(rows[0]), len(rows[0]) + 1, len(rows[0]) - 1}
    assert "### CartPole-v1: eval\\_return\\_mean, final" in text


@pytest.mark.parametrize(
    ("name", "begins"),
    [("a.json", "{"), ("a.csv", "rank,"), ("a.md", "### "), ("a.txt", "Acrobot-v1")],
)
def test_the_suffix_says_the_format(
    name: str, begins: str, axiomrl: Command, runs: Path, tmp_path: Path
) -> None:
    outcome = axiomrl("leaderboard", "--output-file", tmp_path / name)
    assert (outcome.code, outcome.stdout) == (0, "")
    assert (tmp_path / name).read_text().startswith(begins)


def test_failed_runs_are_reported_and_not_ranked(axiomrl: Command, runs: Path) -> None:
    report = json.loads(axiomrl("report", "--output-format", "json").stdout)
    assert [row["status"] for row in report["runs"]].count("failed") == 1
    words = ("leaderboard", "--status", "all", "--output-format", "json")
    board = json.loads(axiomrl(*words).stdout)
    assert "sac" in [group["algo"] for group in board["groups"]]


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (("--algo", "d*"), {"dqn"}),
        (("--env-id", "Acrobot*"), {"ppo"}),
        (("--where", "seed in [3, 4] and algo == 'ppo'"), {"ppo"}),
        (("--where", "metrics.eval_return_mean > 1000"), set()),
        (("--since", "2030-01-01"), set()),
    ],
)
def test_filters_choose_runs(
    words: tuple[str, ...], kept: set[str], axiomrl: Command, runs: Path
) -> None:
    outcome = axiomrl("leaderboard", *words, "--output-format", "json")
    data = json.loads(outcome.stdout)
    assert {group["algo"] for group in data["groups"]} == kept
    assert ("none of the 13 runs is left" in outcome.stderr) == (not kept)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--metric", "eval_return_maen"), "eval_return_mean"),
        (("--where", "seed ="), "column 6"),
        (("--where", "gama > 1"), "no run has a value called gama"),
        (("--status", "done"), "completed, running"),
        (("--sort-by", "score"), "rank, group, estimate"),
        (("--top-k", "-3"), "--top-k -3"),
        (("--since", "yesterday"), "7d"),
        (("--runs-dir", "nowhere"), "no such folder"),
        (("--manifest", "nowhere.yaml"), "nowhere.yaml"),
        (("--output-format", "xml"), "'json'"),
        (("--output-file", "a.docx"), ".json"),
        (("--baseline", "ppx"), "no group is called so"),
        (("--group-by", "no.such.name"), "no run has"),
    ],
)
def test_wrong_arguments_are_refused_in_a_few_lines(
    words: tuple[str, ...], told: str, axiomrl: Command, runs: Path
) -> None:
    outcome = axiomrl("leaderboard", *words)
    assert (outcome.code, outcome.stdout) == (2, "")
    lines = [line for line in outcome.stderr.splitlines() if not line.startswith("warning:")]
    assert len(lines) <= 3  # the place in an expression is pointed at
    assert told in outcome.stderr


def test_strict_fails_when_something_could_not_be_read(axiomrl: Command, runs: Path) -> None:
    assert axiomrl("leaderboard", "--strict").code == 1
    (runs / "broken" / "metadata.json").unlink()
    assert axiomrl("leaderboard", "--strict").code == 0


def test_without_the_index_nothing_is_different(axiomrl: Command, runs: Path) -> None:
    first = axiomrl("leaderboard", "--output-format", "json").stdout
    again = axiomrl("leaderboard", "--output-format", "json").stdout
    without = axiomrl("leaderboard", "--output-format", "json", "--no-index").stdout
    assert first == again == without


def test_an_empty_folder_says_what_to_run(
    axiomrl: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    outcome = axiomrl("leaderboard")
    assert outcome.code == 0
    assert "make one: axiomrl train" in outcome.stderr


def test_presets_and_their_commands_are_listed(axiomrl: Command) -> None:
    table = axiomrl("zoo", "--format", "table").stdout
    assert "ppo-cartpole" in table
    commands = axiomrl("zoo", "--format", "commands", "--seeds", "0,1").stdout.splitlines()
    assert len(commands) == len(table.splitlines()) - 1
    assert all(line.startswith("axiomrl train --config ") for line in commands)
    assert all(line.endswith("--seeds 0,1") for line in commands)
    assert axiomrl("zoo", "--format", "commands", "--seeds", "a").code == 2


def test_drift_from_the_suite_is_told_and_can_fail(
    axiomrl: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named = {"suite": "classic-control", "preset_name": "ppo-cartpole"}
    protocol = {"protocol_name": "deterministic-10-episodes"}
    write_run(tmp_path / "runs" / "other", benchmark={**named, **protocol})
    report = json.loads(axiomrl("report", "--output-format", "json").stdout)
    assert report["runs"][0]["suite_state"] == "drifted"
    assert any("other settings" in reason for reason in report["runs"][0]["suite_reasons"])
    assert axiomrl("leaderboard").code == 0
    for command in ("leaderboard", "report"):
        outcome = axiomrl(command, "--fail-on-drift")
        assert outcome.code == 1
        assert "drifted" in outcome.stderr
