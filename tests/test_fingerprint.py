import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axiomrl.algorithms import ALGORITHMS
from axiomrl.config import (
    CheckpointConfig,
    EvaluationConfig,
    Schedule,
    TrainConfig,
    config_from_mapping,
)
from axiomrl.config.schema import Schedulable, setting
from axiomrl.fingerprint import SCHEME, canonical, config_hash, run_id

SMALL = {"algo": "small", "env_id": "Toy-v0", "total_timesteps": 1000}


@dataclass(frozen=True, kw_only=True)
class SmallConfig:
    gamma: float = setting("discount", 0.99)
    step_size: Schedulable = setting("how far", 0.5)
    widths: tuple[int, ...] = setting("layers", (64, 64))
    added_later: int = setting("did not exist at first", 1, neutral=1)


class Small:
    config_class: ClassVar[type] = SmallConfig


@pytest.fixture(autouse=True, scope="module")
def small_algorithm() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ALGORITHMS, "small", f"{__name__}:Small")
        yield


def made(**changes: Any) -> TrainConfig:
    return config_from_mapping(SMALL | changes)


def test_canonical_text_of_a_fixed_configuration() -> None:
    assert canonical(made()) == (
        '{"algo":"small","deterministic":false,"env_id":"Toy-v0",'
        '"environment":{"evaluation":{},"frame_stack":1,"fresh_each_episode":null,"kwargs":{},'
        '"max_episode_steps":null,"normalize_observation":false,"normalize_reward":false,'
        '"wrappers":[]},"evaluation":{"deterministic":true,"episodes":10,"every":10000},'
        '"hyperparameters":{"gamma":0.99,"step_size":0.5,"widths":[64,64]},'
        '"num_envs":1,"total_timesteps":1000}'
    )


