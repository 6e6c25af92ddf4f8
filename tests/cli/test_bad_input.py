"""Wrong input: exit code 2, one or two lines on stderr, and no run directory."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from .conftest import QUICK, Command, Outcome


def assert_refused(outcome: Outcome, *told: str) -> None:
    """One or two lines that hold the words told, code 2, nothing left behind."""
    assert outcome.code == 2, outcome.stderr
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("error: ")
    assert 1 <= len(outcome.error_lines) <= 2, outcome.stderr
    for words in told:
        assert words in outcome.stderr
    assert not list(Path.cwd().rglob("metadata.json"))
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        ("- a list\n", "list"),
        ("just words\n", "just words"),
        ("algo: [ppo\n", ":2:"),
        ("algo: ppo\nalgo: ppo\nenv_id: CartPole-v1\n", "algo is repeated"),
        (QUICK + "learning_rat: 1\n", "learning_rat"),
        (QUICK.replace("n_steps", "n_stepz"), "hyperparameters.n_stepz"),
        (QUICK.replace("every", "evry"), "evaluation.evry"),
        (QUICK + "environment: {frame_stac: 2}\n", "environment.frame_stac"),
        (QUICK + "seed: many\n", "'many'"),
        (QUICK + "num_envs: 0\n", "num_envs is 0"),
        (QUICK.replace("256", "0"), "total_timesteps is 0"),
        (QUICK.replace("256", "-5"), "total_timesteps is -5"),
        (QUICK.replace("episodes: 2", "episodes: 0"), "evaluation.episodes is 0"),
        (QUICK.replace("algo: ppo", "algo: pppo"), "did you mean: ppo"),
        (QUICK.replace("CartPole-v1", "CartPol-v1"), "CartPole-v1"),
        (QUICK.replace("CartPole-v1", "no_such_module:Env-v0"), "no_such_module"),
    ],
)
def test_config_that_cannot_be_used_is_refused(axiomrl: Command, text: str, told: str) -> None:
    Path("wrong.yaml").write_text(text)
    assert_refused(axiomrl("train", "--config", "wrong.yaml"), told)


def test_missing_config_is_refused(axiomrl: Command) -> None:
    assert_refused(axiomrl("train", "--config", "none.yaml"), "none.yaml", "no such file")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--seed", "x"), "--seed: seed is 'x'"),
        (("--seed", "-1"), "--seed: seed is -1"),
        (("--seeds", "1,x"), "--seeds 1,x: 'x' is not a whole number"),
        (("--seeds", ""), "'' is not a whole number"),
        (("--seeds", "1,-1"), "--seed: seed is -1"),
        (("--seeds", "1,1"), "1 stands there twice"),
        (("--seeds", "1,2", "--seed", "3"), "exclude each other"),
        (("--total-timesteps", "0"), "--total-timesteps: total_timesteps is 0"),
        (("--total-timesteps", "many"), "'many'"),
        (("--threads", "0"), "--threads: threads is 0"),
        (("--device", "tpu"), "one of auto, cpu, cuda"),
        (("--set", "hyperparameters.gama=0.9"), "gamma"),
        (("--set", "hyperparameters.gamma.x=0.9"), "hyperparameters.gamma"),
        (("--set", "num_envs=-1"), "num_envs is -1"),
        (("--set", "no-equals-sign"), "no-equals-sign"),
        (("--import", "no_such_module"), "--import no_such_module: No module named"),
    ],
)
def test_option_that_cannot_be_used_is_refused(
    axiomrl: Command, config_file: Path, words: tuple[str, ...], told: str
) -> None:
    assert_refused(axiomrl("train", "--config", config_file, *words), told)


def test_import_that_fails_names_the_cause_and_its_place(
    axiomrl: Command, config_file: Path
) -> None:
    Path("broken_module.py").write_text("x = 1\nraise KeyError('registry')\n")
    outcome = axiomrl("train", "--config", config_file, "--import", "broken_module")
    assert_refused(outcome, "--import broken_module: KeyError: 'registry'", "broken_module.py:2")


def test_environments_that_are_not_installed_name_the_extra(
    axiomrl: Command, config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "Box2D", None)
    for loaded in [name for name in sys.modules if name.startswith("gymnasium.envs.box2d")]:
        monkeypatch.delitem(sys.modules, loaded)  # an earlier test may have used it
    outcome = axiomrl("train", "--config", config_file, "--set", "env_id=LunarLander-v3")
    assert_refused(outcome, "axiomrl[box2d]")


def test_output_folder_that_is_a_file_is_refused(axiomrl: Command, config_file: Path) -> None:
    Path("taken").write_text("")
    outcome = axiomrl("train", "--config", config_file, "--output-dir", "taken")
    assert_refused(outcome, "output_dir", "taken", "--output-dir")


@pytest.mark.parametrize("command", ["eval", "resume"])
def test_folder_that_is_no_run_is_refused(axiomrl: Command, command: str) -> None:
    Path("folder").mkdir()
    assert_refused(axiomrl(command, "folder"), "folder")


@pytest.mark.parametrize("command", ["eval", "resume"])
def test_name_that_no_run_answers_to_is_refused(axiomrl: Command, command: str) -> None:
    assert_refused(axiomrl(command, "no-such-run"), "no-such-run")


@pytest.mark.parametrize("command", ["eval", "resume"])
def test_checkpoint_that_is_not_there_is_refused(axiomrl: Command, command: str) -> None:
    assert_refused(axiomrl(command, "x/step_0.pt"), "x/step_0.pt: no such checkpoint")


@pytest.mark.parametrize("command", ["eval", "resume"])
def test_file_outside_of_a_run_is_refused(axiomrl: Command, command: str) -> None:
    Path("stray.pt").write_bytes(os.urandom(64))
    assert_refused(axiomrl(command, "stray.pt"), "stray.pt: is not a run")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("eval", "x", "--episodes", "0"), "--episodes is '0'"),
        (("eval", "x", "--episodes", "two"), "--episodes is 'two'"),
        (("eval", "x", "--seed", "-1"), "--seed is '-1'"),
        (("resume", "x", "--total-timesteps", "-1"), "--total-timesteps is '-1'"),
        (("resume", "x", "--threads", "0"), "--threads is '0'"),
        (("resume", "x", "--device", "tpu"), "--device is 'tpu'"),
        (("zoo", "--runs-dir", "nowhere"), "--runs-dir nowhere: no such folder"),
        (("config",), "give either --config PATH or --explain ALGO"),
        (("config", "--explain", "pppo"), "pppo"),
        (("config", "--explain", "ppo", "--output-format", "yaml"), "text or json"),
    ],
)
def test_other_commands_refuse_what_they_cannot_use(
    axiomrl: Command, words: tuple[str, ...], told: str
) -> None:
    assert_refused(axiomrl(*words), told)


def test_checkpoint_option_is_refused_for_a_checkpoint(
    axiomrl: Command, run_directory: Path
) -> None:
    file = run_directory / "checkpoints" / "step_0.pt"
    outcome = axiomrl("eval", file, "--checkpoint", "final")
    assert (outcome.code, "is already a checkpoint" in outcome.stderr) == (2, True)
