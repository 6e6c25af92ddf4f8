"""One case per kind of mistake; every message names source, key and remedy in two lines."""

from pathlib import Path
from typing import Any

import pytest

from axiomrl.config import config_from_mapping, load_config
from axiomrl.errors import ConfigError, InputError

GOOD = "algo: ppo\nenv_id: CartPole-v1\ntotal_timesteps: 1000\n"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


def error_of(path: Path, *overrides: str, flags: dict[str, Any] | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides=overrides, flags=flags)
    assert len(str(caught.value).splitlines()) <= 2
    assert caught.value.exit_code == InputError.exit_code == 2
    return caught.value


def test_unknown_setting_looks_as_documented(good: Path) -> None:
    good.write_text(GOOD + "hyperparameters: {lerning_rate: 1e-3}")
    assert str(error_of(good)) == (
        f"{good}: hyperparameters.lerning_rate is not a setting of ppo\n"
        "       did you mean: learning_rate?"
    )


@pytest.mark.parametrize(
    ("override", "told", "hint"),
    [
        ("sede=1", "sede is not a setting", "did you mean: seed?"),
        ("evaluation.evry=1", "evaluation.evry is not a setting of evaluation", "mean: every?"),
        ("checkpoint.kep=1", "checkpoint.kep is not a setting of checkpoint", "mean: keep?"),
        ("logging.evry=1", "logging.evry is not a setting of logging", "mean: every?"),
        ("environment.kwarg={}", "environment.kwarg is not a setting", "mean: kwargs?"),
        ("environment.evaluation.frame_stak=2", "frame_stak is not", "mean: frame_stack?"),
        ("environment.evaluation.evaluation={}", "evaluation is not a setting", "settings here"),
        ("environment.wrappers=[{pth: 'a:B'}]", "wrappers[0].pth is not", "mean: path?"),
        ("benchmark.suit=x", "benchmark.suit is not a setting of benchmark", "mean: suite?"),
        ("benchmark.score_normalization={random: 1}", "random is not", "mean: random_score?"),
        ("hyperparameters.learning_rate={strt: 1}", "strt is not a setting of a schedule", "start"),
        ("learning_rate=1", "learning_rate is not a setting",
         "learning_rate belongs under hyperparameters: hyperparameters.learning_rate"),
        ("hyperparameters.num_envs=1", "num_envs is not", "num_envs belongs at the top level"),
        ("environment.every=1", "environment.every is not", "under evaluation: evaluation.every"),
        ("lerning_rate=1", "lerning_rate is not", "did you mean: hyperparameters.learning_rate?"),
        ("qqqq=1", "qqqq is not a setting", "settings here: algo, env_id, seed"),
    ],
)  # fmt: skip
def test_unknown_setting_is_refused_at_every_level(
    good: Path, override: str, told: str, hint: str
) -> None:
    error = error_of(good, override)
    assert error.message.startswith("--set: ")
    assert told in error.message
    assert hint in str(error.hint)


