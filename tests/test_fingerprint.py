import copy
import dataclasses
from collections.abc import Iterator, Mapping
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
from axiomrl.config.fields import Setting, settings_of
from axiomrl.config.schema import Schedulable, setting
from axiomrl.fingerprint import SCHEME, canonical, config_hash, hash_of, run_config, run_id

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


def test_hashes_of_the_defaults_of_every_algorithm_never_change() -> None:
    hashes = {
        ("ppo", "CartPole-v1"): "89de392dac635e4f",
        ("dqn", "CartPole-v1"): "b1c6df4e57c0a105",
        ("sac", "Pendulum-v1"): "7e218b5cb6c7d993",
    }
    for (algo, env_id), expected in hashes.items():
        values = {"algo": algo, "env_id": env_id, "total_timesteps": 100_000}
        assert config_hash(config_from_mapping(values)) == expected


def test_numbers_that_are_hard_to_write_have_the_same_hash_in_every_python() -> None:
    numbers = [0.1 + 0.2, 1e16, 1e22, 5e-324, 2.0**53, 2.0**53 + 2, -1.5e-7, 123456789.0, 10**30]
    config = made(environment={"kwargs": {"numbers": numbers, "ключ": "\ud800\x7f"}})
    assert (
        '"numbers":[0.30000000000000004,1e+16,1e+22,5e-324,9007199254740992,9007199254740994.0,'
        "-1.5e-07,123456789,1000000000000000000000000000000]" in canonical(config)
    )
    assert config_hash(config) == "6686eb41757831f0"


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


def scrambled(value: Any, random: Any) -> Any:
    """An equal value: keys in another order, whole numbers as the other type of number."""
    if isinstance(value, Mapping):
        items = [(key, scrambled(item, random)) for key, item in value.items()]
        random.shuffle(items)
        return dict(items)
    if isinstance(value, list | tuple):
        return [scrambled(item, random) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float) or random.random() < 0.5:
        return value
    if isinstance(value, int):
        return float(value) if abs(value) <= 2**53 else value
    return int(value) if value.is_integer() and abs(value) <= 2**53 else value


FREE = st.recursive(
    st.none() | st.booleans() | st.text(max_size=3) | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(st.dictionaries(st.text(max_size=3), FREE, max_size=3), st.integers(0, 20), st.randoms())
def test_neither_order_of_keys_nor_type_of_a_number_changes_the_hash(
    kwargs: dict[str, Any], size: int, random: Any
) -> None:
    values = {
        **SMALL,
        "num_envs": 1 + size,
        "hyperparameters": {
            "gamma": size / 20,
            "step_size": {"schedule": "linear", "start": size, "end": 0, "until": 1},
            "widths": [size, 2],
        },
        "environment": {"kwargs": kwargs, "wrappers": [{"path": "a:B", "kwargs": kwargs}]},
        "evaluation": {"every": size},
    }
    config, other = config_from_mapping(values), config_from_mapping(scrambled(values, random))
    assert config_hash(other) == config_hash(config)
    assert hash_of(scrambled_keys(run_config(config), random)) == config_hash(config)


def scrambled_keys(value: Any, random: Any) -> Any:
    """An equal value with keys in another order."""
    if isinstance(value, Mapping):
        items = [(key, scrambled_keys(item, random)) for key, item in value.items()]
        random.shuffle(items)
        return dict(items)
    return [scrambled_keys(item, random) for item in value] if isinstance(value, list) else value


def each_changed(block: Any) -> Iterator[tuple[str, bool, Any]]:
    """Name of every setting, whether it counts, and a copy of the block with another value."""
    for name, declared in settings_of(type(block)).items():
        value = getattr(block, name)
        if dataclasses.is_dataclass(value) and not isinstance(value, Schedule):
            for inner, counts, changed in each_changed(value):
                yield (
                    f"{name}.{inner}",
                    declared.info.hashed and counts,
                    with_value(block, name, changed),
                )
        elif declared.kind.base is not object:
            yield name, declared.info.hashed, with_value(block, name, another(declared, value))


def with_value(block: Any, name: str, value: Any) -> Any:
    """A copy of a frozen block with a value that its own checks need not allow."""
    changed = copy.copy(block)
    object.__setattr__(changed, name, value)
    return changed


def another(declared: Setting, value: Any) -> Any:
    """A value of the declared type that differs from this one."""
    if declared.kind.many:
        return (*value, seven(declared.kind.base))
    if isinstance(value, Schedule):
        return dataclasses.replace(value, start=value.start + 1)
    if value is None:
        return seven(declared.kind.base)
    if isinstance(value, Mapping):
        return {**value, "a": 1}
    if isinstance(value, bool):
        return not value
    return f"{value}-x" if isinstance(value, str) else value + 1


def seven(kind: type) -> Any:
    """Some value of a type: the seven of numbers, the "7" of texts, a block made of these."""
    if kind is dict:
        return {"a": 7}
    if not dataclasses.is_dataclass(kind):
        return kind(7)
    settings = settings_of(kind)
    return kind(**{name: seven(each.kind.base) for name, each in settings.items() if each.required})


@pytest.mark.parametrize("algo", ["dqn", "ppo", "sac", "small"])
def test_every_declared_setting_changes_the_hash_unless_it_is_marked(algo: str) -> None:
    config = made(algo=algo)
    seen = {config_hash(config): "the defaults"}
    names = set()
    for name, counts, changed in each_changed(config):
        names.add(name)
        digest = config_hash(changed)
        assert (digest != config_hash(config)) is counts, name
        assert digest not in seen or not counts, f"{name} and {seen[digest]}"
        seen[digest] = name
    assert {"hyperparameters.gamma", "environment.kwargs", "num_envs", "seed"} <= names
    settings = settings_of(type(config.hyperparameters))
    assert {f"hyperparameters.{name}" for name in settings} <= names
