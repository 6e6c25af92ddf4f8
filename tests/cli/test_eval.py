"""`axiomrl eval`: scores of a run or a checkpoint."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from .conftest import Command, Outcome


def result(outcome: Outcome) -> dict[str, Any]:
    assert outcome.code == 0, outcome.stderr
    content: dict[str, Any] = json.loads(outcome.stdout)
    return content


def test_json_holds_the_documented_keys(axiomrl: Command, run_directory: Path) -> None:
    scored = result(axiomrl("eval", run_directory, "--episodes", "3", "--output-format", "json"))
    returns = scored["returns"]
    assert len(returns) == scored["episodes"] == 3
    assert scored["eval_return_mean"] == pytest.approx(statistics.fmean(returns))
    assert scored["eval_return_std"] == pytest.approx(statistics.pstdev(returns))
    assert scored["eval_length_mean"] == pytest.approx(statistics.fmean(returns))  # 1 per step
    assert (scored["schema_version"], scored["algo"]) == (1, "ppo")
    assert scored["env_id"] == "CartPole-v1"
    assert scored["run"] == str(run_directory)
    assert scored["checkpoint"] == str(run_directory / "checkpoints" / "best.pt")


def test_text_states_mean_spread_and_number(axiomrl: Command, run_directory: Path) -> None:
    outcome = axiomrl("eval", run_directory, "--episodes", "2", "--seed", "11")
    assert outcome.code == 0
    assert "eval_return_mean" in outcome.stdout
    assert "n = 2 episodes, seed 11" in outcome.stdout


def test_same_seed_gives_the_same_episodes(axiomrl: Command, run_directory: Path) -> None:
    words = ("eval", run_directory, "--episodes", "3", "--output-format", "json", "--seed")
    first, again, other = (result(axiomrl(*words, seed)) for seed in ("4", "4", "5"))
    assert first == again
    assert first["returns"] != other["returns"]


@pytest.mark.parametrize(
    ("choice", "file"), [("final", "step_256.pt"), ("step_128", "step_128.pt")]
)
def test_checkpoint_can_be_chosen_by_name_or_by_file(
    axiomrl: Command, run_directory: Path, choice: str, file: str
) -> None:
    words = ("--episodes", "1", "--output-format", "json")
    path = run_directory / "checkpoints" / file
    by_name = result(axiomrl("eval", run_directory, "--checkpoint", choice, *words))
    by_file = result(axiomrl("eval", path, *words))
    assert by_name["checkpoint"] == by_file["checkpoint"] == str(path)
    assert by_name["returns"] == by_file["returns"]


def test_checkpoint_that_the_run_does_not_have_is_refused(
    axiomrl: Command, run_directory: Path
) -> None:
    outcome = axiomrl("eval", run_directory, "--checkpoint", "step_7")
    assert outcome.code == 2
    assert "step_7" in outcome.stderr


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 truncated"])
def test_damaged_checkpoint_is_refused(
    axiomrl: Command, run_directory: Path, content: bytes
) -> None:
    file = run_directory / "checkpoints" / "step_256.pt"
    file.write_bytes(content)
    outcome = axiomrl("eval", file)
    assert outcome.code == 2
    assert "step_256.pt" in outcome.stderr
    assert len(outcome.error_lines) <= 2


def test_run_is_found_by_prefix_and_by_run_id(axiomrl: Command, run_directory: Path) -> None:
    run_id = json.loads((run_directory / "metadata.json").read_text())["run_id"]
    for name in ("ppo__CartPole", run_id):
        scored = result(axiomrl("eval", name, "--episodes", "1", "--output-format", "json"))
        assert scored["run"] == str(run_directory)
