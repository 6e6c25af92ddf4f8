"""`Experiment` as its documentation shows it, with real training."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import axiomrl
from axiomrl import Experiment, ExperimentResult, RunResult
from axiomrl.artifacts import LocalBackend
from axiomrl.cli.app import main
from axiomrl.config import EvaluationConfig, Schedule, config_from_mapping
from axiomrl.errors import ConfigError, InputError, Interrupted, RunAliveError
from axiomrl.fingerprint import config_hash
from axiomrl.records import load_records

from .standins import SMALL

QUICK: dict[str, Any] = {key: value for key, value in SMALL.items() if key != "logging"}
OTHERS = {key: value for key, value in QUICK.items() if key not in ("algo", "env_id")}
PRESET = Path(__file__).parents[2] / "configs" / "ppo" / "cartpole.yaml"


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    with threadpool_limits(limits=1):
        yield


# The documented examples


def test_example_with_several_seeds() -> None:
    one, two = Experiment(**QUICK, save_dir="./results").run(seeds=[1, 2])
    assert isinstance(one, RunResult)
    for seed, result in ((1, one), (2, two)):
        assert (result.seed, result.env_steps) == (seed, 256)
        assert result.score == result.metrics["eval_return_mean"]
        assert result.history["eval_return_mean"]["step"] == [0, 128, 256]
        assert len(result.history["eval_return_mean"]["value"]) == 3
        assert result.history["eval_return_mean"]["value"][-1] == result.score
        assert any(name.startswith("train_") for name in result.history)
        assert result.hparams["seed"] == seed
        assert result.run_id == f"seed{seed}-{result.config_hash}"
        artifact = result.artifacts["best.pt"]
        assert artifact.path is not None
        assert artifact.path.stat().st_size == artifact.size
        assert len(artifact.sha256) == 64
        assert result.duration_s is not None
        assert result.duration_s > 0
    assert one.run_config == two.run_config
    assert one.history != two.history
    assert load_records("results").results == [one, two]


@pytest.mark.slow
def test_example_of_the_documentation_learns() -> None:
    results = Experiment(
        algo="ppo", env_id="CartPole-v1", total_timesteps=50_000, save_dir="./results"
    ).run(seeds=[1, 2])
    assert [result.seed for result in results] == [1, 2]
    assert min(result.score or 0 for result in results) > 150


def test_example_with_a_local_folder() -> None:
    results = Experiment(**QUICK).with_local("./elsewhere").run(seeds=[1])
    assert len(results) == 1
    assert Path("elsewhere/records").is_dir()
    assert not Path("results").exists()
    path = results[0].artifacts["best.pt"].path
    assert path is not None
    assert path.is_relative_to(Path("elsewhere/artifacts").absolute())


def test_example_of_a_grid_and_its_leaderboard(capsys: pytest.CaptureFixture[str]) -> None:
    rates = [1e-3, 3e-4]
    results = Experiment.grid(
        algos=["ppo"],
        env_ids=["CartPole-v1"],
        seeds=[1, 2],
        **{**OTHERS, "hyperparameters": {**QUICK["hyperparameters"], "learning_rate": rates,
                                         "hidden_sizes": [[8]]}},
    )  # fmt: skip
    assert [(result.params["learning_rate"], result.seed) for result in results] == [
        (1e-3, 1), (1e-3, 2), (3e-4, 1), (3e-4, 2),
    ]  # fmt: skip
    hashes = [result.config_hash for result in results]
    assert hashes[0] == hashes[1] != hashes[2] == hashes[3]
    assert len({result.metadata["run_directory"] for result in results}) == 4
    assert set(load_records("results").by_configuration) == set(hashes)

    words = ["zoo", "--runs-dir", "results/runs", "--format", "leaderboard"]
    assert main([*words, "--output-format", "json"]) == 0
    board = json.loads(capsys.readouterr().out)
    assert {group["config_hash"] for group in board["groups"]} == set(hashes)
    assert [group["n_seeds"] for group in board["groups"]] == [2, 2]

    frame = ExperimentResult(run_results=results).to_df()
    assert len(frame) == 4
    assert sorted(set(frame["param_learning_rate"])) == sorted(rates)
    assert set(frame["metadata_env_id"]) == {"CartPole-v1"}


# Configuration


def test_settings_that_are_not_given_are_the_defaults_never_a_presets() -> None:
    plain = config_from_mapping({"algo": "ppo", "env_id": "CartPole-v1", "total_timesteps": 1e5})
    experiment = Experiment(algo="ppo", env_id="CartPole-v1")
    assert experiment.config == plain
    assert experiment.config_hash == config_hash(plain) == "89de392dac635e4f"
    assert experiment.save_dir == Path("results").absolute()


def test_preset_can_be_asked_for() -> None:
    experiment = Experiment.from_config(
        PRESET, overrides=["hyperparameters.gamma=0.5", "seed=9"], save_dir="there"
    )
    loaded = axiomrl.load_config(PRESET, overrides=["hyperparameters.gamma=0.5"])
    assert experiment.config_hash == config_hash(loaded)
    assert experiment.config.benchmark == loaded.benchmark
    assert experiment.save_dir == Path("there").absolute()


def test_values_of_numpy_and_blocks_can_be_settings() -> None:
    schedule = Schedule(schedule="linear", start=1e-3, end=0.0)
    made = Experiment(
        algo="ppo", env_id="CartPole-v1", num_envs=np.int32(2),
        hyperparameters={"gamma": np.float64(0.5), "learning_rate": schedule,
                         "hidden_sizes": (8,)},
        evaluation=EvaluationConfig(every=50),
    )  # fmt: skip
    config = made.config
    assert config.num_envs == 2
    assert (config.hyperparameters.gamma, config.hyperparameters.learning_rate) == (0.5, schedule)
    assert config.evaluation == EvaluationConfig(every=50)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_env": 2}, r"Experiment: num_env is not a setting\n       did you mean: num_envs"),
        ({"algo": "pop"}, "'pop' is not a known algorithm"),
        ({"hyperparameters": {"lr": 1}}, "hyperparameters.lr is not a setting of ppo"),
        ({"hyperparameters": {"gamma": "x"}}, "hyperparameters.gamma is 'x'"),
        ({"environment": {"kwargs": {"f": object()}}}, "which a file cannot hold"),
        ({"seed": 1}, "seed is not a setting of an experiment\n.*run\\(seeds="),
        ({"output_dir": "x"}, "output_dir is not a setting of an experiment\n.*save_dir"),
    ],
)
def test_wrong_setting_is_refused_at_once(settings: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigError, InputError), match=message):
        Experiment(**{"algo": "ppo", "env_id": "CartPole-v1", **settings})


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ([], "there are none"),
        ([1, 2, 1], "1 stands there twice"),
        ([1, np.int64(1)], "1 stands there twice"),
        ([1.5], "1.5 is not a whole number"),
        ([-1], "-1 is not a whole number"),
        ([True], "True is not a whole number"),
        (3, "seeds is 3, but must be a list"),
        ("12", "seeds is '12', but must be a list"),
    ],
)
def test_wrong_seeds_are_refused(seeds: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Experiment(**QUICK).run(seeds=seeds)
    assert os.listdir() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"algos": []}, "algos: there are none"),
        ({"env_ids": ()}, "env_ids: there are none"),
        ({"seeds": []}, "seeds: there are none"),
        ({"hyperparameters": {"gamma": []}}, "gamma has no values to try"),
        ({"hyperparameters": {"gamma": [1, 1.0]}}, "has a configuration twice"),
        ({"algos": ["ppo", "dqn"], "hyperparameters": {"clip_range": [0.1]}}, "clip_range is not"),
        ({"if_exists": "ski"}, "if_exists is 'ski', .*\n.*did you mean: skip"),
    ],
)
def test_wrong_grid_is_refused_before_anything_is_trained(
    arguments: dict[str, Any], message: str
) -> None:
    given = {"algos": "ppo", "env_ids": "CartPole-v1", "seeds": [1], **arguments}
    with pytest.raises(InputError, match=message):
        Experiment.grid(**given, total_timesteps=256)
    assert os.listdir() == []


# What there is already


def test_finished_seed_is_reused_and_that_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    experiment = Experiment(**QUICK)
    (first,) = experiment.run(seeds=[1])
    assert caplog.records == []
    again = experiment.run(seeds=[1, 2])
    assert again[0] == first
    (told,) = caplog.records
    assert told.levelno == logging.WARNING
    assert "seed 1: finished already" in told.getMessage()
    assert len(list(Path("results/runs/ppo/CartPole-v1").glob("*/*"))) == 2


def test_what_is_told_reaches_stderr_without_any_set_up() -> None:
    Experiment(**QUICK).run(seeds=[1])
    code = f"from axiomrl import Experiment; Experiment(**{QUICK!r}).run(seeds=[1])"
    done = run_python(code)
    assert done.returncode == 0
    assert (done.stdout, "seed 1: finished already" in done.stderr) == ("", True)


def test_new_attempt_gives_the_same_numbers_in_a_directory_of_its_own() -> None:
    experiment = Experiment(**QUICK)
    (first,) = experiment.run(seeds=[1])
    (second,) = experiment.run(seeds=[1], if_exists="new-attempt")
    assert second.history == first.history
    assert second.metadata["run_directory"] == first.metadata["run_directory"] + "-attempt2"


def test_finished_seed_can_be_refused_before_anything_is_trained() -> None:
    experiment = Experiment(**QUICK)
    experiment.run(seeds=[2])
    with pytest.raises(InputError, match=r"seed2.json: this configuration and seed are finished"):
        experiment.run(seeds=[1, 2], if_exists="error")
    assert [result.seed for result in load_records("results").results] == [2]


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """A process of its own in the current folder."""
    root = str(Path(axiomrl.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )


def test_run_that_was_killed_is_continued_exactly_in_its_directory() -> None:
    settings = {**QUICK, "total_timesteps": 512, "checkpoint": {"every": 128}}
    whole = Experiment(**settings, save_dir="whole").run(seeds=[1])[0]
    code = (
        "import os, signal\n"
        "from axiomrl import Experiment\n"
        "def kill(progress):\n"
        "    if progress.env_steps >= 256 and progress.phase == 'evaluating':\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        f"Experiment(**{settings!r}, save_dir='killed').run(seeds=[1], on_progress=kill)"
    )
    assert run_python(code).returncode == -signal.SIGKILL
    assert load_records("killed").results == []
    (resumed,) = Experiment(**settings, save_dir="killed").run(seeds=[1])
    assert resumed.history == whole.history
    assert resumed.metrics == whole.metrics
    (directory,) = Path("killed/runs/ppo/CartPole-v1", whole.config_hash or "").iterdir()
    assert len(json.loads((directory / "metadata.json").read_text())["resumes"]) == 1
    without_clock = [
        [{k: v for k, v in json.loads(row).items() if not k.startswith("time_")} for row in rows]
        for rows in (
            Path(each.metadata["run_directory"], "metrics.jsonl").read_text().splitlines()
            for each in (whole, resumed)
        )
    ]
    assert without_clock[0] == without_clock[1]


def test_interrupted_series_goes_on_where_it_was() -> None:
    def interrupt(progress: Any) -> None:
        if progress.env_steps >= 128 and "seed2" in str(progress.run_directory):
            os.kill(os.getpid(), signal.SIGINT)

    experiment = Experiment(**QUICK)
    with pytest.raises(Interrupted):
        experiment.run(seeds=[1, 2, 3], on_progress=interrupt)
    assert [result.seed for result in load_records("results").results] == [1]
    results = experiment.run(seeds=[1, 2, 3])
    assert [result.env_steps for result in results] == [256] * 3
    assert len(list(Path("results/runs/ppo/CartPole-v1").glob("*/*"))) == 3


def test_seed_that_is_being_trained_is_refused() -> None:
    refused: list[str] = []

    def again(progress: Any) -> None:
        if progress.env_steps and not refused:
            with pytest.raises(RunAliveError) as caught:
                Experiment(**QUICK).run(seeds=[1], if_exists="new-attempt")
            refused.append(str(caught.value))

    Experiment(**QUICK).run(seeds=[1], on_progress=again)
    assert f"process {os.getpid()}" in refused[0]


# What goes wrong


def test_run_that_fails_is_recorded_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(progress: Any) -> None:
        if progress.env_steps and "seed2" in str(progress.run_directory):
            raise ZeroDivisionError("an unlucky step")

    experiment = Experiment(**QUICK)
    results = experiment.run(seeds=[1, 2, 3], on_progress=fail)
    assert [result.metadata["status"] for result in results] == ["completed", "failed", "completed"]
    failed = results[1]
    assert failed.score is None
    assert failed.metadata["error"]["type"] == "ZeroDivisionError"
    assert "an unlucky step" in failed.metadata["error"]["traceback"]
    assert load_records("results").results == results
    assert "seed 2: failed: ZeroDivisionError: an unlucky step" in caplog.text
    best = ExperimentResult(run_results=results).best_run_result
    assert best is not None
    assert best.seed in (1, 3)
    (again,) = experiment.run(seeds=[2])  # goes on from where it failed
    assert again.metadata["status"] == "completed"
    assert again.metadata["run_directory"] == failed.metadata["run_directory"]


def test_environment_that_is_not_there_is_refused_without_a_trace() -> None:
    with pytest.raises(InputError, match="CartPol-v1"):
        Experiment(**{**QUICK, "env_id": "CartPol-v1"}).run(seeds=[1])
    left = [path for path in Path("results").rglob("*") if ".locks" not in path.parts]
    assert left == []


def test_run_that_cannot_be_continued_makes_room_for_a_new_attempt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def interrupt(progress: Any) -> None:
        if progress.env_steps:
            os.kill(os.getpid(), signal.SIGINT)

    experiment = Experiment(**QUICK)
    with pytest.raises(Interrupted):
        experiment.run(seeds=[1], on_progress=interrupt)
    (directory,) = Path("results/runs/ppo/CartPole-v1").glob("*/*")
    for path in (directory / "checkpoints").iterdir():
        path.write_bytes(b"damaged")
    (result,) = experiment.run(seeds=[1])
    assert "a new attempt is made" in caplog.text
    assert result.metadata["run_directory"].endswith("-attempt2")
    assert (directory / "checkpoints" / "step_0.pt").read_bytes() == b"damaged"


def test_artifacts_go_to_the_backend_that_is_given(folder: Path) -> None:
    experiment = Experiment(**QUICK)
    backends: list[Any] = ["far", LocalBackend("far"), LocalBackend("far").url]
    for number, backend in enumerate(backends):
        (result,) = experiment.with_backend(backend).run(seeds=[number])
        path = result.artifacts["best.pt"].path
        assert path is not None
        assert path.is_relative_to(folder / "far")
        assert path.is_file()
    assert not Path("results/artifacts").exists()


def test_experiment_prints_as_what_it_is() -> None:
    assert repr(Experiment("ppo", "CartPole-v1", save_dir="/there")) == (
        "Experiment(algo='ppo', env_id='CartPole-v1', total_timesteps=100000, save_dir='/there')"
    )
