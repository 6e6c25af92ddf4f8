from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import OrderEnforcing, TimeLimit

from axiomrl.config.schema import EnvironmentConfig, WrapperConfig
from axiomrl.errors import UnusableEnvironmentError
from axiomrl.training.factory import EnvironmentFactory, MadeEnvironment, evaluation_settings

from . import custom_environments

CUSTOM = custom_environments.__name__  # importable under this name while the tests run


def make(env_id: str, **settings: Any) -> MadeEnvironment:
    return EnvironmentFactory(env_id, EnvironmentConfig(**settings)).make()


def wrapper(path: str, **keywords: Any) -> tuple[WrapperConfig, ...]:
    return (WrapperConfig(path=path, kwargs=keywords),)


def refusal(env_id: str, **settings: Any) -> str:
    with pytest.raises(UnusableEnvironmentError) as raised:
        make(env_id, **settings)
    return str(raised.value)


def test_the_time_limit_is_left_to_the_caller_where_nothing_is_wrapped_around_it() -> None:
    made = make("CartPole-v1")
    assert made.limit == 500
    assert not isinstance(made.env, (TimeLimit, OrderEnforcing))
    assert made.env is made.env.unwrapped


def test_max_episode_steps_replaces_the_environments_own_limit() -> None:
    assert make("CartPole-v1", max_episode_steps=7).limit == 7


def test_an_environment_without_a_limit_has_none() -> None:
    assert make("Counting-v0").limit == 0


def test_wrapped_environments_keep_their_time_limit() -> None:
    made = make("CartPole-v1", wrappers=wrapper("gymnasium.wrappers:FlattenObservation"))
    assert made.limit == 0
    assert isinstance(made.env.env, TimeLimit)


def test_wrappers_are_applied_innermost_first_with_their_arguments() -> None:
    inner = WrapperConfig(path="gymnasium.wrappers:TimeAwareObservation")
    outer = WrapperConfig(path="gymnasium.wrappers:ClipReward", kwargs={"max_reward": 0.5})
    made = make("CartPole-v1", wrappers=(inner, outer))
    assert [type(env).__name__ for env in (made.env, made.env.env)] == [
        "ClipReward",
        "TimeAwareObservation",
    ]
    made.env.reset(seed=0)
    assert made.env.step(0)[1] == 0.5
    assert made.env.observation_space.shape == (5,)


def test_frames_are_stacked_outside_the_wrappers() -> None:
    made = make(
        "CartPole-v1", wrappers=wrapper("gymnasium.wrappers:TimeAwareObservation"), frame_stack=3
    )
    assert made.env.observation_space.shape == (3, 5)


def test_keyword_arguments_reach_the_environment() -> None:
    assert make("FrozenLake-v1", kwargs={"map_name": "8x8"}).env.observation_space.n == 64


@pytest.mark.parametrize(
    ("env_id", "nearest"),
    [
        ("CartPol-v1", "CartPole-v1"),
        ("CartPole-v9", "CartPole-v1"),
        ("HalfChetah-v5", "HalfCheetah-v5"),
        ("LunarLander-v2", "LunarLander-v3"),
        ("Pendulum-v0", "Pendulum-v1"),
        (f"{CUSTOM}:Countin-v0", "Counting-v0"),
    ],
)
def test_an_unknown_id_lists_the_nearest_ones(env_id: str, nearest: str) -> None:
    message = refusal(env_id)
    assert f"{env_id!r} is not a known environment" in message
    assert nearest in message.partition("did you mean: ")[2]


def test_an_id_like_no_other_says_how_custom_environments_are_named() -> None:
    assert "my_package:MyEnv-v0" in refusal("zzzzzzzzzzzzzzzz")


