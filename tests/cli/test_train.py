"""`axiomrl train` as a process: streams, seeds, signals."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from axiomrl.errors import DivergedError, Interrupted
from axiomrl.training import session

from .conftest import Command


def metadata(directory: str | Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((Path(directory) / "metadata.json").read_text())
    return content


def test_run_directory_is_all_that_stdout_holds(
    axiomrl_process: Command, config_file: Path
) -> None:
    outcome = axiomrl_process("train", "--config", config_file, "--seed", "3")
    assert outcome.code == 0, outcome.stderr
    (directory,) = outcome.stdout.splitlines()
    assert directory.startswith("runs/ppo__CartPole-v1__seed3__")
    found = metadata(directory)
    assert (found["status"], found["seed"]) == ("completed", 3)
    assert found["command"] == ["axiomrl", "train", "--config", str(config_file), "--seed", "3"]


def test_end_of_training_shows_results_and_next_commands(
    axiomrl: Command, config_file: Path
) -> None:
    outcome = axiomrl("train", "--config", config_file)
    directory = outcome.stdout.strip()
    for words in ("final eval_return_mean", "best eval_return_mean", "env steps", "duration"):
        assert f"\n  {words}" in outcome.stderr
    assert "(n = 2 episodes)" in outcome.stderr
    for command in (
        f"axiomrl eval {directory}",
        "tensorboard --logdir runs",
        f"axiomrl resume {directory} \\\n    --total-timesteps 512",
        "axiomrl zoo --format report",
    ):
        assert f"\n  {command}\n" in outcome.stderr
    assert max(map(len, outcome.error_lines)) <= 80


def test_quiet_prints_the_run_directory_alone(axiomrl: Command, config_file: Path) -> None:
    outcome = axiomrl("train", "--config", config_file, "--quiet")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert metadata(outcome.stdout.strip())["status"] == "completed"


@pytest.mark.filterwarnings("always")
def test_warning_is_one_line_without_file_and_line(axiomrl: Command, config_file: Path) -> None:
    words = ("train", "--config", config_file, "--set", "hyperparameters.batch_size=500")
    outcome = axiomrl(*words)
    warnings = [line for line in outcome.error_lines if "warn" in line.lower()]
    assert len(warnings) == 1, outcome.stderr
    assert warnings[0].startswith("warning: ")
    assert ".py" not in warnings[0]
    assert axiomrl(*words, "--quiet").stderr == ""


def test_flags_win_over_set_and_set_over_the_file(axiomrl: Command, config_file: Path) -> None:
    outcome = axiomrl(
        *("train", "--config", config_file, "--quiet", "--output-dir", "elsewhere"),
        *("--set", "seed=5", "--set", "tags=[first]", "--seed", "7", "--total-timesteps", "1e2"),
    )
    directory = outcome.stdout.strip()
    assert directory.startswith("elsewhere/ppo__CartPole-v1__seed7__"), outcome.stderr
    found = metadata(directory)
    assert found["tags"] == ["first"]
    assert found["progress"]["total_timesteps"] == 100


def test_seeds_are_trained_in_turn_in_directories_of_their_own(
    axiomrl: Command, config_file: Path
) -> None:
    outcome = axiomrl("train", "--config", config_file, "--seeds", "2,1")
    assert outcome.code == 0
    directories = outcome.stdout.splitlines()
    assert [metadata(each)["seed"] for each in directories] == [2, 1]
    assert "seed 2 (1 of 2)" in outcome.stderr
    assert "seed 1 (2 of 2)" in outcome.stderr
    assert outcome.stderr.count("next:") == 1


def test_failing_seed_is_named_and_does_not_stop_the_others(
    axiomrl: Command, config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = session.start

    def start(config: Any, **options: Any) -> session.Finished:
        if config.seed == 2:
            raise DivergedError("training diverged at step 128")
        return real(config, **options)

    monkeypatch.setattr(session, "start", start)
    outcome = axiomrl("train", "--config", config_file, "--seeds", "1,2,3", "--quiet")
    assert outcome.code == 1
    assert [metadata(each)["seed"] for each in outcome.stdout.splitlines()] == [1, 3]
    assert outcome.error_lines == [
        "error: training diverged at step 128",
        "1 of 3 seeds failed: 2",
    ]


def test_interrupt_ends_a_series_and_says_how_to_go_on(
    axiomrl: Command, config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(config: Any, **_: Any) -> session.Finished:
        raise Interrupted(
            "interrupted at step 128", signal_number=2, hint="axiomrl resume runs/the-run"
        )

    monkeypatch.setattr(session, "start", start)
    words = ("--seeds", "1,2,3", "--import", "shlex", "--quiet")
    outcome = axiomrl("train", "--config", config_file, *words)
    assert outcome.code == 130
    assert outcome.error_lines == [
        "interrupted at step 128",
        "  axiomrl resume runs/the-run --import shlex",
        f"  and for the seeds not started: axiomrl train --config {config_file} "
        "--seeds 2,3 --import shlex --quiet",
    ]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_leaves_a_run_that_the_printed_command_completes(
    axiomrl: Command, config_file: Path, number: int, code: int
) -> None:
    words = ["train", "--config", str(config_file), "--set", "evaluation.every=0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "axiomrl", *words, "--total-timesteps", "100000000"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    process.stderr.readline()
    assert process.stderr.readline().startswith("runs/")  # training has begun
    process.send_signal(number)
    _, complaints = process.communicate(timeout=30)
    assert process.returncode == code, complaints
    offered = next(line for line in complaints.splitlines() if "axiomrl resume" in line)
    directory = shlex.split(offered)[2]
    assert metadata(directory)["status"] == "interrupted"
    reached = metadata(directory)["progress"]["env_steps"]
    total = str(reached + 128)
    outcome = axiomrl(*shlex.split(offered)[1:], "--total-timesteps", total, "--quiet")
    assert outcome.code == 0, outcome.stderr


def test_modules_of_the_current_folder_can_be_imported(axiomrl: Command, config_file: Path) -> None:
    Path("own_environments.py").write_text(
        "import gymnasium\n"
        "gymnasium.register('OwnCartPole-v0',"
        " 'gymnasium.envs.classic_control.cartpole:CartPoleEnv', max_episode_steps=50)\n"
    )
    words = ("--set", "env_id=OwnCartPole-v0", "--import", "own_environments", "--quiet")
    outcome = axiomrl("train", "--config", config_file, *words)
    assert outcome.code == 0, outcome.stderr
    scored = axiomrl("eval", outcome.stdout.strip(), "--episodes", "2", *words[2:4])
    assert scored.code == 0, scored.stderr