@pytest.mark.parametrize(
    ("override", "told", "hint"),
    [
        ("seed=true", "seed is true, but must be an integer", None),
        ("seed=1.5", "seed is 1.5, but must be an integer", None),
        ("seed=abc", "seed is 'abc', but must be an integer", None),
        ("seed='3'", "seed is '3', but must be an integer", "write it without quotes"),
        ("seed=1_00", "seed is '1_00'", "write its digits without separators"),
        ("seed=.inf", "seed is inf, but must be an integer", "numbers must be finite"),
        ("seed=[1]", "seed is [1], but must be an integer", None),
        ("seed=", "seed is null, but must be an integer", "leave it out for its default"),
        ("seed.x=3", "seed is {'x': 3}, but must be an integer", None),
        ("algo=", "algo is null, but must be text", "give a value"),
        ("algo=''", "algo is empty", "give a value"),
        ("env_id=' '", "env_id is empty", "give a value"),
        ("env_id=3", "env_id is 3, but must be text", 'put it into quotes: "3"'),
        ("env_id=true", "env_id is true, but must be text", 'put it into quotes: "true"'),
        ("output_dir=[]", "output_dir is [], but must be text", None),
        ("deterministic=yes", "deterministic is 'yes'", "write true or false"),
        ("deterministic=1", "deterministic is 1, but must be true or false", "write true"),
        ("tags=a", "tags is 'a', but must be a list of texts", "write [a]"),
        ("tags=[1]", "tags[0] is 1, but must be text", "put it into quotes"),
        ("environment=3", "environment is 3, but must be a mapping", "write lines"),
        ("environment=", "environment is null, but must be a mapping", "leave it out"),
        ("hyperparameters=[]", "hyperparameters is [], but must be a mapping", "write lines"),
        ("hyperparameters=", "hyperparameters is null", "leave it out for its defaults"),
        ("environment.kwargs=3", "environment.kwargs is 3, but must be a mapping", "{key: value}"),
        ("environment.kwargs={a: [.inf]}", "environment.kwargs.a[0] is inf", "leave it out"),
        ("environment.evaluation={frame_stack: a}", "evaluation.frame_stack is 'a'", None),
        ("environment.wrappers=[3]", "wrappers[0] is 3, but must be a mapping", "write lines"),
        ("environment.wrappers=[Flat]", "'Flat', which is no import path", "package.module:Class"),
        ("environment.wrappers=[{kwargs: {}}]", "wrappers[0].path is missing", "add path"),
        ("hyperparameters.gamma=.nan", "gamma is nan, but must be a number", "must be finite"),
        ("hyperparameters.gamma=true", "gamma is true, but must be a number", None),
        ("hyperparameters.gamma={schedule: linear}", "gamma is {", "cannot follow a schedule"),
        ("hyperparameters.learning_rate=lin_1e-3", "'lin_1e-3', but must be a number or schedule",
         "{schedule: linear, start: 1e-3, end: 0}"),
        ("hyperparameters.hidden_sizes=64", "is 64, but must be a list of integers", "write [64]"),
        ("hyperparameters.hidden_sizes=[6.5]", "hidden_sizes[0] is 6.5, but must be an", None),
        ("benchmark.score_normalization={}", "random_score is missing", "add random_score"),
    ],
)  # fmt: skip
def test_value_of_another_type_is_refused(
    good: Path, override: str, told: str, hint: str | None
) -> None:
    error = error_of(good, override)
    assert error.message.startswith("--set: ")
    assert told in error.message
    assert error.hint is None if hint is None else hint in str(error.hint)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("total_timesteps=0", "total_timesteps is 0, but must be >= 1"),
        ("total_timesteps=-5", "total_timesteps is -5, but must be >= 1"),
        ("num_envs=0", "num_envs is 0, but must be >= 1"),
        ("num_envs=-1", "num_envs is -1, but must be >= 1"),
        ("seed=-1", "seed is -1, but must be >= 0"),
        ("threads=0", "threads is 0, but must be >= 1"),
        ("evaluation.episodes=0", "evaluation.episodes is 0, but must be >= 1"),
        ("evaluation.every=-1", "evaluation.every is -1, but must be >= 0"),
        ("checkpoint.keep=0", "checkpoint.keep is 0, but must be >= 1"),
        ("environment.frame_stack=0", "environment.frame_stack is 0, but must be >= 1"),
        ("environment.evaluation.max_episode_steps=0", "max_episode_steps is 0, but must be >= 1"),
        ("hyperparameters.gamma=1.5", "gamma is 1.5, but must be >= 0 and <= 1"),
        ("hyperparameters.n_steps=0", "hyperparameters.n_steps is 0, but must be >= 1"),
        ("hyperparameters.hidden_sizes=[64, 0]", "hidden_sizes[1] is 0, but must be >= 1"),
        ("hyperparameters.clip_range=0", "clip_range is 0, but must be > 0"),
        ("hyperparameters.clip_range={start: 0, end: 0}", "clip_range.start is 0, but must be > 0"),
        (
            "hyperparameters.clip_range={start: 1, end: -1}",
            "clip_range.end is -1, but must be >= 0",
        ),
        ("hyperparameters.clip_range={start: 1}", "clip_range.end is missing"),
        ("hyperparameters.clip_range={schedule: cosine, end: 1}", "clip_range.start is missing"),
        (
            "hyperparameters.clip_range={schedule: step, start: 1}",
            "schedule is 'step', but must be",
        ),
        ("hyperparameters.clip_range={schedule: constant, start: 1, end: 2}", "differs from start"),
        ("hyperparameters.activation=gelu", "'gelu', but must be one of tanh, relu, elu"),
        ("device=gpu", "device is 'gpu', but must be one of auto, cpu, cuda"),
        ("benchmark.best_metric_mode=more", "'more', but must be one of max, min"),
        ("algo=pop", "algo: 'pop' is not a known algorithm"),
    ],
)
def test_value_out_of_range_is_refused(good: Path, override: str, told: str) -> None:
    error = error_of(good, override)
    assert error.message.startswith("--set: ")
    assert told in error.message