def test_hashes_of_fixed_configurations_never_change() -> None:
    everything = made(
        env_id="Spiel-ü/v0",
        num_envs=8,
        hyperparameters={
            "gamma": 1,
            "step_size": {"schedule": "cosine", "start": 1e-3, "end": 0},
            "widths": [],
            "added_later": 2,
        },
        environment={
            "kwargs": {"wind": -0.0, "big": 1e300, "name": "\U0001f600\n", "none": None},
            "wrappers": [{"path": "a.b:C", "kwargs": {"x": [1.5, True]}}],
            "evaluation": {"frame_stack": 2, "wrappers": ["a:B"]},
        },
    )
    assert SCHEME == 1
    assert config_hash(made()) == "ba80a0452a2b32c5"
    assert config_hash(everything) == "9b62e6159d3d03cf"
    assert config_hash(made(), parent_hash="0123456789abcdef") == "63926482ea406449"
    assert run_id(made(seed=7)) == "seed7-ba80a0452a2b32c5"


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 5},
        {"output_dir": "elsewhere"},
        {"device": "cpu"},
        {"engine": "torch"},
        {"threads": 4},
        {"tags": ["a"]},
        {"checkpoint": {"every": 1, "keep": 9}},
        {"logging": {"every": 7, "tensorboard": False}},
        {"benchmark": {"suite": "x", "best_metric": None}},
        {"test": {"episodes": 100}},
        {"experiments_runner": {"seeds": [1, 2], "resume": True}},
        {"mode": "run-experiments", "experiments_runner": {"n_runs": 2}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_exempt_setting_does_not_change_the_hash(change: dict[str, Any]) -> None:
    assert made(**change) != made()
    assert config_hash(made(**change)) == config_hash(made())


CHANGES: list[dict[str, Any]] = [
    {"env_id": "Other-v0"},
    {"total_timesteps": 1001},
    {"num_envs": 2},
    {"deterministic": True},
    {"hyperparameters": {"gamma": 0.98}},
    {"hyperparameters": {"step_size": {"schedule": "linear", "start": 0.5, "end": 0}}},
    {"hyperparameters": {"widths": [64]}},
    {"hyperparameters": {"added_later": 2}},
    {"environment": {"kwargs": {"a": 1}}},
    {"environment": {"wrappers": ["a:B"]}},
    {"environment": {"frame_stack": 2}},
    {"environment": {"normalize_observation": True}},
    {"environment": {"normalize_reward": True}},
    {"environment": {"max_episode_steps": 5}},
    {"environment": {"fresh_each_episode": True}},
    {"environment": {"evaluation": {"frame_stack": 1}}},
    {"evaluation": {"every": 1}},
    {"evaluation": {"episodes": 11}},
    {"evaluation": {"deterministic": False}},
]


def test_every_other_setting_changes_the_hash() -> None:
    hashes = {config_hash(made(**change)) for change in CHANGES}
    assert len(hashes) == len(CHANGES)
    assert config_hash(made()) not in hashes
    changed = {
        f"{key}.{next(iter(value))}" if isinstance(value, dict) else key
        for change in CHANGES
        for key, value in change.items()
    }
    assert changed == counted_names(made()) - {"algo"}


def counted_names(config: TrainConfig) -> set[str]:
    """The dotted names of all settings that are not marked as exempt."""
    names = set()
    for field in dataclasses.fields(config):
        if field.metadata["setting"].hashed:
            value = getattr(config, field.name)
            inner = dataclasses.fields(value) if dataclasses.is_dataclass(value) else ()
            names |= {f"{field.name}.{each.name}" for each in inner} or {field.name}
    return names


def test_another_algorithm_with_equal_settings_has_another_hash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(ALGORITHMS, "tiny", f"{__name__}:Small")
    assert config_hash(made(algo="tiny")) != config_hash(made())


def test_neutral_value_of_a_later_setting_leaves_old_hashes_valid() -> None:
    assert "added_later" not in canonical(made())
    assert config_hash(made(hyperparameters={"added_later": 1})) == config_hash(made())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"hyperparameters": {"gamma": 1}}, {"hyperparameters": {"gamma": 1.0}}),
        ({"hyperparameters": {"gamma": 0.0}}, {"hyperparameters": {"gamma": -0.0}}),
        ({"total_timesteps": 1000}, {"total_timesteps": 1e3}),
        ({"environment": {"kwargs": {"a": 1}}}, {"environment": {"kwargs": {"a": 1.0}}}),
        ({"environment": {"kwargs": {"a": [0]}}}, {"environment": {"kwargs": {"a": (-0.0,)}}}),
        (
            {"hyperparameters": {"step_size": 0.5}},
            {"hyperparameters": {"step_size": {"schedule": "constant", "start": 0.5}}},
        ),
        (
            {"environment": {"wrappers": ["a:B"]}},
            {"environment": {"wrappers": [{"path": "a:B", "kwargs": {}}]}},
        ),
    ],
)
def test_equal_meanings_have_equal_hashes(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert config_hash(made(**one)) == config_hash(made(**other))


def test_values_set_in_python_are_coerced_too() -> None:
    written = dataclasses.replace(
        made(),
        total_timesteps=1000.0,
        hyperparameters=SmallConfig(
            step_size=Schedule(schedule="constant", start=0.5), widths=[64.0, 64]
        ),
        evaluation=EvaluationConfig(episodes=10.0),
    )
    assert config_hash(written) == config_hash(made())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["typed", "free"])
def test_number_that_equals_nothing_has_no_hash(value: float, where: str) -> None:
    changes: dict[str, Any] = {"hyperparameters": SmallConfig(gamma=value)}
    if where == "free":
        environment = dataclasses.replace(made().environment, kwargs={"a": [value]})
        changes = {"environment": environment}
    with pytest.raises(ValueError, match="has no hash"):
        config_hash(dataclasses.replace(made(), **changes))


def test_continued_run_differs_from_a_fresh_one() -> None:
    hashes = {config_hash(made(), parent_hash=parent) for parent in (None, "", "a", "b")}
    assert len(hashes) == 4


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5)), st.randoms())
def test_order_of_keys_does_not_matter(kwargs: dict[str, Any], random: Any) -> None:
    items = list(kwargs.items())
    random.shuffle(items)
    values = list((SMALL | {"environment": {"kwargs": dict(items)}}).items())
    random.shuffle(values)
    assert config_hash(config_from_mapping(dict(values))) == config_hash(
        made(environment={"kwargs": kwargs})
    )


@given(st.integers(0), st.integers(0), st.integers(1))
def test_no_exempt_number_changes_the_hash(seed: int, every: int, keep: int) -> None:
    changed = made(seed=seed, checkpoint={"every": every, "keep": keep})
    assert changed.checkpoint == CheckpointConfig(every=every, keep=keep)
    assert config_hash(changed) == config_hash(made())
    assert run_id(changed) == f"seed{seed}-{config_hash(made())}"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_hash_follows_the_value_of_a_number(gamma: float) -> None:
    equal = config_hash(made(hyperparameters={"gamma": gamma})) == config_hash(made())
    assert equal == (gamma == 0.99)