def test_the_module_before_a_colon_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "registers_on_import.py").write_text(
        "import gymnasium\n"
        "from gymnasium.envs.classic_control import CartPoleEnv\n"
        "gymnasium.register('OnImport-v0', entry_point=CartPoleEnv, max_episode_steps=9)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert make("registers_on_import:OnImport-v0").limit == 9
    finally:
        gymnasium.registry.pop("OnImport-v0", None)


@pytest.mark.parametrize("module", ["no_such_module", "no_such_package.module", "json.no_such"])
def test_a_missing_module_is_named(module: str) -> None:
    message = refusal(f"{module}:Env-v0")
    assert f"module {module!r} cannot be imported" in message
    assert "No module named" in message


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import not_installed_dependency", "No module named 'not_installed_dependency'"),
        ("def broken(:", "SyntaxError"),
        ("raise RuntimeError('licence expired')", "RuntimeError: licence expired"),
    ],
)
def test_a_module_that_fails_to_import_says_why(
    code: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fails_to_import.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    message = refusal("fails_to_import:Env-v0")
    assert "module 'fails_to_import' cannot be imported" in message
    assert said in message


@pytest.mark.parametrize("env_id", ["CartPole-v1", "CartPole"])
def test_wrong_keyword_arguments_point_at_environment_kwargs(env_id: str) -> None:
    message = refusal(env_id, kwargs={"gravitas": 9.8})
    assert f"{env_id} cannot be made" in message
    assert "gravitas" in message
    assert "environment.kwargs" in message


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("gymnasium.wrappers.ClipReward", "not an import path"),
        ("gymnasium.wrappers:NoSuchWrapper", "cannot be imported"),
        ("no_such_module:Wrapper", "cannot be imported"),
        (":Wrapper", "cannot be imported"),
        ("gymnasium.wrappers:RescaleAction", "cannot be applied"),
    ],
)
def test_a_wrapper_that_cannot_be_used_is_named(path: str, said: str) -> None:
    message = refusal("CartPole-v1", wrappers=wrapper(path))
    assert "environment.wrappers" in message
    assert path in message
    assert said in message


FAMILIES = ("gymnasium.envs.box2d", "gymnasium.envs.mujoco", "Box2D", "mujoco")


def forget_families() -> dict[str, Any]:
    """Make the next import of an environment family a first one; returns what was imported."""
    names = [name for name in sys.modules if name.startswith(FAMILIES)]
    return {name: sys.modules.pop(name) for name in names}


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Makes a package look as if it were not installed."""
    imported = forget_families()
    whole_import = builtins.__import__

    def forbid(package: str) -> None:
        def guarded(name: str, *arguments: Any, **keywords: Any) -> Any:
            if name.split(".")[0] == package:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            return whole_import(name, *arguments, **keywords)

        monkeypatch.setattr(builtins, "__import__", guarded)

    yield forbid
    forget_families()
    sys.modules.update(imported)


@pytest.mark.parametrize(
    ("env_id", "package", "extra"),
    [
        ("LunarLander-v3", "Box2D", "box2d"),
        ("BipedalWalker-v3", "Box2D", "box2d"),
        ("HalfCheetah-v5", "mujoco", "mujoco"),
    ],
)
def test_a_family_that_is_not_installed_names_the_extra(
    env_id: str, package: str, extra: str, without: Callable[[str], None]
) -> None:
    without(package)
    message = refusal(env_id)
    assert "not installed" in message
    assert f"axiomrl[{extra}]" in message


@pytest.mark.parametrize(
    ("env_id", "package", "extra"),
    [
        ("ALE/Pong-v5", "ale_py", "atari"),
        ("MiniGrid-Empty-5x5-v0", "minigrid", "minigrid"),
        ("BabyAI-GoToRedBall-v0", "minigrid", "minigrid"),
    ],
)
def test_a_plugin_that_is_not_installed_names_the_extra(
    env_id: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # its import fails
    assert f"axiomrl[{extra}]" in refusal(env_id)


@pytest.mark.parametrize(
    ("env_id", "setting", "expected"),
    [
        ("CartPole-v1", None, False),
        ("CartPole-v1", True, True),
        ("BipedalWalker-v3", None, True),
        ("BipedalWalkerHardcore-v3", None, True),
        ("BipedalWalker", None, True),
        ("BipedalWalker-v3", False, False),
    ],
)
def test_environments_known_to_carry_state_are_made_anew_each_episode(
    env_id: str, setting: bool | None, expected: bool
) -> None:
    factory = EnvironmentFactory(env_id, EnvironmentConfig(fresh_each_episode=setting))
    assert factory.fresh_each_episode is expected


def test_making_a_mujoco_environment_prints_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    made = make("HalfCheetah-v5")
    made.env.reset(seed=0)
    made.env.step(np.zeros(6, dtype=np.float32))
    made.env.close()
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_evaluation_uses_trainings_settings_except_where_told_otherwise() -> None:
    training = EnvironmentConfig(
        kwargs={"a": 1},
        wrappers=wrapper("x:Y"),
        frame_stack=2,
        normalize_reward=True,
        max_episode_steps=100,
        evaluation={"max_episode_steps": 1000, "kwargs": {}, "wrappers": []},
    )
    scoring = evaluation_settings(training)
    assert scoring == EnvironmentConfig(
        kwargs={}, wrappers=(), frame_stack=2, normalize_reward=True, max_episode_steps=1000
    )
    assert evaluation_settings(EnvironmentConfig(frame_stack=3)) == EnvironmentConfig(frame_stack=3)


def test_an_override_may_be_null() -> None:
    training = EnvironmentConfig(max_episode_steps=5, evaluation={"max_episode_steps": None})
    assert evaluation_settings(training).max_episode_steps is None
