"""The examples that pages build up are followed from beginning to end, with few steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from axiomrl import algorithms
from axiomrl.runs.store import RunStore

from .conftest import Command
from .pages import DOCS, commands, save_files

ADD_AN_ALGORITHM = DOCS / "how-to" / "add-an-algorithm.md"
OWN_ENVIRONMENT = DOCS / "how-to" / "own-environment.md"
RUN_MANY_SEEDS = DOCS / "how-to" / "run-many-seeds.md"
FIRST_RUN = DOCS / "tutorials" / "first-run.md"


def follow(page: Path, axiomrl: Command, *, steps: int) -> int:
    """Run every `axiomrl` command of a page in its order, training for a few steps."""
    followed = 0
    for _, (program, *words) in commands(page):
        if program != "axiomrl":
            continue
        if words[0] == "train":
            words += ["--total-timesteps", str(steps)]
        if words[:2] == ["study", "run"]:
            words += ["--set", f"total_timesteps={steps}"]
        if words[0] == "eval":
            words += ["--episodes", "2"]
        axiomrl(*words)
        followed += 1
    return followed


def test_the_tutorial_can_be_followed(axiomrl: Command, folder: Path) -> None:
    # what its `make train` does
    axiomrl("train", "--config", "configs/ppo/cartpole.yaml", "--total-timesteps", "512")
    assert follow(FIRST_RUN, axiomrl, steps=512) >= 8
    found = RunStore(folder / "runs").scan()
    assert found.problems == []
    assert sorted(record.metadata["seed"] for record in found.records) == [0, 1, 1, 2, 2, 3, 3]


def test_the_environment_of_the_example_is_trained_and_scored(
    axiomrl: Command, folder: Path
) -> None:
    assert save_files(OWN_ENVIRONMENT, folder) == ["reach.py", "reach.yaml"]
    assert follow(OWN_ENVIRONMENT, axiomrl, steps=1024) >= 4


def test_the_study_of_the_example_is_run_summarised_and_resumed(
    axiomrl: Command, folder: Path
) -> None:
    assert save_files(RUN_MANY_SEEDS, folder) == ["study.yaml"]
    path = folder / "study.yaml"
    path.write_text(path.read_text().replace("50000", "256").replace("s: 100", "s: 2"))
    assert follow(RUN_MANY_SEEDS, axiomrl, steps=256) == 9
    found = RunStore(folder / "outputs" / "my_study").scan()
    assert sorted(record.metadata["seed"] for record in found.records) == [28, 42, 101]
    assert all("test_return_mean" in each.metadata["latest_metrics"] for each in found.records)
    assert len(RunStore(folder / "outputs" / "experiments_runner").scan().records) == 5


def test_the_algorithm_of_the_example_trains_on_both_engines(
    axiomrl: Command, folder: Path
) -> None:
    assert save_files(ADD_AN_ALGORITHM, folder) == ["reinforce.py", "reinforce.yaml"]
    assert follow(ADD_AN_ALGORITHM, axiomrl, steps=1024) >= 3
    train = ("train", "--config", "reinforce.yaml", "--import", "reinforce", "--quiet")
    for env_id in ("CartPole-v1", "Pendulum-v1"):
        ends = []
        for engine in ("mlp", "torch"):
            directory = axiomrl(
                *train, "--total-timesteps", "2048", "--set", f"env_id={env_id}",
                "--set", f"engine={engine}", "--set", "logging.every=1",
            )  # fmt: skip
            rows = (Path(directory.strip()) / "metrics.jsonl").read_text().splitlines()
            ends.append([json.loads(row) for row in rows])
        for ours, theirs in zip(*ends, strict=True):
            assert ours["step"] == theirs["step"]
            if "train_policy_loss" in ours:
                expected = pytest.approx(theirs["train_policy_loss"], rel=1e-3, abs=1e-4)
                assert ours["train_policy_loss"] == expected


def test_the_algorithm_of_the_example_learns_and_resumes_exactly(
    axiomrl: Command, folder: Path
) -> None:
    save_files(ADD_AN_ALGORITHM, folder)
    words = ["--config", "reinforce.yaml", "--import", "reinforce", "--quiet"]
    whole = Path(axiomrl("train", *words, "--total-timesteps", "8192").strip())
    half = Path(axiomrl("train", *words, "--total-timesteps", "4096").strip())
    assert "reinforce" in algorithms.ALGORITHMS

    def weights(run: Path, checkpoint: str) -> dict[str, object]:
        from axiomrl.training.checkpoints import load

        state = load(run / "checkpoints" / checkpoint)
        return {name: array.tolist() for name, array in state["algorithm"]["network"].items()}

    options = ["--import", "reinforce", "--total-timesteps", "8192", "--quiet"]
    continued = Path(axiomrl("resume", half, *options).strip())
    assert weights(continued, "step_8192.pt") == weights(whole, "step_8192.pt")
    best = json.loads((whole / "metadata.json").read_text())["best_checkpoint"]
    assert best["metric_value"] > 50  # a random policy reaches about 20