@pytest.mark.parametrize("key", ["algo", "env_id", "total_timesteps"])
def test_missing_setting_is_named_with_its_meaning(good: Path, key: str) -> None:
    good.write_text("".join(line for line in GOOD.splitlines(True) if not line.startswith(key)))
    error = error_of(good)
    assert error.message == f"{good}: {key} is missing"
    assert str(error.hint).startswith(f"add {key}: ")


def test_unknown_algorithm_is_refused_with_the_nearest(good: Path) -> None:
    good.write_text(GOOD.replace("algo: ppo", "algo: ppoo"))
    assert str(error_of(good)) == (
        f"{good}: algo: 'ppoo' is not a known algorithm\n       did you mean: ppo?"
    )


@pytest.mark.parametrize("override", ["seed", "", "=3", "a..b=1", ".seed=1", "hyperparameters.=1"])
def test_override_without_path_or_value_is_refused(good: Path, override: str) -> None:
    error = error_of(good, override)
    assert error.message.startswith(f"--set {override}: ")
    assert "key.path=value" in str(error.hint)


@pytest.mark.parametrize("value", ["[1", "{a: 1", "'open", "{a: 1, a: 2}", "[1] 2", "9" * 5000])
def test_override_with_a_broken_value_is_refused(good: Path, value: str) -> None:
    assert error_of(good, f"tags={value}").message.startswith("--set tags")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"seed": -1}, "--seed: seed is -1, but must be >= 0"),
        ({"total_timesteps": 0}, "--total-timesteps: total_timesteps is 0, but must be >= 1"),
        ({"output_dir": ""}, "--output-dir: output_dir is empty"),
        ({"device": "tpu"}, "--device: device is 'tpu', but must be one of auto, cpu, cuda"),
    ],
)
def test_flag_is_checked_like_the_file_and_named(
    good: Path, flags: dict[str, Any], told: str
) -> None:
    assert error_of(good, "seed=1", flags=flags).message == told


def test_mistake_in_the_file_is_not_blamed_on_an_override(good: Path) -> None:
    good.write_text(GOOD + "num_envs: 0\nevaluation: {every: -1}\n")
    assert error_of(good, "evaluation.episodes=3").message.startswith(f"{good}: num_envs is 0")
    error = error_of(good, "num_envs=1", "evaluation.episodes=3")
    assert error.message.startswith(f"{good}: evaluation.every is -1")


@pytest.mark.parametrize("values", [None, [], "text", 3])
def test_what_is_no_mapping_is_no_configuration(values: Any) -> None:
    with pytest.raises(ConfigError, match=r"^config: is "):
        config_from_mapping(values)


@pytest.mark.parametrize("value", [object(), {1: 2}, {"k" * 200: 1}, {1, 2}, b"x"])
def test_argument_that_no_file_can_hold_is_refused(value: Any) -> None:
    good = {"algo": "ppo", "env_id": "X-v0", "total_timesteps": 1}
    with pytest.raises(ConfigError, match=r"^here: environment\.kwargs\.a "):
        config_from_mapping(good | {"environment": {"kwargs": {"a": value}}}, source="here")
