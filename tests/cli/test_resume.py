"""`axiomrl resume`: unfinished, finished and extended runs."""

from __future__ import annotations

import json
from pathlib import Path

from .conftest import Command


def test_finished_run_is_left_alone(axiomrl: Command, run_directory: Path) -> None:
    before = (run_directory / "metadata.json").read_bytes()
    outcome = axiomrl("resume", run_directory)
    assert outcome.code == 0
    assert outcome.stderr.startswith("already complete")
    assert outcome.stdout.strip() == str(run_directory.relative_to(Path.cwd()))
    assert (run_directory / "metadata.json").read_bytes() == before


def test_finished_run_is_extended_as_a_new_run_beside_it(
    axiomrl: Command, run_directory: Path
) -> None:
    outcome = axiomrl("resume", run_directory.name, "--total-timesteps", "512")
    assert outcome.code == 0, outcome.stderr
    new = Path(outcome.stdout.strip()).absolute()
    assert new != run_directory
    assert new.parent == run_directory.parent
    found = json.loads((new / "metadata.json").read_text())
    assert found["parent"]["step"] == 256
    assert found["progress"]["env_steps"] == 512
    assert "a new run that continues" in outcome.stderr


def test_new_run_can_be_made_elsewhere(axiomrl: Command, run_directory: Path) -> None:
    words = ("--total-timesteps", "384", "--runs-dir", "other", "--quiet")
    outcome = axiomrl("resume", run_directory, *words)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert outcome.stdout.startswith("other/ppo__CartPole-v1__seed0__")
