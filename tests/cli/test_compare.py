"""`axiomrl runs compare`: two groups against one another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reports.run_files import write_group, write_run

from .conftest import Command


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `runs` in the current one, with PPO and DQN on CartPole."""
    monkeypatch.chdir(tmp_path)
    config = {"evaluation": {"episodes": 10, "deterministic": True}, "total_timesteps": 1000}
    root = tmp_path / "runs"
    write_group(root, "ppo", [10, 11, 12, 13], config_hash="a" * 16, config=config)
    write_group(root, "dqn", [1, 2, 3, 4], algo="dqn", config_hash="b" * 16, config=config)
    return root


def test_comparable_groups_are_compared(axiomrl: Command) -> None:
    data = json.loads(axiomrl("runs", "compare", "ppo", "dqn", "--output-format", "json").stdout)
    assert data["kind"] == "comparison"
    assert (data["is_comparable"], data["reasons"]) == (True, [])
    assert data["difference"]["estimate"] == 9.0
    assert data["difference"]["ci_low"] <= 9.0 <= data["difference"]["ci_high"]
    assert data["ratio"]["estimate"] == pytest.approx(11.5 / 2.5)
    assert data["probability_of_improvement"]["estimate"] == 1.0
    assert data["more_seeds_to_separate"] == 0
    text = axiomrl("runs", "compare", "ppo", "dqn").stdout
    assert "the groups are comparable" in text
    assert "A - B" in text


def test_either_order_gives_the_opposite(axiomrl: Command) -> None:
    words = ("runs", "compare", "dqn", "ppo", "--output-format", "json")
    data = json.loads(axiomrl(*words).stdout)
    assert data["difference"]["estimate"] == -9.0
    assert data["probability_of_improvement"]["estimate"] == 0.0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"evaluation": {"episodes": 5, "deterministic": True}}, "another evaluation.episodes"),
        ({"total_timesteps": 2000}, "another total_timesteps: 1000 and 2000"),
        ({"environment": {"kwargs": {"x": 1}}}, "other settings of the environment"),
    ],
)
def test_other_conditions_are_named(
    changes: dict[str, object],
    reason: str,
    axiomrl: Command,
    runs: Path,
) -> None:
    config = {"evaluation": {"episodes": 10, "deterministic": True}, "total_timesteps": 1000}
    write_group(runs, "sac", [5, 6, 7], algo="sac", config_hash="c" * 16, config=config | changes)
    data = json.loads(axiomrl("runs", "compare", "ppo", "sac", "--output-format", "json").stdout)
    assert not data["is_comparable"]
    assert any(each.startswith(reason) for each in data["reasons"]), data["reasons"]
    assert f"not comparable: {reason}" in axiomrl("runs", "compare", "ppo", "sac").stdout


def test_other_environments_and_too_few_seeds_are_named(axiomrl: Command, runs: Path) -> None:
    write_run(runs / "else", algo="sac", env_id="Acrobot-v1", config_hash="c" * 16)
    text = " ".join(axiomrl("runs", "compare", "ppo", "sac").stdout.split())
    assert "not comparable: other environments: CartPole-v1 and Acrobot-v1" in text
    assert "sac has 1 of the 3 seeds" in text


def test_a_run_stands_for_its_group(axiomrl: Command) -> None:
    words = ("runs", "compare", "ppo-2", "dqn-0", "--output-format", "json")
    assert json.loads(axiomrl(*words).stdout)["difference"]["estimate"] == 9.0


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("ppo", "dqm"), "no group is called 'dqm'"),
        (("ppo", "ppo-1"), "are the same group"),
        (("CartPole", "dqn"), "no group is called"),
    ],
)
def test_names_that_are_not_two_groups_are_refused(
    names: tuple[str, str],
    told: str,
    axiomrl: Command,
) -> None:
    outcome = axiomrl("runs", "compare", *names)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert told in outcome.stderr


def test_a_name_of_several_groups_lists_them(axiomrl: Command, runs: Path) -> None:
    write_group(runs, "else", [1, 2], env_id="Acrobot-v1", config_hash="d" * 16)
    outcome = axiomrl("runs", "compare", "ppo", "dqn")
    assert outcome.code == 2
    assert "'ppo' means 2 groups" in outcome.stderr
    assert axiomrl("runs", "compare", "ppo", "dqn", "--env-id", "CartPole*").code == 0
