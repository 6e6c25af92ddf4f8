"""Environments restored in the middle of episodes continue bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from axiomrl.config.schema import EnvironmentConfig, WrapperConfig
from axiomrl.errors import ResumeMismatchError
from axiomrl.training import checkpoints
from axiomrl.training.environments import Environments, Episode

from . import custom_environments

SEED = 3
FIELDS = ("observation", "action", "reward", "terminated", "truncated", "next_observation")
custom_environments.register()


class Blind:
    """Acts at random whatever it sees; like a policy, it answers with an array of its own."""

    def __init__(self, environments: Environments, seed: int) -> None:
        self._layout = environments.actions
        self._rows = environments.num_envs
        self._generator = np.random.default_rng(seed)

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        shape = (self._rows, *self._layout.shape)
        if self._layout.kind == "box":
            return self._generator.normal(0.0, 1.0, shape).astype(np.float32)
        return self._generator.integers(self._layout.sizes, size=shape or None)


def made(env_id: str, envs: int, settings: dict[str, Any]) -> Environments:
    return Environments(env_id, EnvironmentConfig(**settings), num_envs=envs, seed=SEED)


def blocks_of(
    environments: Environments, seed: int, blocks: int, steps: int
) -> tuple[list[dict[str, bytes]], list[Episode]]:
    """The bytes of every transition, and the episodes that ended."""
    act = Blind(environments, seed)
    recorded, episodes = [], []
    for _ in range(blocks):
        transitions, ended = environments.collect(act, steps)
        recorded.append({name: getattr(transitions, name).tobytes() for name in FIELDS})
        episodes += ended
    return recorded, episodes


def through_a_file(state: dict[str, Any], path: Path) -> dict[str, Any]:
    """The state as it comes back from a checkpoint."""
    rest = dict.fromkeys(("algo", "env_id", "counters", "algorithm", "positions"))
    checkpoints.save(path, {**rest, "environments": state})
    loaded: dict[str, Any] = checkpoints.load(path)["environments"]
    return loaded


def assert_continues(
    env_id: str, folder: Path, *, envs: int = 2, blocks: int = 3, steps: int = 13, **settings: Any
) -> list[Episode]:
    """A restored copy gives the same bits as the original, and so does a copy of the copy."""
    original = made(env_id, envs, settings)
    _, before = blocks_of(original, 0, blocks, steps)
    restored = made(env_id, envs, settings)
    restored.load_state_dict(through_a_file(original.state_dict(), folder / "first.pt"))
    again = made(env_id, envs, settings)
    again.load_state_dict(through_a_file(restored.state_dict(), folder / "second.pt"))
    expected, episodes = blocks_of(original, 1, 2, steps)
    for copy in (restored, again):
        actual, ended = blocks_of(copy, 1, 2, steps)
        assert actual == expected
        assert ended == episodes
        np.testing.assert_equal(copy.state_dict(), original.state_dict())
    for environments in (original, restored, again):
        environments.close()
    return before + episodes


NORMALIZED = {"normalize_observation": True, "normalize_reward": True}


@pytest.mark.parametrize(
    "env_id",
    [
        "CartPole-v1",
        "Acrobot-v1",
        "MountainCarContinuous-v0",
        "Pendulum-v1",
        "LunarLander-v3",
        "HalfCheetah-v5",
        "Hopper-v5",
        "BipedalWalker-v3",
    ],
)
def test_every_environment_continues_within_its_first_episodes(env_id: str, tmp_path: Path) -> None:
    assert_continues(env_id, tmp_path, **NORMALIZED)


@pytest.mark.parametrize(
    "env_id", ["CartPole-v1", "Pendulum-v1", "LunarLander-v3", "Hopper-v5", "BipedalWalker-v3"]
)
def test_every_environment_continues_after_earlier_episodes(env_id: str, tmp_path: Path) -> None:
    # blocks of 13 steps and episodes of 10: every checkpoint lies within an episode
    episodes = assert_continues(env_id, tmp_path, max_episode_steps=10, **NORMALIZED)
    assert len(episodes) >= 12


@pytest.mark.parametrize(
    "keywords", [{"continuous": True}, {"enable_wind": True}, {"continuous": True, "gravity": -5.0}]
)
def test_lunar_lander_continues_with_its_options(keywords: dict[str, Any], tmp_path: Path) -> None:
    assert_continues("LunarLander-v3", tmp_path, kwargs=keywords, max_episode_steps=10)


def test_wrapped_and_stacked_environments_continue(tmp_path: Path) -> None:
    wrapper = WrapperConfig(path="gymnasium.wrappers:TimeAwareObservation")
    assert_continues(
        "CartPole-v1", tmp_path, wrappers=(wrapper,), frame_stack=3, max_episode_steps=9
    )


@pytest.mark.parametrize("envs", [1, 5])
def test_dict_observations_continue(envs: int, tmp_path: Path) -> None:
    assert_continues("Mixed-v0", tmp_path, envs=envs)


def test_a_state_saved_on_an_episodes_last_step_continues(tmp_path: Path) -> None:
    episodes = assert_continues("Counting-v0", tmp_path, blocks=2, steps=4)
    assert [episode.length for episode in episodes] == [4] * 8


def test_an_episode_longer_than_several_blocks_continues(tmp_path: Path) -> None:
    episodes = assert_continues("Counting-v0", tmp_path, blocks=4, steps=3, kwargs={"ends": 17})
    assert {episode.length for episode in episodes} == {17}


def test_a_state_from_before_the_first_step_continues(tmp_path: Path) -> None:
    assert_continues("CartPole-v1", tmp_path, blocks=0, **NORMALIZED)


def test_environments_reset_but_not_stepped_continue() -> None:
    original = made("CartPole-v1", 2, {})
    original.start()
    restored = made("CartPole-v1", 2, {})
    restored.load_state_dict(original.state_dict())
    assert blocks_of(restored, 1, 2, 9) == blocks_of(original, 1, 2, 9)


def test_saving_a_state_does_not_disturb_training() -> None:
    saved, unsaved = made("CartPole-v1", 2, NORMALIZED), made("CartPole-v1", 2, NORMALIZED)
    first = blocks_of(saved, 0, 2, 9)
    saved.state_dict()
    assert first == blocks_of(unsaved, 0, 2, 9)
    assert blocks_of(saved, 1, 2, 9) == blocks_of(unsaved, 1, 2, 9)


def test_a_state_does_not_follow_later_steps() -> None:
    environments = made("CartPole-v1", 2, NORMALIZED)
    blocks_of(environments, 0, 2, 9)
    state = environments.state_dict()
    restored = made("CartPole-v1", 2, NORMALIZED)
    expected = blocks_of(environments, 1, 3, 9)
    restored.load_state_dict(state)
    assert blocks_of(restored, 1, 3, 9) == expected


def test_the_first_environments_of_a_run_are_those_of_a_run_with_more() -> None:
    act = np.zeros(1, dtype=np.int64)
    few, _ = made("CartPole-v1", 1, {}).collect(lambda _: act, 30)
    many, _ = made("CartPole-v1", 3, {}).collect(lambda _: act.repeat(3), 30)
    np.testing.assert_array_equal(few.observation[:, 0], many.observation[:, 0])


@pytest.mark.parametrize("env_id", ["CarriesState-v0", "Unseeded-v0"])
def test_hidden_state_stops_the_resume_and_names_the_setting(env_id: str) -> None:
    original = made(env_id, 2, {})
    blocks_of(original, 0, 2, 7)
    restored = made(env_id, 2, {})
    with pytest.raises(ResumeMismatchError) as raised:
        restored.load_state_dict(original.state_dict())
    message = str(raised.value)
    assert "environment 0" in message
    assert env_id in message
    assert "environment.fresh_each_episode: true" in message


@pytest.mark.parametrize("env_id", ["CarriesState-v0", "Unseeded-v0"])
def test_hidden_state_continues_with_fresh_objects(env_id: str, tmp_path: Path) -> None:
    episodes = assert_continues(
        env_id, tmp_path, steps=7, fresh_each_episode=True, max_episode_steps=5
    )
    assert len(episodes) > 5


def test_a_tampered_observation_stops_the_resume() -> None:
    original = made("CartPole-v1", 2, {})
    blocks_of(original, 0, 1, 9)
    state = original.state_dict()
    state["observation"][1, 2] = np.nextafter(state["observation"][1, 2], np.float32(1.0))
    with pytest.raises(ResumeMismatchError, match="environment 1"):
        made("CartPole-v1", 2, {}).load_state_dict(state)


def test_another_seed_stops_the_resume() -> None:
    original = made("CartPole-v1", 1, {})
    blocks_of(original, 0, 1, 9)
    other = Environments("CartPole-v1", EnvironmentConfig(), num_envs=1, seed=SEED + 1)
    with pytest.raises(ResumeMismatchError):
        other.load_state_dict(original.state_dict())
