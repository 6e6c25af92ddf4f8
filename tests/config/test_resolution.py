import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from axiomrl.algorithms import ALGORITHMS
from axiomrl.config import (
    EnvironmentConfig,
    Schedule,
    ScoreNormalization,
    TrainConfig,
    WrapperConfig,
    config_from_mapping,
    load_config,
)
from axiomrl.config.schema import Schedulable, setting
from axiomrl.errors import ConfigError

SMALL = {"algo": "small", "env_id": "Toy-v0", "total_timesteps": 10}


@dataclass(frozen=True, kw_only=True)
class SmallConfig:
    step_size: Schedulable = setting("how far", 0.1, above=0, high=1)
    low: float = setting("a bound", 0.0)
    high: float = setting("another bound", 1.0)

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ConfigError(f"low is {self.low}, above high", hint="swap them")


class Small:
    config_class: ClassVar[type] = SmallConfig


@pytest.fixture(autouse=True)
def small_algorithm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ALGORITHMS, "small", f"{__name__}:Small")


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(
        "algo: small\nenv_id: Toy-v0\ntotal_timesteps: 10\nseed: 1\n"
        "hyperparameters: {step_size: 1e-3}\n"
    )
    return path


def test_left_out_settings_have_their_defaults() -> None:
    config = config_from_mapping(SMALL)
    assert config == TrainConfig(
        algo="small", env_id="Toy-v0", total_timesteps=10, hyperparameters=SmallConfig()
    )


def test_values_take_the_declared_types() -> None:
    config = config_from_mapping(
        SMALL
        | {
            "total_timesteps": 1e5,
            "num_envs": 3.0,
            "tags": ["a", "b"],
            "hyperparameters": {"step_size": 1},
            "environment": {"kwargs": {"a": (1, 2.5, None, {"b": True})}},
            "benchmark": {"score_normalization": {"random_score": 1, "human_score": 2}},
        }
    )
    assert (config.total_timesteps, type(config.total_timesteps)) == (100_000, int)
    assert (config.num_envs, type(config.num_envs)) == (3, int)
    assert config.tags == ("a", "b")
    assert type(config.hyperparameters.step_size) is float
    assert config.environment.kwargs == {"a": [1, 2.5, None, {"b": True}]}
    assert config.benchmark.score_normalization == ScoreNormalization(
        random_score=1.0, human_score=2.0
    )


def test_blocks_are_copies_of_what_was_given() -> None:
    kwargs = {"inner": {"a": 1}}
    config = config_from_mapping(SMALL | {"environment": {"kwargs": kwargs}})
    kwargs["inner"]["a"] = 2
    assert config.environment.kwargs == {"inner": {"a": 1}}


def test_wrapper_is_an_import_path_or_a_mapping() -> None:
    wrappers = ["a.b:C", {"path": "d:E", "kwargs": {"x": 1}}]
    config = config_from_mapping(SMALL | {"environment": {"wrappers": wrappers}})
    assert config.environment.wrappers == (
        WrapperConfig(path="a.b:C"),
        WrapperConfig(path="d:E", kwargs={"x": 1}),
    )


def test_scoring_overrides_are_converted_like_the_settings_they_replace() -> None:
    environment = {"evaluation": {"frame_stack": 4.0, "wrappers": ["a:B"], "kwargs": {"x": 1}}}
    config = config_from_mapping(SMALL | {"environment": environment})
    scoring = dataclasses.replace(config.environment, **config.environment.evaluation)
    assert scoring.wrappers == (WrapperConfig(path="a:B"),)
    assert (scoring.frame_stack, scoring.kwargs) == (4, {"x": 1})


@pytest.mark.parametrize(
    ("given", "resolved"),
    [
        (0.5, 0.5),
        ({"schedule": "linear", "start": 1, "end": 0}, Schedule(start=1.0, end=0.0)),
        ({"start": 1, "end": 0.5}, Schedule(start=1.0, end=0.5)),
        (
            {"schedule": "cosine", "start": 0.5, "end": 0.1},
            Schedule(schedule="cosine", start=0.5, end=0.1),
        ),
        ({"schedule": "constant", "start": 0.5}, 0.5),
        ({"schedule": "constant", "start": 0.5, "end": 0.5}, 0.5),
    ],
)
def test_schedulable_number_may_follow_a_schedule(given: object, resolved: object) -> None:
    config = config_from_mapping(SMALL | {"hyperparameters": {"step_size": given}})
    assert config.hyperparameters.step_size == resolved


def test_flags_win_over_overrides_and_these_over_the_file(config_file: Path) -> None:
    assert load_config(config_file).seed == 1
    assert load_config(config_file, overrides=["seed=2"]).seed == 2
    assert load_config(config_file, overrides=["seed=2", "seed=3"]).seed == 3
    flags = {"seed": 4, "total_timesteps": None, "output_dir": "x"}
    config = load_config(config_file, overrides=["seed=2"], flags=flags)
    assert (config.seed, config.total_timesteps, config.output_dir) == (4, 10, "x")


def test_overrides_make_blocks_and_schedules_on_their_way(config_file: Path) -> None:
    config = load_config(
        config_file,
        overrides=[
            "environment.kwargs.gravity.x=-9.8",
            "tags=[a, b]",
            "hyperparameters.step_size.schedule=cosine",
            "hyperparameters.step_size.start=3e-2",
            "hyperparameters.step_size.end=0",
            "hyperparameters.low=-1",
            "evaluation={every: 0}",
            "output_dir=a=b",
        ],
    )
    assert config.environment == EnvironmentConfig(kwargs={"gravity": {"x": -9.8}})
    assert config.tags == ("a", "b")
    assert config.hyperparameters == SmallConfig(
        step_size=Schedule(schedule="cosine", start=0.03, end=0.0), low=-1.0
    )
    assert (config.evaluation.every, config.output_dir) == (0, "a=b")


def test_override_changes_one_end_of_a_schedule_in_the_file(config_file: Path) -> None:
    schedule = "{schedule: linear, start: 1e-3, end: 0}"
    config_file.write_text(config_file.read_text().replace("1e-3", schedule))
    config = load_config(config_file, overrides=["hyperparameters.step_size.start=0.5"])
    assert config.hyperparameters.step_size == Schedule(start=0.5, end=0.0)


@pytest.mark.parametrize(
    ("overrides", "source"),
    [
        ([], "file"),
        (["hyperparameters.step_size=0.5"], "file"),
        (["hyperparameters.high=2"], "--set"),
        (["hyperparameters.low=5"], "--set"),
        (["hyperparameters={low: 5}"], "--set"),
    ],
)
def test_broken_relation_names_source_and_full_key(
    config_file: Path, overrides: list[str], source: str
) -> None:
    config_file.write_text(config_file.read_text().replace("step_size: 1e-3", "low: 4"))
    with pytest.raises(ConfigError) as caught:
        load_config(config_file, overrides=overrides)
    named = config_file if source == "file" else source
    assert caught.value.message.startswith(f"{named}: hyperparameters.low is ")
    assert caught.value.hint == "swap them"
